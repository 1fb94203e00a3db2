"""An error as a value."""

from msgspec import Struct


class Fault(Struct, frozen=True, omit_defaults=True):
    """What events, stores and wires carry. `retry_after` is in seconds."""

    code: str
    message: str
    retryable: bool = False
    retry_after: float | None = None


class Field(Struct, frozen=True):
    """A place in a request that is at fault: `path` as in `$.payload.text`."""

    path: str
    message: str
