"""Kept answers, in memory."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct, structs

from parlance.core.errors import IdempotencyKeyReused, RequestInFlight
from parlance.core.stores.answers import KeptAnswer
from parlance.core.stores.turns import RequestKey

GIVEN_UP = timedelta(minutes=1)

_Name = tuple[str, str, str, str]


class _Claim(Struct, frozen=True):
    fingerprint: bytes
    claimed_at: datetime
    answer: KeptAnswer | None = None


class InMemoryAnswers:
    def __init__(self) -> None:
        self._claims: dict[_Name, _Claim] = {}

    async def claim(self, key: RequestKey) -> KeptAnswer | None:
        name, now = _name(key), datetime.now(UTC)
        found = self._claims.get(name)
        if found is not None and found.fingerprint != key.fingerprint:
            raise IdempotencyKeyReused(
                f"The idempotency key {key.key[:80]!r} was used for another request. Use a new one for each."
            )
        if found is not None and found.answer is not None:
            return found.answer
        if found is not None and now - found.claimed_at < GIVEN_UP:
            raise RequestInFlight(
                f"The request with the idempotency key {key.key[:80]!r} is being carried out. Ask again in a moment.",
                retry_after=1,
            )
        self._claims[name] = _Claim(key.fingerprint, now)
        return None

    async def keep(self, key: RequestKey, answer: KeptAnswer) -> None:
        name = _name(key)
        self._claims[name] = structs.replace(self._claims[name], answer=answer)

    async def release(self, key: RequestKey) -> None:
        self._claims.pop(_name(key), None)

    async def forget(self, before: datetime) -> int:
        kept = {name: claim for name, claim in self._claims.items() if claim.claimed_at >= before}
        gone = len(self._claims) - len(kept)
        self._claims = kept
        return gone


def _name(key: RequestKey) -> _Name:
    return key.home, key.key_id, key.operation, key.key
