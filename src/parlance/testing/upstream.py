"""A model's host on loopback that follows a script: every wire language over real sockets, well or badly done.

async with ScriptedUpstream(saying("Hi"), Script(cut=200, break_by="reset")) as upstream:
    ...  # point a provider at upstream.base_url; the first request is answered, the second breaks off
    assert upstream.requests[0].header("authorization") == "Bearer k"
"""

import asyncio
from collections.abc import Sequence
from typing import Self

from parlance.core.parts import Family
from parlance.testing.clock import settle
from parlance.testing.script import Script, refusing
from parlance.testing.upstream_connection import Connection, UpstreamRequest
from parlance.testing.voice import DescribingVoice, Voice, Wanted
from parlance.testing.voices.embeddings import ToldEmbeddings, encode_embeddings
from parlance.testing.voices.table import VOICES

_OPENAI_CHAT = VOICES["openai_chat"]


class ScriptedUpstream:
    """Each request for an answer takes the next script; when none is left, `default`. Its path says its language.

    `strict` refuses with 400 what a real host would refuse. With `key` set, any other key gets 401. `greeting` answers
    `GET /`, which is 404 otherwise. `window`: how many tokens its models say they take, in languages that can ask
    (None: it refuses to say). Everything that arrives is in `requests`, with the time at which its client went
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
        window: int | None = 32768,
    ) -> None:
        self.requests: list[UpstreamRequest] = []
        self.accepted = 0
        self._scripts = list(scripts)
        self._default = default or Script()
        self._models = models
        self._strict = strict
        self._key = key
        self._greeting = greeting
        self._window = window
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
        return self.base_url_of("openai_chat")

    def base_url_of(self, family: Family) -> str:
        """The base URL for a provider that speaks this language."""
        return f"http://127.0.0.1:{self.port}{VOICES[family].base_path}"

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
        voice, script = self._take(request)
        if script.raw is not None:
            connection.write_raw(script.raw)
            return
        if script.hold_head:
            await request.opened()
        await asyncio.sleep(script.head_delay)
        await connection.send(request, script, _pieces(request, script, voice), stream_type=voice.stream_type)

    def _take(self, request: UpstreamRequest) -> tuple[Voice, Script]:
        """Who answers, and by what script."""
        if request.method == "GET" and request.path == "/" and self._greeting is not None:
            return _OPENAI_CHAT, self._greeting
        embeddings = encode_embeddings(request)
        if embeddings is not None:
            return self._embed(embeddings)
        for voice in VOICES.values():
            wanted = voice.wants(request)
            if wanted is not None:
                return voice, self._script(request, voice, wanted)
        return _OPENAI_CHAT, refusing(404, f"Invalid URL ({request.method} {request.path})")

    def _script(self, request: UpstreamRequest, voice: Voice, wanted: Wanted) -> Script:
        if self._key is not None and voice.key_of(request) != self._key:
            return refusing(401, "Incorrect API key provided.")
        if wanted == "models":
            return Script(body=voice.encode_models(self._models), content_type="application/json")
        if wanted == "description":
            return self._description(request, voice)
        complaint = voice.complaint_about(request) if self._strict else None
        if complaint is not None:
            return refusing(400, complaint)
        return self._scripts.pop(0) if self._scripts else self._default

    def _embed(self, asked: ToldEmbeddings) -> tuple[Voice, Script]:
        script = self._scripts.pop(0) if self._scripts else self._default
        if script.refusal is None and script.body is None and script.raw is None:
            script = Script(body=asked.body, content_type="application/json")
        return VOICES[asked.family], script

    def _description(self, request: UpstreamRequest, voice: Voice) -> Script:
        name = str(request.json.get("model") or "")
        if self._window is None or not isinstance(voice, DescribingVoice):
            return refusing(404, f"model {name!r} not found")
        return Script(body=voice.encode_description(name, self._window), content_type="application/json")


def _pieces(request: UpstreamRequest, script: Script, voice: Voice) -> list[bytes] | bytes:
    """The body: a list is streamed piece by piece, bytes go whole."""
    if script.refusal is not None:
        return voice.encode_refusal(script.status, script.refusal)
    if script.body is not None:
        return script.body
    if script.events is not None:
        return list(script.events)
    if not voice.streams(request):
        return voice.encode_whole(script.reply, request)
    told = voice.encode_stream(script.reply, request)
    said = told.said if script.garbage is None else (*told.said, script.garbage)
    if script.stream_error is not None:
        return [*said, voice.encode_stream_error(script.stream_error)]
    return [
        *said,
        *(told.ending if script.finish else ()),
        *(told.terminator if script.finish and script.done else ()),
    ]
