"""The scripted host at speed: the words of `parlance.testing`, prepared once, behind a server that does nothing else.

A request's text says what to answer: `@short`, `@burst`, `@flood:N`, a burst of N chunks, or `@paced:N`, a chunk every
`INTERVAL`, N times.
`python -m bench.upstream` prints its port, and ends when its standard input does.
"""

import asyncio
import re
import sys
import time
from collections.abc import Sequence
from typing import cast

import uvloop

from bench.jobs import CHUNKS, INTERVAL, STAMP_DIGITS, WORDS
from parlance.testing.reply import Reply
from parlance.testing.voices.openai_chat import encode_models, encode_stream

EVENTS_A_WRITE = 5
"""Events of a burst that leave together. One each would make this process, and not the target, what is measured."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ACT = re.compile(rb"@(short|burst|flood|paced):?(\d*)")
_BACKLOG = 4096
_ZEROS = b"0" * STAMP_DIGITS


def _framed(event: bytes) -> bytes:
    """One event, a chunk of HTTP by itself."""
    return b"%x\r\n%b\r\n" % (len(event), event)


def _answer(count: int) -> list[bytes]:
    """A streamed answer, event by event: the first bears HTTP's head, the last its end."""
    text = tuple(f"~token{number:03d}" for number in range(count))
    return _with_head(encode_stream(Reply(text=text, usage=(5, count)), with_usage=True))


def _with_head(events: list[bytes]) -> list[bytes]:
    first, *rest = map(_framed, events)
    return [_HEAD + first, *rest, _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"]


def _writes(events: list[bytes]) -> list[bytes]:
    return [b"".join(events[at : at + EVENTS_A_WRITE]) for at in range(0, len(events), EVENTS_A_WRITE)]


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_SHORT = b"".join(_answer(WORDS))
_BURST_WRITES = _writes(_answer(CHUNKS))
_PACED_BEGIN, _PACED_CHUNK, *_rest = _with_head(
    encode_stream(Reply(text=(f"~{_ZEROS.decode()}",)), with_usage=True),
)
_PACED_END = b"".join(_rest)
_CHUNK_BEFORE, _CHUNK_BEHIND = _PACED_CHUNK.split(_ZEROS)
_MODELS = encode_models(("scripted-model",))
_LISTED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(_MODELS), _MODELS)


class Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self._due = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._held += data
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._held, 0, end)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._held) >= whole:
            request, self._held = self._held[:whole], self._held[whole:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        asked = _ACT.search(request)
        match asked and asked[1]:
            case None:
                self._transport.write(_LISTED)
            case b"short":
                self._transport.write(_SHORT)
            case b"burst":
                self._burst(0, _BURST_WRITES)
            case b"flood":
                self._burst(0, _writes(_answer(int(asked[2]) if asked else 0)))
            case _:
                self._transport.write(_PACED_BEGIN)
                self._due = self._loop.time()
                self._pace(int(asked[2]) if asked else 0)

    def _burst(self, at: int, writes: Sequence[bytes]) -> None:
        self._transport.write(writes[at])
        if at + 1 < len(writes) and not self._transport.is_closing():
            self._loop.call_soon(self._burst, at + 1, writes)

    def _pace(self, left: int) -> None:
        if self._transport.is_closing():
            return
        if not left:
            self._transport.write(_PACED_END)
            return
        self._transport.write(b"%b%019d%b" % (_CHUNK_BEFORE, time.monotonic_ns(), _CHUNK_BEHIND))
        self._due += INTERVAL
        self._loop.call_at(self._due, self._pace, left - 1)


class _UntilEnd(asyncio.Protocol):
    """Standard input, of which only the end matters."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def connection_lost(self, error: Exception | None) -> None:
        self._ended.set()


async def serve() -> None:
    """Until whoever started this lets go of it."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=_BACKLOG)
    await loop.connect_read_pipe(lambda: _UntilEnd(ended), sys.stdin)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(serve())
