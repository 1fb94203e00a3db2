"""`parlance migrate`: the database's tables, brought to another revision."""

from pathlib import Path

import click

from parlance.app.database import report_database
from parlance.app.migrations import migrate_database
from parlance.cli.options import read_settings, run, with_settings
from parlance.config.settings import Settings
from parlance.store.revisions import NEWEST


@click.group()
def migrate() -> None:
    """The database's tables: in which state they are, and how they get into another.

    A start brings them up to date by itself, unless `database.migrate` is false.
    """


@migrate.command()
@with_settings
def status(config: Path | None, assignments: tuple[str, ...]) -> None:
    """Say which database it is, and whether its tables are up to date. Exits with 1 when it can't be used as it is."""
    report = run(report_database(read_settings(config, assignments)))
    click.echo(f"{report.shown}: {report.text}")
    if not report.usable:
        raise SystemExit(1)


@migrate.command()
@with_settings
@click.argument("revision", default=NEWEST)
def up(config: Path | None, assignments: tuple[str, ...], revision: str) -> None:
    """Bring the tables up to REVISION: the newest that this version knows, if none is named."""
    _move(read_settings(config, assignments), revision, down=False)


@migrate.command()
@with_settings
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
    _move(read_settings(config, assignments), revision, down=True)


def _move(settings: Settings, to: str | None, *, down: bool) -> None:
    moved = run(migrate_database(settings, to, down=down))
    before, after = moved.before or "no tables", moved.after or "no tables"
    click.echo(f"{moved.shown}: {f'at {after} already' if before == after else f'from {before} to {after}'}")
