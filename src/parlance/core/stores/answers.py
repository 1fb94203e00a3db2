"""Answers that are kept for whoever sends the same request again under the same idempotency key."""

from collections.abc import Callable
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from parlance.core.stores.request_keys import RequestKey

T_contra = TypeVar("T_contra", contravariant=True)


class KeptAnswer(Struct, frozen=True):
    """What a request was answered: `body` byte by byte. `subtenant`: the one that it tells of, and goes with."""

    status: int
    body: bytes
    subtenant: str | None = None


class Once(Struct, Generic[T_contra], frozen=True):
    """That a store does something for one request alone. In the transaction in which it is done, it takes the key and
    keeps what `answer` makes of the outcome, with the subtenant: either all of it is there afterwards, or nothing.

    Where the key is taken by then, nothing is done, and `RequestInFlight` raised, or that it is not there of what was
    to be deleted: `Answers.find` has the answer.
    """

    key: RequestKey
    answer: Callable[[T_contra], KeptAnswer]


class Claim(Struct, frozen=True):
    """The leave to carry a request out, as nobody else does at this moment. `id` tells it from later ones."""

    key: RequestKey
    id: str


class Answers(Protocol):
    """For what no store does in one transaction there are claims. A subtenant's answers and claims go with it."""

    async def find(self, key: RequestKey) -> KeptAnswer | None:
        """The answer that this request got before. `IdempotencyKeyReused` where the key stands for another one."""
        ...

    async def claim(self, key: RequestKey) -> KeptAnswer | Claim:
        """The answer that this request got before. Or it is the caller's to carry out, who then MUST `keep` its answer
        or `release` the claim. A claim that is older than a minute counts as given up.

        `IdempotencyKeyReused` where the key stands for another request, `RequestInFlight` where somebody carries this
        one out at this moment, `StorageUnavailable`.
        """
        ...

    async def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        """What was done is done: where the database is away by now, this returns, and it is kept once that is back. An
        answer that tells of a subtenant that is gone is not kept.
        """
        ...

    async def release(self, claim: Claim) -> None:
        """Nothing was done: the same request may come again. Like `keep` when the database is away."""
        ...

    async def forget(self, before: datetime) -> int:
        """Those that were claimed earlier; how many they were."""
        ...
