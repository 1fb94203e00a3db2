"""What an idempotency key that is held already means for whoever sends a request under it."""

from parlance.core.errors import IdempotencyKeyReused, RequestInFlight
from parlance.core.stores.request_keys import RequestKey

GIVEN_UP = 60.0
"""Seconds after which whoever carries a request out is taken for dead."""


def in_flight(key: RequestKey) -> RequestInFlight:
    return RequestInFlight(
        f"The request with the idempotency key {key.key[:80]!r} is being carried out. Ask again in a moment.",
        retry_after=1,
    )


def check_fingerprint(key: RequestKey, fingerprint: bytes) -> None:
    """`IdempotencyKeyReused` where it stands for something else."""
    if fingerprint != key.fingerprint:
        raise IdempotencyKeyReused(
            f"The idempotency key {key.key[:80]!r} was used for another request. Use a new one for each."
        )
