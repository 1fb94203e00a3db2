"""`parlance import`."""

from pathlib import Path
from typing import BinaryIO

import click

from parlance.app.porting import import_stored
from parlance.cli.porting import read_settings, run, tell_counts, with_settings


@click.command("import")
@with_settings
@click.option("--replace", is_flag=True, help="Delete first what is there of the file's subtenants.")
@click.argument("file", required=False, type=click.File("rb"))
def import_(config: Path | None, assignments: tuple[str, ...], replace: bool, file: BinaryIO | None) -> None:
    """Read what `parlance export` wrote to FILE (- for standard input): all of it, or nothing.

    A server on SQLite must be stopped before; one on PostgreSQL may go on.
    """
    if file is None:
        raise click.UsageError("Name a file.")
    tell_counts("Imported", run(import_stored(read_settings(config, assignments), file, replace=replace)))
