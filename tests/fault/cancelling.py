"""Clients that cancel, one for each door. Each knows when its cancel was acknowledged, and what came behind that."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from msgspec import Struct

from tests.acceptance.chat_lines import Answer, open_client
from tests.acceptance.chat_socket import LAST, ChatSocket, Frame, open_chat
from tests.acceptance.rpc_session import RpcSession, open_session
from tests.acceptance.scripts import WEATHER
from tests.acceptance.server_process import ServerProcess
from tests.fault.plans import Door


class Ended(Struct, frozen=True):
    """How a turn ended, and what of content came behind the acknowledgement of its cancel."""

    status: str
    text: str
    late: tuple[str, ...]


class Canceller(Protocol):
    """Asks for one turn after the other. Times are the loop's."""

    turn_id: str

    async def begin(self, model: str) -> None: ...

    async def until_text(self, pieces: int) -> None:
        """Returns when so many pieces of text have come, or the answer has ended."""
        ...

    async def until_call(self) -> None:
        """Returns when the client is asked to run its tool, or the answer has ended."""
        ...

    async def cancel(self) -> float:
        """Cancels, and returns the time of the acknowledgement."""
        ...

    async def end(self) -> Ended:
        """Reads what is left, to the end."""
        ...

    async def cancel_turn(self, turn_id: str) -> None:
        """Cancels a turn that has ended, or is being cancelled; any answer will do that does no harm."""
        ...


class SocketCanceller:
    """Door A, where the ending is the acknowledgement."""

    def __init__(self, chat: ChatSocket) -> None:
        self.turn_id = ""
        self._chat = chat
        self._request_id = ""
        self._frames: list[Frame] = []

    async def begin(self, model: str) -> None:
        assert not self._chat._kept, self._chat._kept
        self._request_id = await self._chat.chat("Go on", model=model, tools=[WEATHER])
        self._frames = [await self._chat.frame_of(self._request_id)]
        self.turn_id = self._frames[0]["turn_id"]

    async def until_text(self, pieces: int) -> None:
        while not self._over and self._texts() < pieces:
            await self._hear()

    async def until_call(self) -> None:
        while not self._over and self._frames[-1].get("chunk", {}).get("type") != "tool_call":
            await self._hear()

    async def cancel(self) -> float:
        await self._chat.cancel(self._request_id)
        while not self._over:
            await self._hear()
        return asyncio.get_running_loop().time()

    async def end(self) -> Ended:
        while not self._over:
            await self._hear()
        text = [frame["chunk"]["data"] for frame in self._frames if frame.get("chunk", {}).get("type") == "text"]
        return Ended(self._frames[-1]["metadata"]["status"], "".join(text), ())

    async def cancel_turn(self, turn_id: str) -> None:
        await self._chat.send({"action": "cancel", "turn_id": turn_id})

    @property
    def _over(self) -> bool:
        return self._frames[-1]["status"] in LAST

    def _texts(self) -> int:
        return sum(frame.get("chunk", {}).get("type") == "text" for frame in self._frames)

    async def _hear(self) -> None:
        self._frames.append(await self._chat.frame_of(self._request_id))


class LinesCanceller:
    """Door C, where the cancel is a request of its own."""

    def __init__(self, server: ServerProcess, held: AsyncExitStack) -> None:
        self.turn_id = ""
        self._server = server
        self._held = held
        self._reading = AsyncExitStack()
        self._answer: Answer
        self._acknowledged: str | None = None

    async def open(self) -> None:
        self._client = await self._held.enter_async_context(open_client(self._server))
        await self._held.enter_async_context(self._reading)

    async def begin(self, model: str) -> None:
        body = {"message": "Go on", "model": model, "tools": [WEATHER]}
        response = await self._reading.enter_async_context(self._client.stream("POST", "/chat", json=body))
        self._answer, self._acknowledged = Answer(response), None
        await self._answer.line()
        self.turn_id = self._answer.turn_id

    async def until_text(self, pieces: int) -> None:
        while sum("delta" in line for line in self._answer.lines) < pieces and await self._answer.line():
            pass

    async def until_call(self) -> None:
        while "tool_call" not in self._answer.lines[-1] and await self._answer.line():
            pass

    async def cancel(self) -> float:
        answer = await self._client.post(f"/chat/{self.turn_id}/cancel", json={})
        at = asyncio.get_running_loop().time()
        assert answer.status_code == 200, answer.text
        self._acknowledged = "".join(line["delta"] for line in await self._told() if "delta" in line)
        return at

    async def end(self) -> Ended:
        """What the log held when the cancel was acknowledged is all that may ever come."""
        await self._answer.rest()
        await self._reading.aclose()
        text, known = self._answer.text, self._acknowledged
        late = (text,) if known is not None and text != known else ()
        return Ended(self._answer.lines[-1].get("status", "completed"), text, late)

    async def cancel_turn(self, turn_id: str) -> None:
        answer = await self._client.post(f"/chat/{turn_id}/cancel", json={})
        assert answer.json()["status"] in ("cancelled", "completed"), answer.text

    async def _told(self) -> list[Mapping[str, Any]]:
        answer = await self._client.get(f"/chat/{self.turn_id}")
        lines = [json.loads(line) for line in answer.text.splitlines() if line]
        assert "done" in lines[-1], lines
        return lines


class SessionCanceller:
    """Door D, where the response to the cancel is its acknowledgement."""

    def __init__(self, session: RpcSession) -> None:
        self.turn_id = ""
        self._session = session
        self._notices: list[Frame] = []
        self._heard_before_cancel: int | None = None

    async def begin(self, model: str) -> None:
        assert not self._session._kept, self._session._kept
        self._notices, self._heard_before_cancel = [], None
        self.turn_id = await self._session.generate("Go on", model=model, tools=[WEATHER])

    async def until_text(self, pieces: int) -> None:
        while not self._over and sum(notice["method"] == "text_chunk" for notice in self._notices) < pieces:
            await self._hear()

    async def until_call(self) -> None:
        while not self._over and (not self._notices or self._notices[-1]["method"] != "function_call_request"):
            await self._hear()

    async def cancel(self) -> float:
        response = await self._session.call("cancel", task_id=self.turn_id)
        at = asyncio.get_running_loop().time()
        assert "result" in response or response["error"]["code"] == -32003, response
        # What came before the response has been put aside for whoever asks for it.
        self._heard_before_cancel = len(self._notices) + len(self._session._kept)
        return at

    async def end(self) -> Ended:
        while not self._over:
            await self._hear()
        told = self._notices[-1]["params"]
        behind = self._notices[self._heard_before_cancel :] if self._heard_before_cancel is not None else []
        late = tuple(notice["method"] for notice in behind if notice["method"] != "end")
        return Ended(told.get("status_message", "failed"), told.get("final_text", ""), late)

    async def cancel_turn(self, turn_id: str) -> None:
        response = await self._session.call("cancel", task_id=turn_id)
        assert "result" in response or response["error"]["code"] == -32003, response

    @property
    def _over(self) -> bool:
        return bool(self._notices) and self._notices[-1]["method"] in ("end", "error")

    async def _hear(self) -> None:
        self._notices.append(await self._session.notice())


@asynccontextmanager
async def open_canceller(server: ServerProcess, door: Door) -> AsyncIterator[Canceller]:
    async with AsyncExitStack() as held:
        match door:
            case "ws_chat":
                yield SocketCanceller(await held.enter_async_context(open_chat(server)))
            case "ndjson_chat":
                lines = LinesCanceller(server, held)
                await lines.open()
                yield lines
            case "json_rpc":
                yield SessionCanceller(await held.enter_async_context(open_session(server)))
