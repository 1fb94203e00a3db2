"""What every door needs, once: who asks, whom it may ask, and how a turn is followed while its client may leave."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from msgspec import Struct, field
from starlette.types import Receive, Scope, Send

from parlance.core.errors import CursorExpired
from parlance.core.journal import Cursor
from parlance.core.principal import Gate, Principal
from parlance.core.provider import Models
from parlance.core.stores.chats import Chats
from parlance.doors.http import read_json_body
from parlance.doors.limits import Limits
from parlance.doors.visit import nothing_at_once, visit_of
from parlance.engine.engine import Engine
from parlance.engine.view import TurnView

HEARTBEAT = 15.0
"""Seconds without a word after which an HTTP answer says nothing, so that proxies don't take it for dead."""


class DoorOptions(Struct, frozen=True):
    """`body` bounds an HTTP body, in bytes. `keeps_history`: a socket without a chat is a conversation by itself.
    `stores_all`: what belongs to no chat is made a new one.
    """

    body: int = 4_194_304
    keeps_history: bool = True
    history_tokens: int = 100_000
    sign_in: float = 10.0
    stores_all: bool = False


class Serving(Struct, frozen=True):
    """What the composition root gives to the doors."""

    engine: Engine
    models: Models
    gate: Gate
    options: DoorOptions
    limits: Limits = field(default_factory=Limits)
    chats: Chats | None = None

    async def read_json(self, scope: Scope, receive: Receive, principal: Principal) -> bytes:
        """A request's body, which is JSON. `UnsupportedMediaType`, `BodyTooLarge`, `Overloaded`, `TooManyAtOnce`."""
        with self.limits.bytes.hold(principal, 0) as held:
            return await read_json_body(visit_of(scope), receive, self.options.body, held)

    def principal(self, scope: Scope) -> Principal:
        """Who asks. `KeyMissing`, `KeyInvalid`."""
        return self.gate.authenticate(visit_of(scope).caller)


def place_of(turn: TurnView, after: str | None) -> int:
    """The number of the event that a cursor stands for; 0 for none. `CursorExpired`, also for the beginning of a turn
    that is not kept from there on.
    """
    return turn.log.check(Cursor.decode(after) if after else Cursor(turn.log.epoch, 0))


async def reached(turn: TurnView, after: str | None) -> None:
    """Returns when what a cursor stands for is known here, if it may ever be."""
    with suppress(CursorExpired):
        if after:
            await turn.reach(Cursor.decode(after))


def newest(turn: TurnView) -> str:
    """The cursor of the turn's newest event."""
    return Cursor(turn.log.epoch, turn.log.head).encode()


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
    """Says an HTTP answer's pieces, and looks after it every `HEARTBEAT` seconds; the pieces themselves cost nothing.

    When nothing was said since the last look it says `beat`.
    """

    def __init__(self, send: Send, beat: bytes, write: Callable[[bytes], bool] = nothing_at_once) -> None:
        self._send = send
        self._write = write
        self._beat = beat
        self._said = 0
        self._said_before = 0
        self._saying = False
        self._beating: asyncio.Task[None] | None = None
        self._timer = self._arm()

    async def say(self, body: bytes) -> None:
        self._saying = True
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        self._saying = False
        self._said += 1

    def say_now(self, body: bytes) -> bool:
        """The same without waiting; False when that can't be done just now."""
        if self._saying or not self._write(body):
            return False
        self._said += 1
        return True

    def stop(self) -> None:
        self._timer.cancel()
        if self._beating is not None:
            self._beating.cancel()

    def _arm(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(HEARTBEAT, self._look)

    def _look(self) -> None:
        if not self._saying and self._said == self._said_before:
            self._beating = asyncio.create_task(self.say(self._beat))
        self._said_before = self._said
        self._timer = self._arm()
