"""Kept answers, in memory."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec import Struct, structs

from parlance.core.ids import uuid7
from parlance.core.stores.answers import Claim, KeptAnswer
from parlance.core.stores.turns import RequestKey
from parlance.store.claims import GIVEN_UP, check_claimed, check_fingerprint

_Name = tuple[str, str, str, str]


class _Claimed(Struct, frozen=True):
    claim: Claim
    at: datetime
    answer: KeptAnswer | None = None


class InMemoryAnswers:
    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._claims: dict[_Name, _Claimed] = {}
        self._now = now

    async def claim(self, key: RequestKey) -> KeptAnswer | Claim:
        found, now = self._claims.get(_name(key)), self._now()
        if found is not None:
            check_fingerprint(key, found.claim.key.fingerprint)
            if found.answer is not None or now - found.at <= timedelta(seconds=GIVEN_UP):
                return check_claimed(key, found.answer)
        claim = Claim(key, str(uuid7()))
        self._claims[_name(key)] = _Claimed(claim, now)
        return claim

    async def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        if (mine := self._mine(claim)) is not None:
            self._claims[_name(claim.key)] = structs.replace(mine, answer=answer)

    async def release(self, claim: Claim) -> None:
        if self._mine(claim) is not None:
            del self._claims[_name(claim.key)]

    async def forget(self, before: datetime) -> int:
        kept = {name: claim for name, claim in self._claims.items() if claim.at >= before}
        gone = len(self._claims) - len(kept)
        self._claims = kept
        return gone

    def _mine(self, claim: Claim) -> _Claimed | None:
        """None where it was given up, and is somebody else's by now."""
        found = self._claims.get(_name(claim.key))
        return found if found is not None and found.claim.id == claim.id else None


def _name(key: RequestKey) -> _Name:
    return key.home, key.key_id, key.operation, key.key
