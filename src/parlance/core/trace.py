"""Which request and which turn the running code works for. Doors and the engine say it; logs add it to every line."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from parlance.core.ids import TurnId

request_id: ContextVar[str | None] = ContextVar("parlance_request_id", default=None)
turn_id: ContextVar[TurnId | None] = ContextVar("parlance_turn_id", default=None)


@contextmanager
def tracing(*, request: str | None = None, turn: TurnId | None = None) -> Iterator[None]:
    """Name the request or the turn for what runs inside, tasks that are started there included.

    What is None stays as it was. Never around the `yield` of an async generator: that may be closed from another
    task, whose context knows nothing of this one.
    """
    before = request_id.get(), turn_id.get()
    request_id.set(request or before[0])
    turn_id.set(turn or before[1])
    try:
        yield
    finally:
        request_id.set(before[0])
        turn_id.set(before[1])
