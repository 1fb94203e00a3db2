"""A process whose children keep turns in a database until they are killed at a seeded point. Run as a module.

It reads one order after another: where the database is, and a seed. To fork costs a fiftieth of starting Python anew.
What a child writes, a line for each thing that was acknowledged, goes the way of the nursery's own output.
"""

import asyncio
import os
import random
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Literal

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.ids import ChatId, new_chat_id
from parlance.core.stores.chats import NewChat
from parlance.core.stores.request_keys import RequestKey
from parlance.core.stores.turns import TurnRecord
from parlance.store.addresses import read_address
from parlance.store.bells import SqlBells
from parlance.store.database import Database
from parlance.store.turns import SqlTurns
from parlance.store.writer import Writer
from tests.contract.stores.turn_world import HOME, a_new_turn, a_piece, an_ending
from tests.fault.nurseries import raise_children
from tests.fault.power_loss import PowerLoss
from tests.fault.store_script import said_in
from tests.probes.databases import LONG, open_unhurried

SENDS = 50
LONGEST = 20
"""Seconds after which a child that nothing killed kills itself."""

Point = Literal["begun", "written", "committed", "any"]
POINTS: tuple[Point, ...] = ("begun", "written", "committed", "any")


class Order(Struct, frozen=True):
    """`powerless`: with the child goes all that it has written to files and not synced."""

    address: str
    seed: int
    powerless: bool = False


class Death:
    """At the so many-eth transaction, at this point of it; or at any moment, by a clock that nobody looks at."""

    def __init__(self, seed: int, power: PowerLoss | None = None) -> None:
        chance = self._chance = random.Random(seed)
        self._power = power
        self._point: Point = chance.choice(POINTS)
        self._left = chance.randint(1, 12)
        if power is not None and seed % 4:
            self._left = sys.maxsize
            power.strike_amid(chance)
            return
        if self._point == "any":
            threading.Timer(chance.uniform(0.02, 0.3), self.come).start()

    def at(self, point: Point) -> None:
        if point == self._point:
            self._left -= 1
            if self._left <= 0:
                self.come()

    def come(self) -> None:
        if self._power is not None:
            self._power.strike(self._chance)
        os.kill(os.getpid(), signal.SIGKILL)


def mortal(database: Database, death: Death) -> Database:
    """The same database, whose every transaction that writes may be the last."""
    lasting = database.writing

    @asynccontextmanager
    async def transaction(within: float) -> AsyncIterator[AsyncConnection]:
        async with lasting(within=within) as connection:
            death.at("begun")
            yield connection
            death.at("written")
        death.at("committed")

    def writing(*, within: float = LONG) -> AbstractAsyncContextManager[AsyncConnection]:
        return transaction(within)

    database.writing = writing  # type: ignore[method-assign]  # it must die inside of what is under test
    return database


def tell(*words: object) -> None:
    """What was acknowledged; one write, so that lines of many never mix."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def keep_turns(order: Order) -> None:
    """Sends without end, side by side, each in a chat of its own."""
    death = Death(order.seed, PowerLoss() if order.powerless else None)
    # How long a transaction may take is not what is tried, and where power is lost it takes long.
    database = mortal(open_unhurried(read_address(order.address)), death)
    bells = SqlBells(database, shared=order.address.startswith("postgresql"))
    turns = SqlTurns(database, Writer(database, bells))
    sending = (send_again_and_again(turns, f"{order.seed}-{number}") for number in range(SENDS))
    await asyncio.gather(*sending)
    death.come()


async def send_again_and_again(turns: SqlTurns, name: str) -> None:
    chat = new_chat_id()
    for number in range(1_000_000):
        text = f"{name}-{number}"
        await send(turns, chat, text, first=number == 0)


async def send(turns: SqlTurns, chat: ChatId, text: str, *, first: bool) -> None:
    key = RequestKey(HOME, "key", "send", text, text.encode())
    new_chat = NewChat(id=chat, subtenant_id=HOME) if first else None
    accepted = await turns.accept(a_new_turn(chat, text, key=key, new_chat=new_chat))
    tell("accepted", text, chat, accepted.turn.id)
    await answer(turns, accepted.turn, text)


async def answer(turns: SqlTurns, turn: TurnRecord, text: str) -> None:
    events = said_in(text)
    for begin in range(0, len(events) - 1, 3):
        piece = a_piece(turn, events[begin : begin + 3], begin + 2)
        await turns.keep([piece])
        tell("kept", text, turn.id, begin + 1 + len(piece.events))
    await turns.end(an_ending(turn, [], first=len(events) + 2, before=tuple(events)))
    tell("ended", text, turn.id)


def live(order: Order) -> None:
    asyncio.run(keep_turns(order))
    os._exit(3)


if __name__ == "__main__":
    raise_children(Order, live, partial(tell, "dead"), longest=LONGEST)
