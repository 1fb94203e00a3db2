"""What other processes say to the turns that run here: to stop, or what their callers answer."""

import asyncio
import logging
from collections.abc import Callable

from parlance.core.errors import CallNotWaiting, StorageUnavailable
from parlance.core.ids import OwnerId, TurnId
from parlance.core.stores.bells import Bells, Unsubscribe
from parlance.core.stores.turns import Word
from parlance.engine.turn_state import Turn

log = logging.getLogger(__name__)

MOST_EARLY = 1_000
"""Words that are kept for turns which do not run here yet. The oldest are forgotten first."""

Here = Callable[[TurnId], Turn | None]


class Words:
    """Each word is obeyed once, also where it comes before its turn runs: whoever begins one calls `obey_early`."""

    def __init__(self, bells: Bells, owner: OwnerId) -> None:
        self._bells = bells
        self._owner = owner
        self._obeying: asyncio.Task[None] | None = None
        self._again = False
        self._early: list[Word] = []
        self._unattend: Unsubscribe | None = None

    def attend(self, here: Here) -> None:
        """From now on do what is asked of the turns that run here."""

        def rung() -> None:
            if self._obeying is None or self._obeying.done():
                self._obeying = asyncio.create_task(self._obey(here), name="words for this process")
            else:
                self._again = True

        self._unattend = self._bells.attend(self._owner, rung)

    async def obey_early(self, turn: Turn) -> None:
        """What was said to a turn before it ran here. It must be known as running by now."""
        if not self._early:
            return
        early = [word for word in self._early if word.turn == turn.id]
        self._early = [word for word in self._early if word.turn != turn.id]
        for word in early:
            await _obey_word(turn, word)

    async def close(self) -> None:
        if self._unattend is not None:
            self._unattend()
        if self._obeying is not None:
            await asyncio.wait((self._obeying,))

    async def _obey(self, here: Here) -> None:
        self._again = True
        while self._again:
            self._again = False
            try:
                words = await self._bells.words_for(self._owner)
            except StorageUnavailable:
                return
            for word in words:
                turn = here(word.turn)
                if turn is not None:
                    await _obey_word(turn, word)
                else:
                    # It is being accepted or taken over at this moment: what is said to it must not be lost.
                    self._early = [*self._early[1 - MOST_EARLY :], word]


async def _obey_word(turn: Turn, word: Word) -> None:
    if word.stop is not None:
        turn.stop(word.stop)
        return
    try:
        turn.pending.answer(word.answers)
    except CallNotWaiting as error:
        log.info("Answers from another process came too late: %s", error.message)
