"""The command `parlance`."""

import gc
import importlib
import keyword
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from parlance import __version__

COMMANDS = {
    "chat": "parlance.cli.chat.command",
    "doctor": "parlance.cli.doctor",
    "export": "parlance.cli.export",
    "import": "parlance.cli.import_chats",
    "keys": "parlance.cli.keys",
    "migrate": "parlance.cli.migrate",
    "serve": "parlance.cli.serve",
}
"""Each command's module, which has it under its own name; with `_` behind it where that is a word of Python's. No
command loads what another needs.
"""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        with _uncollected(), _without_rich():
            command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), name)
        return command


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nearly all that loading makes stays: looking through it for garbage, again and again, is a sixth of a start."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


@contextmanager
def _without_rich() -> Iterator[None]:
    """What draws for people at a terminal, and is loaded where that is done. structlog loads it wherever it is, for
    tracebacks that nobody here asks it for: a tenth of a start, and 5 MB for as long as the server runs.
    """
    if "rich" in sys.modules:
        yield
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # as Python has it: there is none
    try:
        yield
    finally:
        del sys.modules["rich"]


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="parlance")
def main() -> None:
    """A chat backend between any front end and any language model."""
