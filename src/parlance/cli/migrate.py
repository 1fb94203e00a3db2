"""`parlance migrate`: the database's tables, brought to another revision."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

import click

from parlance.app.database import report_database
from parlance.app.migrations import migrate_database
from parlance.cli.options import load_settings, read_assignments
from parlance.config.errors import ConfigError
from parlance.config.settings import Settings
from parlance.store.revisions import NEWEST

T = TypeVar("T")
Options = Callable[..., None]


def _with_settings(command: Options) -> Options:
    """The options that say which database."""
    config = click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Parlance's own file.")
    assigned = click.option(
        "--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Any setting, as for serve."
    )
    return config(assigned(command))


@click.group()
def migrate() -> None:
    """The database's tables: in which state they are, and how they get into another.

    A start brings them up to date by itself, unless `database.migrate` is false.
    """


@migrate.command()
@_with_settings
def status(config: Path | None, assignments: tuple[str, ...]) -> None:
    """Say which database it is, and whether its tables are up to date. Exits with 1 when it can't be used as it is."""
    report = _run(report_database(_settings(config, assignments)))
    click.echo(f"{report.shown}: {report.text}")
    if not report.usable:
        raise SystemExit(1)


@migrate.command()
@_with_settings
@click.argument("revision", default=NEWEST)
def up(config: Path | None, assignments: tuple[str, ...], revision: str) -> None:
    """Bring the tables up to REVISION: the newest that this version knows, if none is named."""
    _move(_settings(config, assignments), revision, down=False)


@migrate.command()
@_with_settings
@click.argument("revision", required=False)
@click.option("--all", "everything", is_flag=True, help="Take all tables away, with all that is stored.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def down(config: Path | None, assignments: tuple[str, ...], revision: str | None, everything: bool, yes: bool) -> None:
    """Bring the tables down to REVISION, an older one. What only the newer ones can hold is lost."""
    if everything == (revision is not None):
        raise click.UsageError("Name a revision, or say --all.")
    lost = "everything that is stored" if everything else f"what revision {revision} can't hold"
    if not yes:
        click.confirm(f"This deletes {lost}. Go on?", abort=True, err=True)
    _move(_settings(config, assignments), revision, down=True)


def _move(settings: Settings, to: str | None, *, down: bool) -> None:
    moved = _run(migrate_database(settings, to, down=down))
    before, after = moved.before or "no tables", moved.after or "no tables"
    click.echo(f"{moved.shown}: {f'at {after} already' if before == after else f'from {before} to {after}'}")


def _run(work: Coroutine[None, None, T]) -> T:
    try:
        return asyncio.run(work)
    except ConfigError as error:
        click.echo(error.message, err=True)
        raise SystemExit(2) from None


def _settings(config: Path | None, assignments: tuple[str, ...]) -> Settings:
    loaded = load_settings(read_assignments(assignments), config)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning.text}", err=True)
    return loaded.settings
