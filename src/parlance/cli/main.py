"""The command `parlance`."""

import importlib

import click

from parlance import __version__

COMMANDS = {
    "chat": "parlance.cli.chat.command",
    "doctor": "parlance.cli.doctor",
    "keys": "parlance.cli.keys",
    "migrate": "parlance.cli.migrate",
    "serve": "parlance.cli.serve",
}
"""Each command's module, which has it under its own name. No command loads what another needs."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="parlance")
def main() -> None:
    """A chat backend between any front end and any language model."""
