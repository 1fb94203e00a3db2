"""The application in this process: doors over an engine with scripted surroundings, spoken to in ASGI's messages."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.routing import BaseRoute, Router

from parlance.access.authenticate import AccessGate
from parlance.access.options import AccessOptions
from parlance.core.json import JsonObject
from parlance.core.provider import Provider
from parlance.core.tool import Tool
from parlance.doors import json_rpc, ndjson_chat, status, ws_chat
from parlance.doors.entrance import Entrance, nowhere
from parlance.doors.json_rpc.sessions import SessionLimits
from parlance.doors.limits import LimitOptions, Limits
from parlance.doors.serving import DoorOptions, Serving
from parlance.engine.ask import EngineOptions
from parlance.engine.chat_turns import ChatStores
from parlance.engine.engine import Engine
from parlance.engine.turn_state import EngineParts
from parlance.journal.memory import MemoryJournal
from parlance.telemetry.observers import ObserverList
from parlance.testing.models import FixedModels, FixedToolbox, FunctionTool
from parlance.testing.provider import ScriptedProvider

PATIENCE = 10.0

Message = dict[str, Any]


async def nothing() -> None:
    pass


class Digger:
    """A tool of the server, `dig`, that runs until it is stopped."""

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.stopped = asyncio.Event()
        self.tool = FunctionTool("dig", self._dig)

    async def _dig(self, arguments: JsonObject) -> str:
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()
        return "found"


class House:
    """Doors, engine and gate, wired as the server wires them; with `chats`, one that keeps chats. `routes` come before
    the doors'.
    """

    def __init__(
        self,
        provider: Provider | None = None,
        *tools: Tool,
        engine: EngineOptions | None = None,
        doors: DoorOptions | None = None,
        access: AccessOptions | None = None,
        sessions: SessionLimits | None = None,
        limits: LimitOptions | None = None,
        routes: tuple[BaseRoute, ...] = (),
        chats: ChatStores | None = None,
    ) -> None:
        models = FixedModels({"scripted": provider or ScriptedProvider()})
        parts = EngineParts(observer=ObserverList([]), preparers=(), options=engine or EngineOptions())
        self.engine = Engine(models, FixedToolbox(*tools), MemoryJournal(), parts, chats)
        gate = AccessGate(access or AccessOptions())
        self.limits = Limits(limits)
        kept = chats.chats if chats is not None else None
        serving = Serving(self.engine, models, gate, doors or DoorOptions(), self.limits, kept)
        about = status.About("Parlance", "0", "running", {})
        own = [
            *status.routes(serving, about),
            *ws_chat.routes(serving),
            *ndjson_chat.routes(serving),
            *json_rpc.routes(serving, sessions),
        ]
        router = Router([*routes, *own], redirect_slashes=False, default=nowhere)
        self.app = Entrance(router, gate, self.limits.refusals, start=nothing, stop=nothing)


class Connection:
    """One ASGI connection: `put` is what the client does, `take` what the server does."""

    def __init__(self, house: House, scope: Message) -> None:
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self.taking = asyncio.Event()
        self.taking.set()
        self.task = asyncio.create_task(self._run(house, scope))

    def put(self, kind: str, **fields: object) -> None:
        self._to_app.put_nowait({"type": kind, **fields})

    async def take(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            return await self._from_app.get()

    async def ended(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.task

    async def _run(self, house: House, scope: Message) -> None:
        await house.app(scope, self._to_app.get, self._send)

    async def _send(self, message: Mapping[str, Any]) -> None:
        self._from_app.put_nowait(dict(message))
        await self.taking.wait()


def scope_of(kind: str, path: str, headers: Mapping[str, str] | None = None, **fields: object) -> Message:
    given = {"host": "127.0.0.1", **(headers or {})}
    return {
        "type": kind,
        "path": path,
        "query_string": b"",
        "client": ("127.0.0.1", 50_000),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        **fields,
    }


class Socket(Connection):
    """A client of door A."""

    def __init__(self, house: House, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(house, scope_of("websocket", "/ws/chat", headers, subprotocols=[]))
        self.put("websocket.connect")

    async def accepted(self) -> None:
        assert (await self.take())["type"] == "websocket.accept"

    def say(self, **frame: object) -> None:
        self.put("websocket.receive", text=json.dumps(frame))

    async def frame(self) -> Message:
        message = await self.take()
        assert message["type"] == "websocket.send", message
        frame: Message = json.loads(message["text"])
        return frame

    async def until(self, *wanted: str) -> Message:
        """The first frame whose status, or whose chunk's type, is wanted."""
        while (frame := await self.frame())["status"] not in wanted:
            if frame.get("chunk", {}).get("type") in wanted:
                break
        return frame

    async def leave(self) -> None:
        self.put("websocket.disconnect", code=1005)
        await self.ended()


class Exchange(Connection):
    """A request over HTTP. Its body is sent whole, unless `body` is None."""

    def __init__(
        self,
        house: House,
        method: str,
        path: str,
        body: bytes | None = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        given = {"content-type": "application/json", **(headers or {})}
        super().__init__(house, scope_of("http", path, given, method=method))
        if body is not None:
            self.put("http.request", body=body)

    async def head(self) -> tuple[int, dict[str, str]]:
        message = await self.take()
        assert message["type"] == "http.response.start", message
        return message["status"], {name.decode(): value.decode() for name, value in message["headers"]}

    async def lines(self) -> list[Message]:
        """The lines of the next piece of the body."""
        return [json.loads(line) for line in (await self.take())["body"].splitlines()]

    async def problem(self) -> Message:
        """Status, headers and body of an answer that is one."""
        status_code, headers = await self.head()
        body: Message = json.loads((await self.take())["body"])
        await self.ended()
        return {"status_code": status_code, "headers": headers, **body}


def post(house: House, message: str = "Hello") -> Exchange:
    return Exchange(house, "POST", "/chat", json.dumps({"message": message}).encode())
