"""The command `parlance`."""

import click

from parlance import __version__
from parlance.cli.doctor import doctor
from parlance.cli.keys import keys
from parlance.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="parlance")
def main() -> None:
    """A chat backend between any front end and any language model."""


main.add_command(serve)
main.add_command(doctor)
main.add_command(keys)
