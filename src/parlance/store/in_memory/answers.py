"""Kept answers on a shelf."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from msgspec import structs

from parlance.core.ids import uuid7
from parlance.core.stores.answers import Claim, KeptAnswer, Once
from parlance.core.stores.request_keys import RequestKey
from parlance.store.claims import GIVEN_UP, check_fingerprint, in_flight
from parlance.store.in_memory.shelf import HeldKey, KeyName, Shelf

T = TypeVar("T")


class InMemoryAnswers:
    def __init__(self, shelf: Shelf, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._shelf = shelf
        self._now = now

    async def find(self, key: RequestKey) -> KeptAnswer | None:
        found = self._shelf.answers.get(_name(key))
        if found is None:
            return None
        check_fingerprint(key, found.claim.key.fingerprint)
        return found.answer

    async def claim(self, key: RequestKey) -> KeptAnswer | Claim:
        found, now = self._shelf.answers.get(_name(key)), self._now()
        if found is not None:
            check_fingerprint(key, found.claim.key.fingerprint)
            if found.answer is not None:
                return found.answer
            if now - found.at <= timedelta(seconds=GIVEN_UP):
                raise in_flight(key)
        claim = Claim(key, str(uuid7()))
        self._shelf.answers[_name(key)] = HeldKey(claim, now)
        return claim

    async def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        if answer.subtenant is not None and answer.subtenant not in self._shelf.subtenants:
            await self.release(claim)
        elif (mine := self._mine(claim)) is not None:
            self._shelf.answers[_name(claim.key)] = structs.replace(mine, answer=answer)

    async def release(self, claim: Claim) -> None:
        if self._mine(claim) is not None:
            del self._shelf.answers[_name(claim.key)]

    async def forget(self, before: datetime) -> int:
        kept = {name: held for name, held in self._shelf.answers.items() if held.at >= before}
        gone = len(self._shelf.answers) - len(kept)
        self._shelf.answers = kept
        return gone

    def _mine(self, claim: Claim) -> HeldKey | None:
        """None where it was given up, and is somebody else's by now."""
        found = self._shelf.answers.get(_name(claim.key))
        return found if found is not None and found.claim.id == claim.id else None


def begin_once(shelf: Shelf, once: Once[T] | None) -> None:
    """First of all that is done without a pause: `RequestInFlight` where its key is taken."""
    if once is not None and _name(once.key) in shelf.answers:
        raise in_flight(once.key)


def end_once(shelf: Shelf, once: Once[T] | None, outcome: T, subtenant: str | None) -> None:
    """Last of it."""
    if once is None:
        return
    answer = structs.replace(once.answer(outcome), subtenant=subtenant)
    shelf.answers[_name(once.key)] = HeldKey(Claim(once.key, str(uuid7())), datetime.now(UTC), answer)


def _name(key: RequestKey) -> KeyName:
    return key.home, key.key_id, key.operation, key.key
