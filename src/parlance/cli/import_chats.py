"""`parlance import`."""

from pathlib import Path
from typing import BinaryIO

import click

from parlance.app.porting import import_older, import_stored
from parlance.cli.options import read_settings, with_settings
from parlance.cli.porting import run, tell_counts
from parlance.store.porting.wrapper import Arrival


@click.command("import")
@with_settings
@click.option("--replace", is_flag=True, help="Delete first what is there of the file's subtenants.")
@click.option("--from-wrapper", "url", metavar="URL", help="Read the database of an older service instead of a file.")
@click.argument("file", required=False, type=click.File("rb"))
def import_(
    config: Path | None, assignments: tuple[str, ...], replace: bool, url: str | None, file: BinaryIO | None
) -> None:
    """Read what `parlance export` wrote to FILE (- for standard input): all of it, or nothing.

    With --from-wrapper, read the PostgreSQL database of the REST service that Parlance takes the place of. Nothing is
    changed there; what is here already stays as it is.

    A server on SQLite must be stopped before; one on PostgreSQL may go on.
    """
    if (file is None) == (url is None) or (url is not None and replace):
        raise click.UsageError("Name a file, or an address with --from-wrapper, which replaces nothing.")
    settings = read_settings(config, assignments)
    if file is not None:
        tell_counts("Imported", run(import_stored(settings, file, replace=replace)))
    elif url is not None:
        _tell_arrival(run(import_older(settings, url)))


def _tell_arrival(arrival: Arrival) -> None:
    tell_counts("Imported", arrival.came)
    for verb, counts in (("There already", arrival.there), ("Left out", arrival.left)):
        if counts.total():
            tell_counts(verb, counts)
    if arrival.unknown:
        click.echo(f"Not understood, and left there: {', '.join(arrival.unknown)}")
