"""A client of the JSON-RPC door, on the `websockets` library: calls, and what the server tells meanwhile."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.acceptance.server_process import ServerProcess

DEADLINE = 15.0
LAST = ("end", "error")

Frame = dict[str, Any]


class RpcSession:
    """`response` takes responses, `notice` what the server tells by itself; each keeps what is not its own."""

    def __init__(self, connection: ClientConnection, session_id: str) -> None:
        self.connection = connection
        self.session_id = session_id
        self._kept: list[Any] = []
        self._ids = itertools.count(1)

    async def send(self, frame: str | bytes | Mapping[str, object] | Sequence[object]) -> None:
        await self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def call(self, method: str, **params: object) -> Frame:
        """The response to one call, which is checked for what every response has."""
        id = next(self._ids)
        await self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        response: Frame = await self.response()
        assert response["id"] == id, response
        return response

    async def done(self, method: str, **params: object) -> Frame:
        """The result of a call that must work."""
        response = await self.call(method, **params)
        assert "result" in response, response
        result: Frame = response["result"]
        return result

    async def refusal(self, method: str, **params: object) -> Frame:
        """The error of a call that must not."""
        response = await self.call(method, **params)
        assert "error" in response, response
        error: Frame = response["error"]
        return error

    async def generate(self, message: str | None = None, **params: object) -> str:
        """Ask; the task's id."""
        given = params if message is None else {"message": message, **params}
        result = await self.done("generate", **given)
        assert result["status"] == "processing"
        task_id: str = result["task_id"]
        return task_id

    async def give(self, task_id: str, *results: Mapping[str, object]) -> Frame:
        return await self.done("tool_result", task_id=task_id, results=list(results))

    async def response(self) -> Any:
        """The next response, or the next batch of them."""
        return await self._take(notices=False)

    async def notice(self) -> Frame:
        frame: Frame = await self._take(notices=True)
        return frame

    async def notices_until(self, *wanted: str) -> list[Frame]:
        """Notifications, up to the first of a wanted method."""
        notices = [await self.notice()]
        while notices[-1]["method"] not in wanted:
            assert notices[-1]["method"] not in LAST, notices[-1]
            notices.append(await self.notice())
        return notices

    async def answer(self) -> list[Frame]:
        """Notifications up to the turn's last."""
        return await self.notices_until(*LAST)

    async def ask(self, message: str | None = None, **params: object) -> list[Frame]:
        await self.generate(message, **params)
        return await self.answer()

    async def closed(self) -> int:
        """The code with which the server closes the connection, what it still says left aside."""
        async with asyncio.timeout(DEADLINE):
            await self.connection.wait_closed()
        assert self.connection.close_code is not None
        return self.connection.close_code

    async def _take(self, *, notices: bool) -> Any:
        for place, frame in enumerate(self._kept):
            if _is_notice(frame) == notices:
                return self._kept.pop(place)
        while _is_notice(frame := await self._receive()) != notices:
            self._kept.append(frame)
        return frame

    async def _receive(self) -> Any:
        async with asyncio.timeout(DEADLINE):
            text = await self.connection.recv()
        assert isinstance(text, str)
        return json.loads(text)


def _is_notice(frame: Any) -> bool:
    return isinstance(frame, dict) and "method" in frame


async def create_session(
    server: ServerProcess, *, headers: Mapping[str, str] | None = None, body: Mapping[str, object] | None = None
) -> str:
    async with httpx.AsyncClient(base_url=server.address, trust_env=False, verify=False, timeout=DEADLINE) as client:
        answer = await client.post("/create_session", headers=headers, json=body)
    assert answer.status_code == 200, answer.text
    session_id: str = answer.json()["session_id"]
    return session_id


@asynccontextmanager
async def join(
    server: ServerProcess,
    session_id: str,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] | None = None,
) -> AsyncIterator[RpcSession]:
    """A connection to a session that is there."""
    address = f"ws://127.0.0.1:{server.port}/ws/{session_id}"
    offered = [Subprotocol(name) for name in subprotocols] if subprotocols else None
    async with connect(
        address, additional_headers=dict(headers or {}), subprotocols=offered, proxy=None, max_size=None
    ) as connection:
        yield RpcSession(connection, session_id)


@asynccontextmanager
async def open_session(server: ServerProcess, **body: object) -> AsyncIterator[RpcSession]:
    """A new session, and a connection to it."""
    async with join(server, await create_session(server, body=body or None)) as session:
        yield session


def text_of(notices: Sequence[Frame]) -> str:
    return "".join(notice["params"]["chunk"] for notice in notices if notice["method"] == "text_chunk")


def methods(notices: Sequence[Frame]) -> list[str]:
    """The methods in order, those of neighbours said once."""
    return [method for method, _ in itertools.groupby(notice["method"] for notice in notices)]


def calls_of(notices: Sequence[Frame]) -> list[Frame]:
    return [notice["params"] for notice in notices if notice["method"] == "function_call_request"]


def is_lost(notice: Frame, session_id: str) -> bool:
    """Whether it says that there is no such session."""
    error = notice["params"].pop("error")
    return bool(
        notice == {"jsonrpc": "2.0", "method": "error", "params": {"session_id": session_id, "task_id": None}}
        and (error["code"], error["data"]["code"]) == (-32000, "session_not_found")
    )
