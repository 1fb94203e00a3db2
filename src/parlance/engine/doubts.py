"""Turns that may have been accepted: the database broke off as it kept them. It is asked for them until it has said."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from parlance.core.errors import StorageUnavailable, StoredNotFound, TurnNotFound
from parlance.core.ids import TurnId
from parlance.core.stores.turns import IN_FLIGHT, TurnRecord, Turns

log = logging.getLogger(__name__)

LOOK = 0.1
"""Seconds between looks while somebody may still wait to hear."""

LOOK_LATER = 1.0
"""Seconds between looks after that."""

SOON = 2.0

Begin = Callable[[TurnRecord], Awaitable[None]]


class Doubt:
    """`begin` is called once, when the turn is there; `settled` is done when that has returned."""

    def __init__(self, turn: TurnId, begin: Begin) -> None:
        self.turn = turn
        self.begin = begin
        self.settled = asyncio.Event()
        self.since = asyncio.get_running_loop().time()
        self.missed_since: float | None = None


class Doubts:
    """One task looks for all of them, and begins what it finds: no caller who leaves can break that off."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._doubts: dict[TurnId, Doubt] = {}
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def settle(self, doubt: Doubt, within: float) -> bool:
        """Whether the turn was found and begun by then. If not, it is looked for all the same."""
        self._doubts[doubt.turn] = doubt
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="turns that may have been accepted")
        return await _settled(doubt, within)

    async def hurry(self, turn: TurnId, within: float) -> None:
        """Look for it now, if it is in doubt: somebody knows that it is there."""
        doubt = self._doubts.get(turn)
        if doubt is not None:
            self._hurry.set()
            await _settled(doubt, within)

    async def close(self) -> None:
        """What is still in doubt is left to whoever ends the turns of this process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._doubts:
            youngest = max(doubt.since for doubt in self._doubts.values())
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK if loop.time() - youngest < SOON else LOOK_LATER):
                    await self._hurry.wait()
            self._hurry.clear()
            with suppress(StorageUnavailable):
                for doubt in list(self._doubts.values()):
                    await self._look_for(doubt)

    async def _look_for(self, doubt: Doubt) -> None:
        try:
            record = await self._turns.find(doubt.turn, None)
        except TurnNotFound:
            now = asyncio.get_running_loop().time()
            doubt.missed_since = doubt.missed_since or now
            if now - doubt.missed_since > IN_FLIGHT:
                del self._doubts[doubt.turn]
            return
        try:
            await doubt.begin(record)
        except StorageUnavailable:
            raise
        except StoredNotFound:
            log.info("The turn %s was deleted before it was found", doubt.turn)
        except Exception:
            log.exception("The turn %s was accepted, and could not be begun by a bug", doubt.turn)
        del self._doubts[doubt.turn]
        doubt.settled.set()


async def _settled(doubt: Doubt, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            await doubt.settled.wait()
    except TimeoutError:
        return False
    return True
