"""Answers that are kept for whoever sends the same request again under the same idempotency key."""

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from parlance.core.stores.turns import RequestKey


class KeptAnswer(Struct, frozen=True):
    """What a request was answered: `body` byte by byte."""

    status: int
    body: bytes


class Claim(Struct, frozen=True):
    """The leave to carry a request out, as nobody else does at this moment. `id` tells it from later ones."""

    key: RequestKey
    id: str


class Answers(Protocol):
    async def claim(self, key: RequestKey) -> KeptAnswer | Claim:
        """The answer that this request got before. Or it is the caller's to carry out, who then MUST `keep` its answer
        or `release` the claim. A claim that is older than a minute counts as given up.

        `IdempotencyKeyReused` where the key stands for another request, `RequestInFlight` where somebody carries this
        one out at this moment, `StorageUnavailable`.
        """
        ...

    async def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        """What was done is done: where the database is away by now, this returns, and it is kept once that is back."""
        ...

    async def release(self, claim: Claim) -> None:
        """Nothing was done: the same request may come again. Like `keep` when the database is away."""
        ...

    async def forget(self, before: datetime) -> int:
        """Those that were claimed earlier; how many they were."""
        ...
