"""Clients of doors A, C and D, all told the same turn. Each says in the same words how it was told to end."""

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol

import httpx
from msgspec import Struct
from websockets.asyncio.client import connect

from tests.acceptance.chat_lines import DEADLINE, Answer
from tests.acceptance.chat_socket import LAST, ChatSocket, text_of
from tests.acceptance.rpc_session import RpcSession
from tests.acceptance.rpc_session import text_of as rpc_text_of
from tests.fault.plans import CALLERS_TOOL, Door

PICK = {"name": CALLERS_TOOL, "description": "Picks one.", "parameters": {"type": "object"}}
TOO_LATE = ("call_not_waiting", "nothing_to_cancel", "turn_not_found")

Frame = dict[str, Any]


class Told(Struct, frozen=True):
    """How a turn ended, as one door told it. `finish` None: this door has no word for it, or there was none.

    `text`: all that was shown; `final`: what of it stands, where the door says so. `restarts`: how often it began anew.
    """

    status: str
    finish: str | None
    code: str | None
    text: str
    cursor: str
    usage: str
    calls: tuple[str, ...]
    restarts: int
    final: str | None = None


class Ear(Protocol):
    """`begin` asks, `join` follows a turn that another began; then `hear` once, to its end.

    `hear` answers the calls for the caller's tool if it is asked to. `leave` drops the connection; the next use makes
    another one.
    """

    async def begin(self, text: str) -> str: ...

    async def join(self, turn_id: str) -> None: ...

    async def hear(self, *, answering: bool) -> Told: ...

    async def cancel(self, turn_id: str) -> None: ...

    async def leave(self) -> None: ...


class SocketEar:
    """Door A. One connection for all turns; whatever comes that is not of the turn that is heard is looked at."""

    def __init__(self, port: int) -> None:
        self._address = f"ws://127.0.0.1:{port}/ws/chat"
        self._socket: ChatSocket | None = None
        self._request_id = ""
        self._turn_id = ""
        self._frames: list[Frame] = []
        self._joined = 0

    async def begin(self, text: str) -> str:
        socket = await self._opened()
        self._request_id = await socket.chat(text, tools=[PICK])
        self._frames = [await socket.frame_of(self._request_id)]
        assert self._frames[0]["status"] == "processing", self._frames
        self._turn_id = self._frames[0]["turn_id"]
        return self._turn_id

    async def join(self, turn_id: str) -> None:
        socket = await self._opened()
        self._joined += 1
        self._request_id, self._turn_id, self._frames = f"again-{self._joined}", turn_id, []
        await socket.resume(turn_id=turn_id, request_id=self._request_id)

    async def hear(self, *, answering: bool) -> Told:
        socket = await self._opened()
        while not self._frames or self._frames[-1]["status"] not in LAST:
            frame = await socket.frame_of(self._request_id)
            self._frames.append(frame)
            if answering and (call := _asked(frame)) is not None:
                await socket.give({"tool_call_id": call, "output": "green"}, turn_id=self._turn_id)
        assert all(frame["code"] in TOO_LATE for frame in socket._kept), socket._kept
        socket._kept.clear()
        last, metadata = self._frames[-1], self._frames[-1]["metadata"]
        assert [frame["status"] for frame in self._frames].count("processing") == 1
        assert (last["status"] == "error") == (metadata["status"] in ("failed", "incomplete")), last
        called = [frame for frame in self._frames if frame.get("chunk", {}).get("type") == "tool_call"]
        return Told(
            metadata["status"],
            metadata.get("finish_reason"),
            last.get("code") or metadata.get("reason"),
            text_of(self._frames),
            last["cursor"],
            _plain(metadata.get("usage")),
            tuple(json.loads(frame["chunk"]["data"])["id"] for frame in called),
            sum(frame.get("chunk", {}).get("type") == "restart" for frame in self._frames),
        )

    async def cancel(self, turn_id: str) -> None:
        await (await self._opened()).send({"action": "cancel", "turn_id": turn_id})

    async def leave(self) -> None:
        if self._socket is not None:
            await self._socket.connection.close()
        self._socket = None

    async def _opened(self) -> ChatSocket:
        if self._socket is None:
            self._socket = ChatSocket(await connect(self._address, proxy=None, max_size=None, max_queue=None))
        return self._socket


