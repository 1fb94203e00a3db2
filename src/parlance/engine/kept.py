"""A turn of the stores that has ended, and does not live here any more."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from parlance.core.errors import CallNotWaiting
from parlance.core.events import TurnEnded
from parlance.core.ids import TurnId
from parlance.core.journal import Cursor, Follower, Log
from parlance.core.observers import TurnFacts
from parlance.core.stores.turns import TurnRecord
from parlance.core.tool import Answer
from parlance.engine.view import StopReason, ending_of


class KeptTurn:
    """One that has ended, as its log tells it."""

    def __init__(self, record: TurnRecord, log: Log) -> None:
        self.facts = facts_of(record)
        self.log = log

    @property
    def id(self) -> TurnId:
        return self.facts.turn

    @property
    def ended(self) -> bool:
        return True

    @property
    def ending(self) -> TurnEnded:
        return ending_of(self.log)

    @property
    def waiting(self) -> bool:
        return False

    @property
    def stopped(self) -> bool:
        return True

    @contextmanager
    def followed(self, after: int = 0) -> Iterator[Follower]:
        follower = self.log.follow(after)
        try:
            yield follower
        finally:
            follower.close()

    async def reach(self, cursor: Cursor) -> None:
        """All that was ever kept is here."""

    def stop(self, reason: StopReason) -> bool:
        return False

    async def answer(self, answers: Sequence[Answer]) -> None:
        raise CallNotWaiting(f"The turn {self.id} has ended: none of its calls is waiting. Nothing was taken.")

    async def catch_up(self) -> None:
        """There is nothing more to come."""

    async def finished(self, within: float | None = None) -> None:
        return

    def then(self, act: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(act)


def facts_of(record: TurnRecord) -> TurnFacts:
    return TurnFacts(
        turn=record.id,
        principal=record.principal,
        door=record.door,
        model=record.model,
        provider=record.provider,
        request_id=record.request_id,
        started=0.0,
        chat=record.chat,
        subtenant=record.subtenant,
    )
