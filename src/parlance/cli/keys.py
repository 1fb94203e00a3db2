"""`parlance keys`."""

import click

from parlance.access.keys import hash_key, make_key
from parlance.config.sections.fields import check_id


@click.group()
def keys() -> None:
    """Keys that clients show to be let in."""


@keys.command()
@click.argument("name", default="web")
def make(name: str) -> None:
    """Make a key, and print it with what to put into parlance.yaml. Nothing is kept: this is the only time it is shown.

    NAME is the key's id in the settings.
    """
    try:
        check_id(name)
    except ValueError as error:
        raise click.BadParameter(f"{name!r} {error}") from None
    key = make_key()
    click.echo(f"The key, for the client:\n  {key}\n")
    click.echo("Its hash, for parlance.yaml:\n  access:\n    keys:")
    click.echo(f'      {name}: {{key: "{hash_key(key)}", scope: service}}')
