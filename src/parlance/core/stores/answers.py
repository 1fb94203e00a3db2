"""Answers that are kept for whoever sends the same request again under the same idempotency key."""

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from parlance.core.stores.turns import RequestKey


class KeptAnswer(Struct, frozen=True):
    """What a request was answered: `body` byte by byte."""

    status: int
    body: bytes


class Answers(Protocol):
    async def claim(self, key: RequestKey) -> KeptAnswer | None:
        """The answer that this request got before. None: it is the caller's to carry out, who then MUST `keep` its
        answer or `release` the key. A claim that is older than a minute counts as given up.

        `IdempotencyKeyReused` where the key stands for another request, `RequestInFlight` where somebody carries this
        one out at this moment.
        """
        ...

    async def keep(self, key: RequestKey, answer: KeptAnswer) -> None: ...

    async def release(self, key: RequestKey) -> None:
        """Nothing was done: the same request may come again."""
        ...

    async def forget(self, before: datetime) -> int:
        """Those that were claimed earlier; how many they were."""
        ...
