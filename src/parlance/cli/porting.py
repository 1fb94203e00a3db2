"""What `parlance export` and `parlance import` share: which database, and how it is told what came of it."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TypeVar

import click

from parlance.cli.options import load_settings, read_assignments
from parlance.config.errors import ConfigError
from parlance.config.settings import Settings
from parlance.core.errors import StorageUnavailable
from parlance.store.porting.refusal import PortingRefused

T = TypeVar("T")
Command = Callable[..., None]


def with_settings(command: Command) -> Command:
    """The options that say which database."""
    config = click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Parlance's own file.")
    assigned = click.option(
        "--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Any setting, as for serve."
    )
    return config(assigned(command))


def read_settings(config: Path | None, assignments: tuple[str, ...]) -> Settings:
    loaded = load_settings(read_assignments(assignments), config)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning.text}", err=True)
    return loaded.settings


def run(work: Coroutine[None, None, T]) -> T:
    """Ends the command with 2 where the database can't be used, with 1 where the work was refused."""
    try:
        return asyncio.run(work)
    except ConfigError as error:
        click.echo(error.message, err=True)
        raise SystemExit(2) from None
    except (PortingRefused, StorageUnavailable) as error:
        click.echo(error.message, err=True)
        raise SystemExit(1) from None


def tell_counts(verb: str, counts: Mapping[str, int], *, err: bool = False) -> None:
    told = [f"{name.replace('_', ' ')}: {count}" for name, count in counts.items() if count]
    click.echo(f"{verb} {', '.join(told) or 'nothing'}", err=err)
