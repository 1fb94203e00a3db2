"""`parlance export`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import click

from parlance.app.porting import export_stored
from parlance.cli.options import read_settings, with_settings
from parlance.cli.porting import run, tell_counts
from parlance.core.principal import DEFAULT_SUBTENANT

STANDARD = "-"


@click.command()
@with_settings
@click.option("--subtenant", metavar="ID", help=f"Whose; `{DEFAULT_SUBTENANT}` if none is named.")
@click.option("--all", "everybody", is_flag=True, help="Everybody's, and all assistants of the whole service.")
@click.option("--calls", is_flag=True, help="Also the log of model calls.")
@click.argument("file", default=STANDARD, type=click.Path(dir_okay=False))
def export(
    config: Path | None, assignments: tuple[str, ...], subtenant: str | None, everybody: bool, calls: bool, file: str
) -> None:
    """Write what is stored of a subtenant to FILE, or to standard output: chats, messages, memories and assistants, as
    JSON Lines.

    A server on SQLite must be stopped before; one on PostgreSQL may go on.
    """
    if everybody and subtenant is not None:
        raise click.UsageError("Name a subtenant, or say --all.")
    settings = read_settings(config, assignments)
    wanted = None if everybody else subtenant or DEFAULT_SUBTENANT
    try:
        with _opened(file) as target:
            counts = run(export_stored(settings, wanted, target.write, model_calls=calls))
    except OSError as error:
        click.echo(f"{error.filename or file}: {error.strerror or error}.", err=True)
        raise SystemExit(1) from None
    tell_counts("Exported", counts, err=file == STANDARD)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    """The file is there once it is whole, and for its owner alone: it holds what people said."""
    if file == STANDARD:
        with _discarded_on_failure():
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    if Path(file).exists() and not Path(file).is_file():
        # A device or a pipe: it is nothing that may be put in another's place.
        with Path(file).open("wb") as target:
            yield target
        return
    part = Path(f"{file}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as target:
        try:
            yield target
            target.flush()
            os.fsync(target.fileno())
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def _discarded_on_failure() -> Iterator[None]:
    """Else what is left in the buffer would be written when the program ends, to whoever may have gone."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
