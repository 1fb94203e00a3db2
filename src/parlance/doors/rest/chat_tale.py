"""A chat as it goes on: the events of its turns, one turn behind the other, for as long as somebody follows."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

from msgspec import Struct

from parlance.core.errors import CursorExpired
from parlance.core.ids import ChatId
from parlance.core.journal import Cursor
from parlance.core.principal import Principal
from parlance.core.stores import Page
from parlance.core.stores.turns import TurnRecord
from parlance.dialects.rest.serve import Told, TurnEvents
from parlance.doors.rest.stores import Stores
from parlance.doors.serving import place_of, reached
from parlance.engine.engine import Engine
from parlance.engine.view import TurnView

LOOK = 5.0
"""Seconds between looks when no bell rings: none does where a chat is deleted."""


class Place(Struct, frozen=True):
    """Behind so many turns of a chat; `turn` is the one to go on in, behind event `number`."""

    position: int
    turn: TurnView | None = None
    number: int = 0


class LostPlace(Exception):
    """A cursor that can't be served, and the turn whose snapshot stands for what is lost."""

    def __init__(self, turn: TurnView, error: CursorExpired) -> None:
        super().__init__(error.message)
        self.turn = turn
        self.error = error


class ChatTale:
    def __init__(self, stores: Stores, engine: Engine, chat: ChatId, principal: Principal) -> None:
        self._turns = stores.turns
        self._engine = engine
        self._bells = stores.bells
        self._chat = chat
        self._principal = principal

    async def place(self, after: str | None) -> Place:
        """Where to begin: behind a cursor; without one with what is being answered now, and what comes then.

        `ChatNotFound`, `CursorExpired`, `LostPlace`.
        """
        if after is None:
            return await self._present()
        try:
            epoch = Cursor.decode(after).epoch
        except CursorExpired as malformed:
            error = malformed
        else:
            record = await self._turns.bearing(self._chat, epoch, self._principal.reach)
            if record is not None:
                return await self._within(record, after)
            error = CursorExpired(
                f"The cursor {after[:80]!r} is none of this chat's. Read its messages, and go on from here."
            )
        newest = await self._turns.newest(self._chat, self._principal.reach)
        if newest is None:
            raise error
        raise LostPlace(await self._engine.find(newest.id, self._principal), error)

    async def tell(self, place: Place, *, reasoning: bool, warnings: bool) -> AsyncGenerator[Sequence[Told], None]:
        """Without end; `ChatNotFound` when the chat is deleted, `SlowFollower`."""
        position, turn, number = place.position, place.turn, place.number
        heard = asyncio.Event()
        unsubscribe = self._bells.subscribe(self._chat, heard.set)
        try:
            while True:
                if turn is not None:
                    events = TurnEvents(turn.id, turn.log.epoch, self._chat, reasoning=reasoning, warnings=warnings)
                    with turn.followed(number) as follower:
                        async for batch in follower:
                            events.renumber(turn.log.epoch)
                            told = [events.tell(at, event) for at, event in enumerate(batch.events, batch.first)]
                            yield [one for one in told if one is not None]
                    position, number = position + 1, 0
                heard.clear()
                turn = await self._next(position)
                if turn is None:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(heard.wait(), LOOK)
        finally:
            unsubscribe()

    async def _next(self, position: int) -> TurnView | None:
        found = await self._turns.list(self._chat, Page(position, 1), self._principal.reach)
        return await self._engine.find(found[0].id, self._principal) if found else None

    async def _present(self) -> Place:
        open_turns = await self._turns.list(self._chat, Page(0, 1), self._principal.reach, open_only=True)
        if open_turns:
            return Place(open_turns[0].position - 1)
        newest = await self._turns.newest(self._chat, self._principal.reach)
        return Place(newest.position if newest is not None else 0)

    async def _within(self, record: TurnRecord, after: str) -> Place:
        turn = await self._engine.find(record.id, self._principal)
        await reached(turn, after)
        try:
            number = place_of(turn, after)
        except CursorExpired as error:
            raise LostPlace(turn, error) from None
        if turn.ended and number == turn.log.head:
            return Place(record.position)
        return Place(record.position - 1, turn, number)
