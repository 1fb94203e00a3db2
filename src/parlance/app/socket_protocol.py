"""WebSockets within bounds: what of unfinished messages is held, and how long a client may take nothing."""

import asyncio
from struct import Struct
from typing import cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame
from websockets.http11 import Request

from parlance.app.early_answer import LINGER, denial_of, encode_answer
from parlance.app.limited_config import limits_of
from parlance.app.stall import Stall
from parlance.core.errors import LimitReached
from parlance.doors.limits import Held, Limits
from parlance.doors.visit import INTAKE, SAY, SayAtOnce

PROTOCOL_ERROR, TRY_AGAIN_LATER = 1002, 1013

FRAGMENT = 64
"""Bytes that a piece of a message takes beside what is in it: there may be any number of them, even empty ones."""


SHORT, MEDIUM = 126, 65_536
"""Bytes of a message from which on its length takes 2 and 8 bytes more."""

_HEADS = [bytes((0x81, size)) for size in range(SHORT)]
_pack_medium, _pack_long = Struct("!BBH").pack, Struct("!BBQ").pack


def frame_text(payload: bytes) -> bytes:
    """A server's frame with a whole text message (RFC 6455, 5.2), for an eighth of what the library takes."""
    size = len(payload)
    if size < SHORT:
        return _HEADS[size] + payload
    if size < MEDIUM:
        return _pack_medium(0x81, 126, size) + payload
    return _pack_long(0x81, 127, size) + payload


class BoundedSocketProtocol(WebSocketsSansIOProtocol):
    """Messages that are whole wait for nobody: reading stops until the door has taken them."""

    _limits: Limits
    _stall: Stall
    _intake: Held
    _place: Held
    _pieces = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._limits = limits_of(self.config)
        self._stall = Stall(self.transport, self._limits.options.stall)
        self.close_timeout = min(self.close_timeout, self._limits.options.patience)
        self._intake = self._limits.bytes.hold(amount=0)
        self._place = self._limits.connections.hold()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # It and what it reads for hold each other, and what stands in a circle waits for the collector, for long.
        self.conn.parser.close()
        self._intake.release()
        self._stall.end()
        self._place.release()
        scope = cast(dict[str, object] | None, getattr(self, "scope", None))
        if scope is not None:
            scope.pop(SAY, None)

    def handle_connect(self, event: Request) -> None:
        try:
            self.conn.process_request(event)
        except (InvalidHandshake, UnicodeError) as cause:
            self._deny(cause)
            return
        super().handle_connect(event)
        if not self.transport.is_closing():
            scope = cast(dict[str, object], self.scope)
            scope[INTAKE], scope[SAY] = self._intake, SayAtOnce(self._may_say, self._say)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated and not self.transport.is_closing():
            # The library has refused the head, and the server does not look for that: nobody would be told.
            self._deny(self.conn.handshake_exc)
        if self.transport.is_closing() or self.close_sent:
            self._intake.release()
            return
        begun = len(self.frames[0]) if self.frames else 0
        try:
            self._intake.resize(len(self.conn.reader.buffer) + begun + self._pieces)
        except LimitReached as error:
            self._refuse(error)

    def _deny(self, cause: Exception | None) -> None:
        """The library would do so in plain text, or without a word."""
        error, hints = denial_of(cause)
        self._limits.refusals.count(error.code)
        self.conn.fail(PROTOCOL_ERROR)
        # It leads back to where it was raised, and that to it.
        self.conn.handshake_exc = None
        self.handshake_complete = self.close_sent = True
        self.transport.write(encode_answer(error, hints))
        self._close()

    def handle_parser_exception(self) -> None:
        """A message that is too large, or no message at all; called again for whatever comes behind it."""
        close = self.conn.close_sent
        if close is None:
            self.transport.close()
        elif not self.close_sent:
            self._leave_slowly(close.code, close.reason)

    def _refuse(self, error: LimitReached) -> None:
        self._limits.refusals.count(error.limit)
        self._intake.release()
        self.conn.fail(TRY_AGAIN_LATER, error.code)
        self._leave_slowly(TRY_AGAIN_LATER, error.code)

    def _leave_slowly(self, code: int, reason: str) -> None:
        """What still comes is passed over for a while: a client that is cut off while it sends never sees why."""
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(LINGER, self._close)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})

    def handle_cont(self, event: Frame) -> None:
        self._pieces += len(event.data) + FRAGMENT
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        self._pieces = 0
        super().send_receive_event_to_app()

    def _may_say(self) -> bool:
        open_now = self.handshake_complete and not (self.close_sent or self.disconnected)
        return open_now and self.writable.is_set() and not self.transport.is_closing()

    def _say(self, text: str) -> None:
        # As the library would frame it; nothing of the library's own waits to be sent, and no extension is on.
        self.transport.write(frame_text(text.encode()))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.end()
        self._drop_if_closing()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._drop_if_closing()

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        self._drop_if_closing()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._drop_if_closing()
        if self.close_timer is not None and not self.transport.is_closing():
            # Nobody looks any more when it is over, but for this.
            due = self.close_timer.when()
            self.close_timer.cancel()
            self.close_timer = self.loop.call_at(due, self._close)

    def _close(self) -> None:
        self.transport.close()
        self._drop_if_closing()

    def _drop_if_closing(self) -> None:
        if self.transport.is_closing():
            self._stall.closing()