class LinesEar:
    """Door C. One client; each answer is a response of its own."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._client: httpx.AsyncClient | None = None
        self._reading = AsyncExitStack()
        self._answer: Answer
        self._turn_id = ""

    async def begin(self, text: str) -> str:
        await self._read("POST", "/chat", {"message": text, "tools": [PICK]})
        meta = await self._answer.line()
        assert meta is not None
        self._turn_id = self._answer.turn_id
        return self._turn_id

    async def join(self, turn_id: str) -> None:
        self._turn_id = turn_id
        await self._read("GET", f"/chat/{turn_id}")

    async def hear(self, *, answering: bool) -> Told:
        answer = self._answer
        while (line := await answer.line()) is not None:
            call = line.get("tool_call", {})
            if answering and call.get("runner") == "client":
                results = {"results": [{"tool_call_id": call["id"], "output": "green"}]}
                await self._act("tool_results", self._turn_id, results)
        await self._reading.aclose()
        last, before = answer.lines[-1], answer.lines[-2]
        assert [line for line in answer.lines if "done" in line] == [last], answer.lines
        status = last.get("status", "completed")
        assert answer.whole == (status in ("completed", "cancelled")) == ("error" not in before), answer.lines
        return Told(
            status,
            last.get("finish_reason"),
            before.get("error", {}).get("code") or last.get("reason"),
            answer.text,
            last["cursor"],
            _plain(last.get("usage")),
            tuple(line["tool_call"]["id"] for line in answer.lines if "tool_call" in line),
            sum("restart" in line for line in answer.lines),
        )

    async def cancel(self, turn_id: str) -> None:
        await self._act("cancel", turn_id, {})

    async def leave(self) -> None:
        await self._reading.aclose()
        if self._client is not None:
            await self._client.aclose()
        self._client = None

    async def _read(self, method: str, path: str, body: Mapping[str, object] | None = None) -> None:
        await self._reading.aclose()
        response = await self._reading.enter_async_context(self._opened().stream(method, path, json=body))
        assert response.status_code == 200, await response.aread()
        self._answer = Answer(response)

    async def _act(self, act: str, turn_id: str, body: Mapping[str, object]) -> None:
        response = await self._opened().post(f"/chat/{turn_id}/{act}", json=body)
        assert response.status_code == 200 or response.json()["code"] in TOO_LATE, response.text

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(base_url=self._address, timeout=DEADLINE, trust_env=False, verify=False)
        return self._client


class SessionEar:
    """Door D. One session for all turns, as long as nobody leaves: who comes back is a new one."""

    def __init__(self, port: int) -> None:
        self._address = f"127.0.0.1:{port}"
        self._session: RpcSession | None = None
        self._turn_id = ""
        self._owed = 0

    async def begin(self, text: str) -> str:
        history = [{"role": "user", "content": text}]
        session = await self._settled()
        self._turn_id = await session.generate(None, history=history, tools=[PICK])
        return self._turn_id

    async def join(self, turn_id: str) -> None:
        self._turn_id = turn_id
        session = await self._settled()
        assert (await session.done("resume", task_id=turn_id))["status"] == "resumed"

    async def hear(self, *, answering: bool) -> Told:
        session = await self._opened()
        notices: list[Frame] = []
        while not notices or notices[-1]["method"] not in ("end", "error"):
            notices.append(await session.notice())
            params = notices[-1]["params"]
            assert params["task_id"] == self._turn_id, notices
            if answering and notices[-1]["method"] == "function_call_request":
                await self._call("tool_result", results=[{"tool_call_id": params["request_id"], "result": "green"}])
        told = notices[-1]["params"]
        assert ("final_text" in told) == (notices[-1]["method"] == "end"), notices
        assert "error" in told or told["status_message"] != "incomplete", notices
        return Told(
            *_read_end(told.get("status_message", "failed")),
            told.get("error", {}).get("data", {}).get("code"),
            rpc_text_of(notices),
            told["cursor"],
            _plain(told.get("usage")),
            tuple(one["params"]["request_id"] for one in notices if one["method"] == "function_call_request"),
            sum(one["method"] == "restart" for one in notices),
            told.get("final_text"),
        )

    async def cancel(self, turn_id: str) -> None:
        await self._call("cancel")

    async def leave(self) -> None:
        if self._session is not None:
            await self._session.connection.close()
        self._session = None
        self._owed = 0

    async def _call(self, method: str, **params: object) -> None:
        """Says it; its response is looked at before the next turn."""
        self._owed += 1
        call = {"jsonrpc": "2.0", "id": method, "method": method, "params": {"task_id": self._turn_id, **params}}
        await (await self._opened()).send(call)

    async def _settled(self) -> RpcSession:
        """With every response taken, and nothing left that was told behind an ending."""
        session = await self._opened()
        for _ in range(self._owed):
            response = await session.response()
            assert "result" in response or response["error"]["data"]["code"] in TOO_LATE, response
        self._owed = 0
        assert not session._kept, session._kept
        return session

    async def _opened(self) -> RpcSession:
        if self._session is None:
            async with httpx.AsyncClient(timeout=DEADLINE, trust_env=False, verify=False) as client:
                made = await client.post(f"http://{self._address}/create_session")
            session_id = made.json()["session_id"]
            connection = await connect(
                f"ws://{self._address}/ws/{session_id}", proxy=None, max_size=None, max_queue=None
            )
            self._session = RpcSession(connection, session_id)
        return self._session


EARS: dict[Door, type[SocketEar] | type[LinesEar] | type[SessionEar]] = {
    "ws_chat": SocketEar,
    "ndjson_chat": LinesEar,
    "json_rpc": SessionEar,
}


def _asked(frame: Frame) -> str | None:
    """The id of the call that a frame asks the client to carry out."""
    chunk = frame.get("chunk", {})
    call = json.loads(chunk["data"]) if chunk.get("type") == "tool_call" else {}
    return call["id"] if call.get("runner") == "client" else None


def _read_end(said: str) -> tuple[str, str | None]:
    """Status and finish of what door D says in one word."""
    return ("completed", said) if said in ("length", "filtered") else (said, None)


def _plain(usage: object) -> str:
    return json.dumps(usage or {}, sort_keys=True)
