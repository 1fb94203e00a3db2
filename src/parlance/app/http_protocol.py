"""HTTP within bounds: how many connections, how long a head may be, how long a request may take. The server knows none
of them.
"""

import asyncio
import sys
from itertools import chain
from typing import Literal, cast

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from parlance.app.early_answer import LINGER, encode_answer
from parlance.app.limited_config import limits_of
from parlance.app.stall import Stall
from parlance.app.unchunked import without_chunks
from parlance.core.errors import (
    BadHttp,
    BodyTimeout,
    HeadTimeout,
    HeadTooLarge,
    LimitReached,
    Overloaded,
    ParlanceError,
    UrlTooLong,
)
from parlance.doors.limits import Held, Limits
from parlance.doors.visit import SERVED, WRITE

MAX_HEAD = 65_536
"""Bytes of the request's line and headers. While they are not whole this is checked after each read, so one read more
may come in.
"""

MAX_URL = 8_192
"""Bytes of the URL, as it stands in the request's line."""

BODY_RATE = 1_024
"""Bytes a second that a body has to come at, over all its time but the first `limits.patience` seconds."""

AROUND = 8
"""Bytes for each byte of a body, beyond the size of a head, that may come around it: the sizes of its chunks, what
extends them, and trailers. Five are what the smallest chunks take.
"""

DOORSTEP_SECONDS = 1.0
"""How long a connection that is one too many may take for its first bytes. It is told why behind them: a client that
is closed before it has said anything takes that for a fault of the network.
"""

