"""How a client names a request, so that the same one is known again."""

from msgspec import Struct


class RequestKey(Struct, frozen=True):
    """A client's idempotency key: the same `key` of the same principal for the same operation is the same request.

    `fingerprint` is a hash of what was asked.
    """

    home: str
    key_id: str
    operation: str
    key: str
    fingerprint: bytes
