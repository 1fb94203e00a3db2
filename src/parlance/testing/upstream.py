"""A model's host on loopback that follows a script: OpenAI's chat completions over real sockets, well or badly done.

async with ScriptedUpstream(saying("Hi"), Script(cut=200, break_by="reset")) as upstream:
    ...  # point a provider at upstream.base_url; the first request is answered, the second breaks off
    assert upstream.requests[0].header("authorization") == "Bearer k"
"""

import asyncio
from collections.abc import Sequence
from typing import Self

from parlance.testing.clock import settle
from parlance.testing.reply import encode_error, encode_models, encode_stream, encode_whole
from parlance.testing.script import Script
from parlance.testing.strict import complaint_about
from parlance.testing.upstream_connection import Connection, UpstreamRequest


class ScriptedUpstream:
    """Each chat request takes the next script; when none is left, `default`.

    `strict` refuses with 400 what OpenAI would refuse. With `key` set, any other key gets 401. `greeting` answers
    `GET /`, which is 404 otherwise. Everything that arrives is in `requests`, with the time at which its client went
    away.
    """

    def __init__(
        self,
        *scripts: Script,
        default: Script | None = None,
        models: Sequence[str] = ("scripted-model",),
        strict: bool = True,
        key: str | None = None,
        greeting: Script | None = None,
    ) -> None:
        self.requests: list[UpstreamRequest] = []
        self.accepted = 0
        self._scripts = list(scripts)
        self._default = default or Script()
        self._models = models
        self._strict = strict
        self._key = key
        self._greeting = greeting
        self._connections: set[Connection] = set()
        self._arrived = asyncio.Condition()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        await settle()  # what was accepted just now is not yet among the connections
        for connection in tuple(self._connections):
            await connection.close()
        if self._server is not None:
            await self._server.wait_closed()

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("The upstream is not open: use it in `async with`.")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def plan(self, *scripts: Script) -> None:
        """Add scripts behind those that are left."""
        self._scripts += scripts

    async def arrival(self, number: int = 1) -> UpstreamRequest:
        """The request of that number, counted from 1, once it has arrived whole."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    def _connection(self) -> Connection:
        self.accepted += 1
        return Connection(self._answer, self._connections)

    async def _answer(self, request: UpstreamRequest, connection: Connection) -> None:
        self.requests.append(request)
        async with self._arrived:
            self._arrived.notify_all()
        script = self._script(request)
        if script.raw is not None:
            connection.write_raw(script.raw)
            return
        if script.hold_head:
            await request.opened()
        await asyncio.sleep(script.head_delay)
        await connection.send(request, script, _pieces(request, script))

    def _script(self, request: UpstreamRequest) -> Script:
        if self._key is not None and request.header("authorization") != f"Bearer {self._key}":
            return _refusal(401, "Incorrect API key provided.", code="invalid_api_key")
        match request.method, request.path.partition("?")[0]:
            case "GET", "/v1/models":
                return Script(body=encode_models(self._models), content_type="application/json")
            case "POST", "/v1/chat/completions":
                complaint = complaint_about(request.body) if self._strict else None
                if complaint is not None:
                    return _refusal(400, complaint)
                return self._scripts.pop(0) if self._scripts else self._default
            case "GET", "/" if self._greeting is not None:
                return self._greeting
            case method, path:
                return _refusal(404, f"Invalid URL ({method} {path})")


def _refusal(status: int, message: str, *, code: str | None = None) -> Script:
    return Script(status=status, body=encode_error(message, code=code), content_type="application/json")


def _pieces(request: UpstreamRequest, script: Script) -> list[bytes] | bytes:
    """The body: a list is streamed piece by piece, bytes go whole."""
    if script.body is not None:
        return script.body
    if script.events is not None:
        return list(script.events)
    if not request.streams:
        return encode_whole(script.reply)
    events = encode_stream(script.reply, with_usage=request.wants_usage)
    if not script.finish:
        return events[: -1 - (request.wants_usage and script.reply.usage is not None)]
    return [*events, b"data: [DONE]\n\n"] if script.done else events
