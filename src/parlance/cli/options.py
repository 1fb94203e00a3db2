"""The options that say where settings come from, shared by all commands that read them."""

from collections.abc import Mapping
from pathlib import Path

import click

from parlance.app.providers import HOST_IDS, KEY_VARIABLES
from parlance.config.errors import ConfigError
from parlance.config.load import Loaded, load
from parlance.config.surroundings import real_surroundings


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
