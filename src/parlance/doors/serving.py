"""What every door needs, once: who asks, whom it may ask, and how a turn is followed while its client may leave."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from msgspec import Struct
from starlette.types import Receive, Scope, Send

from parlance.core.journal import Cursor
from parlance.core.principal import Gate, Principal
from parlance.core.provider import Models
from parlance.doors.visit import visit_of
from parlance.engine.engine import Engine
from parlance.engine.turn_state import Turn

HEARTBEAT = 15.0
"""Seconds without a word after which an HTTP answer says nothing, so that proxies don't take it for dead."""


class DoorOptions(Struct, frozen=True):
    """`body` bounds an HTTP body, in bytes. `keeps_history`: a socket without a chat is a conversation by itself."""

    body: int = 4_194_304
    keeps_history: bool = True
    history_tokens: int = 100_000
    sign_in: float = 10.0


class Serving(Struct, frozen=True):
    """What the composition root gives to the doors."""

    engine: Engine
    models: Models
    gate: Gate
    options: DoorOptions

    def principal(self, scope: Scope) -> Principal:
        """Who asks. `KeyMissing`, `KeyInvalid`."""
        return self.gate.authenticate(visit_of(scope).caller)


def place_of(turn: Turn, after: str | None) -> int:
    """The number of the event that a cursor stands for; 0 for none. `CursorExpired`."""
    return turn.log.check(Cursor.decode(after)) if after else 0


@asynccontextmanager
async def watched(receive: Receive, leave: Callable[[], None]) -> AsyncIterator[None]:
    """Calls `leave` when the HTTP client goes away. One task for the whole answer, none for its pieces."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        leave()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait((watching,))


class Heartbeat:
    """Sends `beat` when nothing else was sent for `HEARTBEAT` seconds. Costs a timer, looked at that seldom."""

    def __init__(self, send: Send, beat: bytes) -> None:
        self._send = send
        self._beat = beat
        self._quiet = True
        self._timer = self._arm()
        self._sending: asyncio.Task[None] | None = None

    def spoke(self) -> None:
        self._quiet = False

    def stop(self) -> None:
        self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()

    def _arm(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(HEARTBEAT, self._look)

    def _look(self) -> None:
        if self._quiet and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._say())
        self._quiet = True
        self._timer = self._arm()

    async def _say(self) -> None:
        await self._send({"type": "http.response.body", "body": self._beat, "more_body": True})
