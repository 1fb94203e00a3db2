"""The command `parlance chat`."""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable

import click
import msgspec

from parlance.cli.chat.client import Asking, ChatClient
from parlance.cli.chat.conversation import Conversation
from parlance.cli.chat.endings import INTERRUPTED, exit_code
from parlance.cli.chat.interrupts import Output, answer
from parlance.cli.chat.json_lines import JsonOutput
from parlance.cli.chat.place import Place, open_place
from parlance.cli.chat.plain import PlainOutput
from parlance.cli.chat.wish import Options, Wish, read_wish


class _ChatCommand(click.Command):
    """Its options are one value, since they are too many for a function's parameters."""

    def invoke(self, ctx: click.Context) -> None:
        wish = read_wish(msgspec.convert(ctx.params, Options))
        try:
            code = asyncio.run(_chat(wish))
        except KeyboardInterrupt:
            code = INTERRUPTED
        ctx.exit(code)


@click.command(cls=_ChatCommand)
@click.argument("words", nargs=-1, metavar="[QUESTION]...")
@click.option(
    "--url", envvar="PARLANCE_URL", help="A server, such as http://127.0.0.1:8000. Left out: in this process."
)
@click.option(
    "--key", envvar="PARLANCE_KEY", help="The server's key. Other users may see options: PARLANCE_KEY is safer."
)
@click.option("--model", help="Who shall answer: a name that /models lists.")
@click.option("--system", help="What the model shall bear in mind.")
@click.option("--reasoning/--no-reasoning", default=True, help="Show what the model thinks.")
@click.option("--usage", is_flag=True, help="Tell model, tokens and time behind each answer.")
@click.option("--json", is_flag=True, help="One JSON object a line, for scripts.")
@click.option(
    "--patience", default=60.0, show_default=True, help="Seconds to reconnect for when the connection breaks."
)
@click.option("--config", type=click.Path(dir_okay=False), help="Parlance's own file.")
@click.option("--set", "assignments", multiple=True, metavar="PATH=VALUE", help="Any setting, as for serve.")
def chat() -> None:
    """Chat in the terminal, or ask one QUESTION and print the answer.

    The question may come through a pipe, too; `-` among its words stands for what comes there. Exits with 0 when the
    answer is whole, with 1 when it is not, with 130 when it was interrupted.
    """


async def _chat(wish: Wish) -> int:
    async with open_place(wish) as place:
        options = wish.options
        reasoning = options.reasoning and (options.json or wish.question is None)
        asking = Asking(options.model, reasoning, options.patience)
        client = ChatClient(place.server, asking, Conversation(options.system))
        try:
            if wish.question is None:
                return await _chat_in_terminal(client, place, wish)
            return exit_code(await answer(client, wish.question, _output(options)))
        finally:
            await client.close()


def _output(options: Options) -> Output:
    if options.json:
        return JsonOutput(sys.stdout, sys.stderr)
    return PlainOutput(sys.stdout, sys.stderr, usage=options.usage)


def _chat_in_terminal(client: ChatClient, place: Place, wish: Wish) -> Awaitable[int]:
    # Its libraries are large: who pipes a question need not load them.
    start: Callable[[ChatClient, Place, bool], Awaitable[int]] = importlib.import_module(
        "parlance.cli.chat.terminal"
    ).chat_in_terminal
    return start(client, place, wish.options.usage)
