"""The place of a server in this process, made from the settings that `parlance serve` reads."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import click

from parlance.app.not_yet import settings_without_effect
from parlance.cli.chat.own_server import own_server
from parlance.cli.chat.place import Place
from parlance.cli.chat.wish import Wish
from parlance.cli.options import load_settings, read_assignments
from parlance.config.errors import ConfigError


@contextlib.asynccontextmanager
async def open_own_place(wish: Wish) -> AsyncIterator[Place]:
    config = Path(wish.options.config) if wish.options.config else None
    loaded = load_settings(read_assignments(wish.options.assignments), config)
    for warning in loaded.warnings:
        click.echo(f"warning: {warning.text}", err=True)
    for path in settings_without_effect(loaded):
        click.echo(f"warning: {path} is set, and has no effect in this version", err=True)
    async with contextlib.AsyncExitStack() as stack:
        try:
            own = await stack.enter_async_context(own_server(loaded.settings))
        except ConfigError as error:
            click.echo(error.message, err=True)
            raise SystemExit(2) from None
        except OSError as error:
            place = error.filename or "its port"
            click.echo(f"Parlance can't start: {place}: {error.strerror or error}.", err=True)
            raise SystemExit(1) from None
        yield Place(own.server, f"Answers come from: {own.answers}", loaded.settings.data)
