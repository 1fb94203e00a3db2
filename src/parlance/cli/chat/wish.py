"""What the command line of `parlance chat` says, read into what is wanted."""

import os
import sys

import click
from msgspec import Struct

from parlance.cli.chat.connection import Server, read_server


class Options(Struct, frozen=True):
    """As they were given."""

    words: tuple[str, ...]
    url: str | None
    key: str | None
    model: str | None
    system: str | None
    reasoning: bool
    usage: bool
    json: bool
    patience: float
    config: str | None
    assignments: tuple[str, ...]


class Wish(Struct, frozen=True):
    """`question` None: lines are typed in a terminal. `server` None: one in this process."""

    question: str | None
    server: Server | None
    options: Options


def read_wish(options: Options) -> Wish:
    """Reads standard input where the question is there. `click.UsageError` for what makes no sense."""
    server = _read_server(options)
    if server is not None and (options.config or options.assignments):
        raise click.UsageError("--config and --set are for a server in this process. Leave them out, or --url.")
    typed = not options.words and not options.json and _is_terminal()
    return Wish(None if typed else _read_question(options.words), server, options)


def _read_server(options: Options) -> Server | None:
    if not options.url:
        return None
    try:
        server = read_server(options.url, options.key)
    except ValueError as error:
        raise click.UsageError(f"--url (or PARLANCE_URL) is no address of a server: {error}.") from None
    if server.key and not server.local and server.address.startswith("http:"):
        click.echo(f"warning: the key goes to {server.address} unencrypted. Use https.", err=True)
    return server


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _read_question(words: tuple[str, ...]) -> str:
    """The words; `-` among them, or none at all, stands for standard input."""
    try:
        given = " ".join(word for word in words if word != "-").encode("utf-8", "surrogateescape").decode()
        piped = sys.stdin.buffer.read().decode() if sys.stdin is not None and (not words or "-" in words) else ""
    except UnicodeDecodeError:
        raise click.UsageError("The question is not UTF-8 text.") from None
    question = "\n\n".join(text for text in (given, piped.rstrip("\r\n")) if text.strip())
    if not question:
        raise click.UsageError('There is no question. Write it behind the command, as in: parlance chat "Hello"')
    return question


def data_folder() -> str:
    """Where a client that reads no settings keeps things."""
    return os.environ.get("PARLANCE_DATA") or ".parlance"