Phase = Literal["head", "body", "idle"]


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses before anything is allocated for good, and before any key was looked at."""

    _limits: Limits
    _stall: Stall
    _place: Held | None = None
    _turned_away: LimitReached | None = None
    _phase: Phase = "head"
    _came = 0
    _begun_with = 0
    _behind_head = 0
    _lingers = False
    _body_since = 0.0
    _head_bytes: Held | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # the parent narrows it too
        super().connection_made(transport)
        self._limits = limits_of(self.config)
        self._stall = Stall(transport, self._limits.options.stall)
        try:
            self._place = self._limits.connections.hold()
        except Overloaded as error:
            self._turn_away(error)
        else:
            self._timer = self.loop.call_later(self._limits.options.patience, self._be_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)
        self._let_go()

    def data_received(self, data: bytes) -> None:
        if self._lingers:
            return
        if self._turned_away is not None:
            self._refuse(self._turned_away)
            return
        if self._phase == "idle" and not data.strip(b"\r\n"):
            # No request begins with empty lines, but the server would take the connection for one in use from here on.
            return
        if self._phase == "head":
            self._came += len(data)
        elif self._phase == "idle":
            self._begun_with = len(data)
        elif self._phase == "body":
            self._behind_head += len(data)
        super().data_received(data)
        if self._phase == "body":
            self._hold_around()
        if self._phase != "idle" and not self.transport.is_closing():
            self._await_more()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope = cast(dict[str, object], self.scope)
        scope[SERVED], scope[WRITE] = self._served, self._write_now
        if self._phase != "head":
            self._enter("head")
            # What stands behind another request in one read is not counted as long as it is not whole.
            self._came, self._begun_with = self._begun_with, 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_URL:
            raise UrlTooLong(f"The request's URL is over {MAX_URL} bytes. Ask with a shorter one.")

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(map(len, chain.from_iterable(self.headers))) + len(": \r\n") * len(self.headers)
        if size > MAX_HEAD:
            raise _too_large()
        self._behind_head = max(0, self._came - size)
        self._enter("body")
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        chunks = cycle.scope["http_version"] == "1.1"
        super()._start_asgi_task(cycle, app if chunks else without_chunks(app, cycle))

    def on_body(self, body: bytes) -> None:
        self._came += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._enter("idle")
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._drop_if_closing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._drop_if_closing()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.end()
        self._drop_if_closing()

    def handle_websocket_upgrade(self) -> None:
        self._leave()
        super().handle_websocket_upgrade()
        self._let_go()

    def send_400_response(self, msg: str) -> None:
        # What one of the methods above raised stands behind what the parser says of it.
        raised = getattr(sys.exception(), "__context__", None)
        bad = BadHttp("This is no HTTP request that could be read.")
        self._refuse(raised if isinstance(raised, ParlanceError) else bad)

    def _turn_away(self, error: LimitReached) -> None:
        try:
            self._place = self._limits.doorstep.hold()
        except Overloaded:
            self._refuse(error)
            return
        self._turned_away = error
        self._timer = self.loop.call_later(DOORSTEP_SECONDS, self._refuse, error)

    def _leave(self) -> None:
        self._enter("idle")
        self._stall.end()
        if self._place is not None:
            self._place.release()

    def _let_go(self) -> None:
        """Of what leads back here: a protocol that only the collector can free stays for long."""
        scope = cast(dict[str, object] | None, self.scope)
        if scope is not None:
            scope.pop(SERVED, None)
            scope.pop(WRITE, None)
        self.parser = None  # type: ignore[assignment] # as the parent does when the connection is lost

    def _enter(self, phase: Phase) -> None:
        """Requests that come whole pass through all phases within one read, and cost no timer."""
        self._phase, self._came = phase, 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._head_bytes is not None:
            self._head_bytes.release()

    def _await_more(self) -> None:
        """A head or a body has begun, and is not there yet."""
        if self._phase == "head":
            self._hold_head()
        if self._timer is None and not self.transport.is_closing():
            self._body_since = self.loop.time()
            self._timer = self.loop.call_later(self._limits.options.patience, self._be_late)

    def _hold_around(self) -> None:
        if self._behind_head - self._came > MAX_HEAD + AROUND * self._came:
            self._refuse(HeadTooLarge(f"More than {MAX_HEAD} bytes came around the body, and not in it. Send less."))

    def _hold_head(self) -> None:
        if self._came > MAX_HEAD:
            self._refuse(_too_large())
            return
        try:
            self._head_bytes = self._head_bytes or self._limits.bytes.hold(amount=0)
            self._head_bytes.resize(self._came)
        except Overloaded as error:
            self._refuse(error)

    def _be_late(self) -> None:
        self._timer = None
        patience = self._limits.options.patience
        wait = self._left_to_wait()
        if wait > 0:
            self._timer = self.loop.call_later(wait, self._be_late)
        elif self._phase == "head":
            self._refuse(HeadTimeout(f"The request's headers did not come within {patience:g} s."))
        else:
            self._refuse(
                BodyTimeout(
                    f"The request's body came too slowly: {self._came} bytes. After {patience:g} s it has to come at "
                    f"{BODY_RATE} bytes a second or more."
                )
            )

    def _left_to_wait(self) -> float:
        if self.flow.read_paused:
            # While nobody takes what comes, it is not its sender who is slow.
            return self._limits.options.patience
        if self._phase == "head":
            return 0.0
        return self._body_since + self._limits.options.patience + self._came / BODY_RATE - self.loop.time()

    def _refuse(self, error: ParlanceError) -> None:
        self._enter("idle")
        if self.transport.is_closing():
            return
        self._limits.refusals.count(error.limit if isinstance(error, LimitReached) else error.code)
        # There is none before the first request.
        cycle = cast(RequestResponseCycle | None, self.cycle)
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(encode_answer(error))
            if isinstance(error, UrlTooLong | HeadTooLarge):
                self._leave_slowly(cycle)
                return
        # Else the answer that is under way must not have another in its middle: it is broken off.
        self._close()

    def _leave_slowly(self, cycle: RequestResponseCycle | None) -> None:
        """What still comes is passed over for a while: a client that is cut off while it sends never sees why."""
        self._lingers = True
        if cycle is not None:
            # Whoever was to answer has nobody to answer any more.
            cycle.disconnected = True
            cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER, self._close)

    def _close(self) -> None:
        self.transport.close()
        self._drop_if_closing()

    def _write_now(self, body: bytes) -> bool:
        """A chunk of the answer that is under way, if nothing has to wait for it."""
        cycle = self.cycle
        if self.flow.write_paused or cycle.disconnected or not cycle.chunked_encoding or cycle.response_complete:
            return False
        self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    def _served(self) -> None:
        """The server closes the connection behind an answer that is not whole, in the next breath."""
        if not self.cycle.response_complete:
            self.loop.call_soon(self._drop_if_closing)

    def _drop_if_closing(self) -> None:
        if self.transport.is_closing():
            self._stall.closing()


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(f"The request's line and headers are over {MAX_HEAD} bytes. Send less.")
