"""`parlance doctor`: what was understood, from which source, and whether the database and the hosts answer."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from parlance.app.database import DatabaseReport, report_database
from parlance.app.not_yet import settings_without_effect
from parlance.app.probe import HostReport, Probe, probe_hosts
from parlance.cli.options import load_settings, read_assignments, run
from parlance.config.describe import describe
from parlance.config.load import Loaded
from parlance.config.settings import Settings


@click.command()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Parlance's own file.")
@click.option("--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Any setting, as for serve.")
@click.option("--all", "show_all", is_flag=True, help="Also what nobody set.")
@click.option("--offline", is_flag=True, help="Ask no host, and look at no database.")
def doctor(config: Path | None, assignments: tuple[str, ...], show_all: bool, offline: bool) -> None:
    """Print the settings with their sources, secrets masked, look at the database, and ask each host for its models.

    Exits with 1 when a host that is set or the database can't be used, with 2 when the settings are wrong.
    """
    loaded = load_settings(read_assignments(assignments), config)
    _print_settings(loaded, show_all=show_all)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning.text}")
    for path in settings_without_effect(loaded):
        click.echo(f"warning: {path} is set, and has no effect in this version")
    if offline:
        return
    probe, database = run(_look(loaded.settings))
    _print_database(database)
    _print_hosts(probe.hosts)
    click.echo(f"Default: {probe.default.provider or 'none'}, since {probe.default.text}.")
    if not database.usable or any(not report.usable for report in probe.hosts):
        raise SystemExit(1)


async def _look(settings: Settings) -> tuple[Probe, DatabaseReport]:
    return await asyncio.gather(probe_hosts(settings), report_database(settings))


def _print_database(report: DatabaseReport) -> None:
    click.echo("Database")
    _print_columns([("ok" if report.usable else "FAILS", report.shown, report.text, report.note)])


def _print_settings(loaded: Loaded, *, show_all: bool) -> None:
    rows = [(row.path, row.value, f"({row.source})") for row in describe(loaded) if show_all or row.source != "default"]
    click.echo("Settings" if rows else "No setting differs from its default; --all shows them.")
    _print_columns(rows)


def _print_hosts(reports: Sequence[HostReport]) -> None:
    if reports:
        click.echo("Hosts")
    marks = {True: "ok", False: "FAILS"}
    _print_columns([(report.name, marks[report.usable], report.address, report.text) for report in reports])


def _print_columns(rows: Sequence[tuple[str, ...]]) -> None:
    """One line each, whole: what is printed here is searched and copied, so nothing is cut to fit a terminal."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        click.echo("  " + line.rstrip().replace("\n", "\\n"))
