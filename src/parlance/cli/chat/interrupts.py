"""One answer from its question to its end, and what Ctrl-C does meanwhile."""

import asyncio
import contextlib
import itertools
import signal
from collections.abc import Callable, Iterator
from typing import Protocol

from parlance.cli.chat.client import ChatClient
from parlance.cli.chat.told import Ended, Told

LEFT = "left"


class Output(Protocol):
    """Where an answer is shown."""

    def show(self, told: Told) -> None: ...


async def answer(client: ChatClient, text: str, output: Output) -> Ended:
    """Ask, and show what comes.

    Ctrl-C cancels the answer at the server; where that can't be told, or on a second one, it is left as it is.
    """
    ended: list[Ended] = []

    async def show_all() -> None:
        async with contextlib.aclosing(client.ask(text)) as coming:
            async for told in coming:
                output.show(told)
                if isinstance(told, Ended):
                    ended.append(told)

    task = asyncio.create_task(show_all())

    def interrupt() -> None:
        if next(presses) or not client.cancel():
            task.cancel()

    presses = itertools.count()
    with on_interrupt(interrupt):
        try:
            await asyncio.wait((task,))
        finally:
            task.cancel()
    if task.cancelled():
        await client.close()
        last = Ended("cancelled", client.request_id, code=LEFT, message="Left. The answer is not waited for.")
        output.show(last)
        return last
    task.result()
    return ended[-1]


@contextlib.contextmanager
def on_interrupt(act: Callable[[], None] = lambda: None) -> Iterator[None]:
    """What SIGINT does while the block runs: by default nothing. Behind the block it does what it did before."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, act)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)
