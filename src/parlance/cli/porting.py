"""What `parlance export` and `parlance import` share: how it is told what came of it."""

from collections.abc import Coroutine, Mapping
from typing import TypeVar

import click

from parlance.cli import options
from parlance.core.errors import StorageUnavailable
from parlance.store.porting.refusal import PortingRefused

T = TypeVar("T")


def run(work: Coroutine[None, None, T]) -> T:
    """Ends the command with 2 where the database can't be used, with 1 where the work was refused."""
    try:
        return options.run(work)
    except (PortingRefused, StorageUnavailable) as error:
        click.echo(error.message, err=True)
        raise SystemExit(1) from None


def tell_counts(verb: str, counts: Mapping[str, int], *, err: bool = False) -> None:
    told = [f"{name.replace('_', ' ')}: {count}" for name, count in counts.items() if count]
    click.echo(f"{verb} {', '.join(told) or 'nothing'}", err=err)
