"""`parlance doctor`: what was understood, from which source, and whether the hosts answer."""

import asyncio
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from parlance.app.probe import HostReport, probe_hosts
from parlance.cli.options import load_settings, read_assignments
from parlance.config.default_provider import choose_default
from parlance.config.describe import describe
from parlance.config.load import Loaded


@click.command()
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Parlance's own file.")
@click.option("--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Any setting, as for serve.")
@click.option("--all", "show_all", is_flag=True, help="Also what nobody set.")
@click.option("--offline", is_flag=True, help="Ask no host.")
def doctor(config: Path | None, assignments: tuple[str, ...], show_all: bool, offline: bool) -> None:
    """Print the settings with their sources, secrets masked, and ask each host for its models.

    Exits with 1 when a host that is set can't be used, with 2 when the settings are wrong.
    """
    loaded = load_settings(read_assignments(assignments), config)
    console = Console(highlight=False, soft_wrap=True)
    console.print(_settings_table(loaded, show_all=show_all))
    for warning in loaded.warnings:
        console.print(f"warning: {warning.text}", markup=False)
    reports = [] if offline else asyncio.run(probe_hosts(loaded.settings))
    if reports:
        console.print(_hosts_table(reports))
    elif not offline:
        default = choose_default(loaded.settings, [])
        console.print(f"No host to ask: {default.text}.", markup=False)
    if any(not report.usable for report in reports):
        raise SystemExit(1)


def _settings_table(loaded: Loaded, *, show_all: bool) -> Table:
    table = Table("setting", "value", "source", title="Settings", title_justify="left")
    for row in describe(loaded):
        if show_all or row.source != "default":
            table.add_row(*(text.replace("[", "\\[") for text in (row.path, row.value, row.source)))
    return table


def _hosts_table(reports: list[HostReport]) -> Table:
    table = Table("provider", "address", "answer", title="Hosts", title_justify="left")
    for report in reports:
        table.add_row(*(text.replace("[", "\\[") for text in (report.name, report.address, report.text)))
    return table
