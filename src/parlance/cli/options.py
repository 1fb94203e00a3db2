"""The options that say where settings come from, and how work on a database is run: what several commands share."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TypeVar

import click

from parlance.app.providers import HOST_IDS, KEY_VARIABLES
from parlance.config.errors import ConfigError
from parlance.config.load import Loaded, load
from parlance.config.settings import Settings
from parlance.config.surroundings import real_surroundings

T = TypeVar("T")
Command = Callable[..., None]


def read_assignments(assignments: tuple[str, ...]) -> dict[str, str]:
    """`server.port=9000` and the like, as given with `--set`."""
    pairs: dict[str, str] = {}
    for text in assignments:
        path, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is no setting. Write it as path=value, such as server.port=9000.")
        pairs[path.strip()] = value
    return pairs


def load_settings(arguments: Mapping[str, str | None], config: Path | None) -> Loaded:
    """Settings from everywhere; what is wrong with them is printed, and ends the command with 2."""
    given = {path: value for path, value in arguments.items() if value is not None}
    try:
        return load(real_surroundings(given, config=config, key_variables=KEY_VARIABLES, hosts=HOST_IDS))
    except ConfigError as error:
        click.echo(error.message, err=True)
        raise SystemExit(2) from None


def with_settings(command: Command) -> Command:
    """The options that say which database."""
    config = click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Parlance's own file.")
    assigned = click.option(
        "--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Any setting, as for serve."
    )
    return config(assigned(command))


def read_settings(config: Path | None, assignments: tuple[str, ...]) -> Settings:
    """Those of `with_settings`; warnings are printed."""
    loaded = load_settings(read_assignments(assignments), config)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning.text}", err=True)
    return loaded.settings


def run(work: Coroutine[None, None, T]) -> T:
    """Ends the command with 2 where the database can't be used."""
    try:
        return asyncio.run(work)
    except ConfigError as error:
        click.echo(error.message, err=True)
        raise SystemExit(2) from None
