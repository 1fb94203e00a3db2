"""Requests that are too long, too slow, too many or no HTTP are told so, and their connections end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from parlance.app import http_protocol
from parlance.app.http_protocol import MAX_HEAD, MAX_URL, BoundedHttpProtocol
from parlance.app.limited_config import LimitedConfig, limits_of
from parlance.doors.limits import LimitOptions, Limits
from parlance.doors.visit import writer_of

PATIENCE = 10.0
HASTY = LimitOptions(patience=0.2)
SOME = b"POST /taken HTTP/1.1\r\ncontent-length: 100000\r\n\r\n"
PIECE = b"x" * 50_000

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class House:
    """A server that answers with the number of headers. At `/taken` it takes the body first, at `/held` it takes none
    before `go`, at `/flood` it says more than any buffer holds, at `/endless` too little, at `/pieces` so many of them
    as the query says and, with a dot behind it, the end.
    """

    def __init__(self, options: LimitOptions | None = None, *, keep_alive: int = 5) -> None:
        self.limits = Limits(options)
        self._keep_alive = keep_alive
        self.go = asyncio.Event()
        self.address = ("", 0)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["House"]:
        config = LimitedConfig(
            self.answer,
            interface="asgi3",
            log_config=None,
            http=BoundedHttpProtocol,
            timeout_keep_alive=self._keep_alive,
        )
        config.limits = self.limits
        config.load()
        state = ServerState()
        server = await asyncio.get_running_loop().create_server(
            lambda: BoundedHttpProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        self.address = server.sockets[0].getsockname()
        async with server, asyncio.timeout(PATIENCE):
            yield self

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def empty(self) -> None:
        """Returns once nothing is held any more."""
        async with asyncio.timeout(PATIENCE):
            while any(self.limits.held().values()) or self.limits.doorstep.held:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0)

    async def a_while(self) -> None:
        """As long as somebody is waited for who says nothing."""
        async with self.connected() as (reader, _):
            assert (await problem(reader))["code"] == "head_timeout"

    async def answer(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/pieces":
            await tell_pieces(scope, send)
            return
        if scope["path"] == "/held":
            await self.go.wait()
        while scope["path"] in ("/taken", "/held") and (message := await receive()).get("more_body"):
            assert message["type"] == "http.request"
        body = str(len(scope["headers"])).encode()
        if scope["path"] == "/flood":
            body = bytes(32 << 20)
        if scope["path"] == "/endless":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
            await send({"type": "http.response.body", "body": b"some", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


async def tell_pieces(scope: dict[str, Any], send: Any) -> None:
    """At once where that can be done, as a door does."""
    count, dot, _ = scope["query_string"].partition(b".")
    write = writer_of(scope)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(int(count)):
        if not write(PIECE):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    if dot:
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def connected(options: LimitOptions | None = None) -> AsyncIterator[Client]:
    async with House(options).open() as house, house.connected() as client:
        yield client


async def problem(reader: asyncio.StreamReader) -> dict[str, Any]:
    """The one answer there is, behind which the connection ends."""
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    answer: dict[str, Any] = json.loads(body)
    assert f" {answer['status']} ".encode() in head
    assert answer["request_id"].encode() in head
    assert b"application/problem+json" in head
    assert b"connection: close" in head
    assert (b"retry-after" in head) is ("retry_after" in answer)
    return answer


async def served(client: Client) -> None:
    reader, writer = client
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    assert await reader.readexactly(1) == b"0"


@pytest.mark.parametrize(
    ("head", "code"),
    [(b"GET /", "url_too_long"), (b"GET / HTTP/1.1\r\nhost: x\r\nlong: ", "head_too_large")],
    ids=["line", "header"],
)
async def test_a_head_without_end_is_refused_before_it_is_kept(head: bytes, code: str) -> None:
    async with connected() as (reader, writer):
        writer.write(head + b"x" * (MAX_HEAD + 1))
        assert (await problem(reader))["code"] == code


@pytest.mark.requirement("server:hostile:head")
@pytest.mark.parametrize("first", [0, 5_000], ids=["at once", "in two pieces"])
@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nlong: " + b"x" * MAX_HEAD + b"\r\n\r\n", 431, "head_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"some: more\r\n" * 5_500 + b"\r\n", 431, "head_too_large"),
        (b"GET /" + b"x" * MAX_HEAD + b" HTTP/1.1\r\n\r\n", 414, "url_too_long"),
    ],
    ids=["one header", "many headers", "URL"],
)
async def test_a_head_too_large_is_refused_however_it_comes(head: bytes, status: int, code: str, first: int) -> None:
    async with House().open() as house, house.connected() as (reader, writer):
        await served((reader, writer))
        writer.write(head[:first])
        while house.limits.held()["bytes"] < first:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
        writer.write(head[first:])
        answer = await problem(reader)
        assert (answer["status"], answer["code"]) == (status, code)
        assert house.limits.refusals.counted == {code: 1}


@pytest.mark.requirement("server:hostile:head")
async def test_who_sends_a_head_too_large_to_its_end_is_told_why_it_was_not_taken() -> None:
    async with House().open() as house:
        async with house.connected() as (reader, writer):
            writer.write(b"GET /" + b"x" * 4_000_000)
            await writer.drain()
            assert (await problem(reader))["code"] == "url_too_long"
        await house.empty()


@pytest.mark.requirement("server:hostile:head")
async def test_who_goes_on_behind_a_head_too_large_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "LINGER", 0.02)
    async with House().open() as house, house.connected() as (_, writer):
        writer.write(b"GET /" + b"x" * 70_000)
        await house.empty()


@pytest.mark.requirement("server:hostile:head")
async def test_a_head_and_a_url_may_be_just_as_large_as_they_may_be() -> None:
    url = b"/?".ljust(MAX_URL, b"x")
    head = b"GET %b HTTP/1.1\r\nlong: " % url
    async with connected() as (reader, writer):
        writer.write(head.ljust(MAX_HEAD - 4, b"x") + b"\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(1) == b"1"
        writer.write(b"GET %bx HTTP/1.1\r\n\r\n" % url)
        assert (await problem(reader))["code"] == "url_too_long"


async def test_many_headers_within_the_bound_are_taken_and_the_connection_serves_again() -> None:
    async with connected() as (reader, writer):
        for count in (200, 3):
            writer.write(b"GET / HTTP/1.1\r\n" + b"name: value\r\n" * count + b"\r\n")
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(str(count))) == str(count).encode()


async def test_what_is_no_http_is_told_so() -> None:
    async with connected() as (reader, writer):
        writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert (await problem(reader))["code"] == "bad_http"


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nhost: "], ids=["nothing", "half a head"])
async def test_a_head_that_does_not_come_is_waited_for_only_so_long(begun: bytes) -> None:
    async with connected(HASTY) as (reader, writer):
        writer.write(begun)
        assert (await problem(reader))["code"] == "head_timeout"


async def test_the_second_head_of_a_connection_is_waited_for_only_so_long() -> None:
    async with connected(HASTY) as (reader, writer):
        await served((reader, writer))
        writer.write(b"GET /")
        assert (await problem(reader))["code"] == "head_timeout"


async def test_empty_lines_behind_an_answer_keep_no_connection() -> None:
    async with House(keep_alive=1).open() as house:
        async with house.connected() as (reader, writer):
            await served((reader, writer))
            writer.write(b"\r\n")
            assert await reader.read() == b""
        await house.empty()


async def test_a_head_that_is_not_read_on_is_not_late() -> None:
    async with House(HASTY).open() as house, house.connected() as (reader, writer):
        writer.write(b"GET /held HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /")
        await house.a_while()
        house.go.set()
        for _ in range(2):
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(1) == b"0"


async def test_a_body_that_does_not_come_is_waited_for_only_so_long() -> None:
    async with House(HASTY).open() as house:
        async with house.connected() as (reader, writer):
            writer.write(SOME + b"x")
            assert (await problem(reader))["code"] == "body_timeout"
        await house.empty()
        assert house.limits.refusals.counted["body_timeout"] == 1


async def test_a_body_that_comes_fast_enough_may_take_longer_than_that() -> None:
    async with House(HASTY).open() as house, house.connected() as (reader, writer):
        writer.write(SOME)
        writer.write(bytes(40_000))
        await house.a_while()
        writer.write(bytes(60_000))
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")


async def test_a_body_that_nobody_takes_is_not_late() -> None:
    async with House(HASTY).open() as house, house.connected() as (reader, writer):
        writer.write(SOME.replace(b"/taken", b"/held"))
        writer.write(bytes(90_000))
        await house.a_while()
        house.go.set()
        writer.write(bytes(10_000))
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")


async def test_a_body_that_goes_on_behind_its_answer_keeps_no_connection() -> None:
    async with House(HASTY).open() as house:
        async with house.connected() as (reader, writer):
            writer.write(SOME.replace(b"/taken", b"/") + b"x")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        await house.empty()


async def test_an_answer_under_way_is_not_mixed_with_a_refusal() -> None:
    async with House(HASTY).open() as house, house.connected() as (reader, writer):
        writer.write(b"GET /endless HTTP/1.1\r\n\r\nGET /")
        assert (await reader.read()).endswith(b"\r\n\r\nsome")


async def test_a_connection_too_many_is_told_so_and_the_next_one_is_served() -> None:
    async with House(LimitOptions(connections=1)).open() as house:
        async with house.connected() as first:
            await served(first)
            async with house.connected() as (reader, writer):
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
                answer = await problem(reader)
            assert (answer["status"], answer["code"], answer["retry_after"]) == (503, "overloaded", 1)
            await served(first)
        await house.empty()
        async with house.connected() as next_one:
            await served(next_one)
        assert house.limits.refusals.counted == {"connections": 1}


async def test_one_too_many_that_says_nothing_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "DOORSTEP_SECONDS", 0.02)
    async with House(LimitOptions(connections=1)).open() as house, house.connected() as first:
        await served(first)
        async with house.connected() as (reader, _):
            assert (await problem(reader))["code"] == "overloaded"


async def test_where_too_many_wait_to_be_told_the_next_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parlance.doors.limits.DOORSTEP", 0)
    async with House(LimitOptions(connections=1)).open() as house, house.connected() as first:
        await served(first)
        async with house.connected() as (reader, _):
            assert (await problem(reader))["code"] == "overloaded"


async def test_heads_that_are_not_whole_count_as_bytes_on_their_way() -> None:
    async with House(LimitOptions(bytes=50_000)).open() as house:
        async with house.connected() as (reader, writer), house.connected() as (_, other):
            other.write(b"GET / HTTP/1.1\r\nlong: " + bytes(b"x" * 40_000))
            while house.limits.held()["bytes"] < 40_000:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0)
            writer.write(b"GET / HTTP/1.1\r\nlong: " + bytes(b"x" * 40_000))
            assert (await problem(reader))["code"] == "overloaded"
        await house.empty()


async def test_a_client_that_takes_nothing_for_long_loses_its_connection() -> None:
    async with House(LimitOptions(stall=0.02)).open() as house, house.connected() as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a socket's
        writer.write(b"GET /flood HTTP/1.1\r\n\r\n")
        await house.empty()


async def test_a_connection_that_is_closed_behind_what_nobody_takes_is_dropped() -> None:
    async with House(LimitOptions(stall=0.02)).open() as house, house.connected() as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a socket's
        writer.write(b"GET /flood HTTP/1.1\r\nconnection: close\r\n\r\n")
        await house.empty()


@pytest.mark.requirement("server:http_1_0")
@pytest.mark.parametrize("end", ["", "."], ids=["broken off", "whole"])
@pytest.mark.parametrize("count", [1, 2, 400])
async def test_a_client_of_http_1_0_is_sent_no_chunks(count: int, end: str) -> None:
    async with connected() as (reader, writer):
        writer.write(b"GET /pieces?%d%b HTTP/1.0\r\nconnection: keep-alive\r\n\r\n" % (count, end.encode()))
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert body == PIECE * count
        assert b"\r\nconnection: close" in head
        assert b"transfer-encoding" not in head


@pytest.mark.requirement("server:http_1_0")
async def test_what_has_a_length_or_no_body_stays_as_it_is_at_http_1_0() -> None:
    async with House().open() as house:
        for request, body in ((b"GET /", b"0"), (b"HEAD /", b""), (b"HEAD /pieces?2.", b"")):
            async with house.connected() as (reader, writer):
                writer.write(request + b" HTTP/1.0\r\n\r\n")
                head, _, rest = (await reader.read()).partition(b"\r\n\r\n")
                assert rest == body
                assert (b"\r\ncontent-length: 1" in head) is (b"pieces" not in request)
                assert b"transfer-encoding" not in head


async def test_an_answer_without_a_length_comes_in_chunks_and_the_connection_serves_again() -> None:
    async with connected() as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /pieces?2. HTTP/1.1\r\n\r\n")
            assert b"transfer-encoding: chunked" in await reader.readuntil(b"\r\n\r\n")
            chunk = b"%x\r\n%b\r\n" % (len(PIECE), PIECE)
            assert await reader.readexactly(2 * len(chunk) + 5) == 2 * chunk + b"0\r\n\r\n"


def test_another_servers_configuration_has_no_limits() -> None:
    with pytest.raises(TypeError, match="LimitedConfig"):
        limits_of(uvicorn.Config(lambda: None, log_config=None))
