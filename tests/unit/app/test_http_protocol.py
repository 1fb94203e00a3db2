"""The head of a request: what is too long, too slow or no HTTP is told so, and its connection ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from parlance.app import http_protocol
from parlance.app.http_protocol import MAX_HEAD, BoundedHttpProtocol

PATIENCE = 10.0


async def answer_hello(scope: dict[str, Any], receive: object, send: Any) -> None:
    body = str(len(scope["headers"])).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(answer_hello, log_config=None, http=BoundedHttpProtocol, ws="websockets-sansio")
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttpProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server, asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()


async def problem(reader: asyncio.StreamReader) -> dict[str, Any]:
    """The one answer there is, behind which the connection ends."""
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    answer: dict[str, Any] = json.loads(body)
    assert f" {answer['status']} ".encode() in head
    assert answer["request_id"].encode() in head
    assert b"application/problem+json" in head
    return answer


@pytest.mark.parametrize("head", [b"GET /", b"GET / HTTP/1.1\r\nhost: x\r\nlong: "], ids=["line", "header"])
async def test_a_head_without_end_is_refused_before_it_is_kept(head: bytes) -> None:
    async with connected() as (reader, writer):
        writer.write(head + b"x" * (MAX_HEAD + 1))
        assert (await problem(reader))["code"] == "head_too_large"


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
async def test_a_head_that_does_not_come_is_waited_for_only_so_long(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.02)
    async with connected() as (reader, writer):
        writer.write(begun)
        assert (await problem(reader))["code"] == "head_timeout"
