"""A client of the WebSocket chat, on the `websockets` library: sends frames, and sorts answers by their requests."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.acceptance.server_process import ServerProcess

DEADLINE = 15.0
LAST = ("complete", "error")

Frame = dict[str, Any]


class ChatSocket:
    """`frame` takes the next frame whatever it is; `answer` all frames of one request, keeping others for later."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._kept: list[Frame] = []
        self._ids = (f"request-{number}" for number in itertools.count(1))

    async def send(self, frame: str | bytes | Mapping[str, object]) -> None:
        await self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def chat(self, text: str, *, request_id: str | None = None, **payload: object) -> str:
        """Ask; the request's id."""
        request_id = request_id or next(self._ids)
        await self.send({"action": "chat", "payload": {"text": text, **payload}, "request_id": request_id})
        return request_id

    async def cancel(self, request_id: str) -> None:
        await self.send({"action": "cancel", "request_id": request_id})

    async def give(self, *results: Mapping[str, object], **named: str) -> None:
        """Results of the client's tools, for the turn that is named."""
        await self.send({"action": "tool_result", "payload": {**named, "results": list(results)}})

    async def resume(self, **named: object) -> None:
        await self.send({"action": "resume", **named})

    async def frame(self) -> Frame:
        return self._kept.pop(0) if self._kept else await self._receive()

    async def frame_of(self, request_id: str | None) -> Frame:
        """The next frame of one request; of none, for None."""
        for place, frame in enumerate(self._kept):
            if frame["request_id"] == request_id:
                return self._kept.pop(place)
        while (frame := await self._receive())["request_id"] != request_id:
            self._kept.append(frame)
        return frame

    async def frames_until(self, request_id: str, wanted: str) -> list[Frame]:
        """Frames of one request, up to the first whose status, or whose chunk's type, is `wanted`."""
        frames = [await self.frame_of(request_id)]
        while wanted not in (frames[-1]["status"], frames[-1].get("chunk", {}).get("type")):
            assert frames[-1]["status"] not in LAST, frames[-1]
            frames.append(await self.frame_of(request_id))
        return frames

    async def answer(self, request_id: str) -> list[Frame]:
        """The frames of one request that are not yet taken, the last one included."""
        frames = [await self.frame_of(request_id)]
        while frames[-1]["status"] not in LAST:
            frames.append(await self.frame_of(request_id))
        return frames

    async def ask(self, text: str, *, request_id: str | None = None, **payload: object) -> list[Frame]:
        return await self.answer(await self.chat(text, request_id=request_id, **payload))

    async def closed(self) -> int:
        """The code with which the server closes the connection, what it still says left aside."""
        async with asyncio.timeout(DEADLINE):
            await self.connection.wait_closed()
        assert self.connection.close_code is not None
        return self.connection.close_code

    async def _receive(self) -> Frame:
        async with asyncio.timeout(DEADLINE):
            text = await self.connection.recv()
        assert isinstance(text, str)
        frame: Frame = json.loads(text)
        return frame


@asynccontextmanager
async def open_chat(
    server: ServerProcess,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] | None = None,
    origin: str | None = None,
) -> AsyncIterator[ChatSocket]:
    """A connection to door A. Raises `InvalidStatus` where the handshake is refused."""
    more = dict(headers or {})
    if origin is not None:
        more["Origin"] = origin
    offered = [Subprotocol(name) for name in subprotocols] if subprotocols else None
    async with connect(
        server.socket_address, additional_headers=more, subprotocols=offered, proxy=None, max_size=None
    ) as connection:
        yield ChatSocket(connection)


def text_of(frames: Sequence[Frame]) -> str:
    return "".join(frame["chunk"]["data"] for frame in frames if frame.get("chunk", {}).get("type") == "text")


def chunks_of(frames: Sequence[Frame], kind: str) -> list[Any]:
    """The data of the chunks of one type, decoded."""
    return [json.loads(frame["chunk"]["data"]) for frame in frames if frame.get("chunk", {}).get("type") == kind]


def statuses(frames: Sequence[Frame]) -> list[str]:
    """The statuses in order, those of neighbouring chunks said once."""
    return [status for status, _ in itertools.groupby(frame["status"] for frame in frames)]
