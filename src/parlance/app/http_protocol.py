"""The head of an HTTP request within bounds: how long it may be, and how long it may take. The server knows neither."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parlance.core.errors import BadHttp, HeadTimeout, HeadTooLarge, ParlanceError
from parlance.core.ids import uuid7
from parlance.doors.http import encode_problem
from parlance.doors.visit import ABORT

MAX_HEAD = 65_536
"""Bytes of the request's line and headers. Checked after each read, so one read more may come in."""

HEAD_SECONDS = 10.0

_REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses before anything is allocated for good, and before any key was looked at."""

    _in_head = True
    _head_size = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # the parent narrows it too
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required] # a key of ours, for doors
        if not self._in_head:
            self._begin_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if self._in_head and self._head_size > MAX_HEAD:
            self._refuse(HeadTooLarge(f"The request's line and headers are over {MAX_HEAD} bytes. Send less."))

    def send_400_response(self, msg: str) -> None:
        self._refuse(BadHttp("This is no HTTP request that could be read."))

    def _begin_head(self) -> None:
        self._in_head, self._head_size = True, 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._be_late)

    def _end_head(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _be_late(self) -> None:
        self._refuse(HeadTimeout(f"The request's headers did not come within {HEAD_SECONDS:g} s."))

    def _refuse(self, error: ParlanceError) -> None:
        self._end_head()
        if self.transport.is_closing():
            return
        request_id = str(uuid7())
        body = encode_problem(error, request_id)
        head = (
            f"HTTP/1.1 {error.status} {_REASONS[error.status]}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
