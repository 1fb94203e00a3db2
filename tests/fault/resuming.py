"""One turn, told again at any of four doors from any cursor, in the same words; leaving is always a cut."""

import hashlib
import json
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from msgspec import Struct

from tests.acceptance.chat_lines import Answer, problem_of
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.rpc_session import join
from tests.acceptance.server_process import ServerProcess

DOORS = ("ws_chat", "ndjson_chat", "json_rpc")
ALL_DOORS = (*DOORS, "rest")


class Told(Struct, frozen=True):
    """What a door said with one cursor. `shown`: it was a snapshot, and `text` is all that was shown before."""

    cursor: str
    text: str = ""
    shown: bool = False
    last: bool = False

    @property
    def number(self) -> int:
        return int(self.cursor.rpartition("-")[2])


class Doors(Struct, frozen=True):
    """`session_id` is any session of door D: every one tells the turns of its principal."""

    server: ServerProcess
    client: httpx.AsyncClient
    session_id: str

    @asynccontextmanager
    async def resumed(self, door: str, turn_id: str, after: str | None) -> AsyncIterator[AsyncIterator[Told]]:
        """The turn from behind a cursor. Leaving the block cuts the connection off."""
        tell = {
            "ws_chat": self._frames,
            "ndjson_chat": self._lines,
            "json_rpc": self._notices,
            "rest": self._events,
        }[door]
        async with tell(turn_id, after) as told:
            yield told

    @asynccontextmanager
    async def _frames(self, turn_id: str, after: str | None) -> AsyncIterator[AsyncIterator[Told]]:
        async with open_chat(self.server) as chat:
            await chat.resume(turn_id=turn_id, after=after, request_id="again")
            yield _each(chat.connection)
            chat.connection.transport.abort()

    @asynccontextmanager
    async def _notices(self, turn_id: str, after: str | None) -> AsyncIterator[AsyncIterator[Told]]:
        async with join(self.server, self.session_id) as session:
            await session.done("resume", task_id=turn_id, after=after)
            yield _each(session.connection)
            session.connection.transport.abort()

    @asynccontextmanager
    async def _lines(self, turn_id: str, after: str | None) -> AsyncIterator[AsyncIterator[Told]]:
        query = {} if after is None else {"after": after}
        async with self.client.stream("GET", f"/chat/{turn_id}", params=query) as response:
            if response.status_code == 200:
                yield _each_line(Answer(response))
                return
            await response.aread()
        problem = problem_of(response, 410, "cursor_expired")
        assert problem["turn_id"] == turn_id
        snapshot = Told(problem["cursor"], _text_of(problem["snapshot"]), shown=True)
        async with self._lines(turn_id, snapshot.cursor) as rest:
            yield _behind(snapshot, rest)

    @asynccontextmanager
    async def _events(self, turn_id: str, after: str | None) -> AsyncIterator[AsyncIterator[Told]]:
        headers = {} if after is None else {"last-event-id": after}
        async with self.client.stream("GET", f"/api/v1/turns/{turn_id}/events", headers=headers) as response:
            if response.status_code == 200:
                yield _each_event(response)
                return
            await response.aread()
        problem = problem_of(response, 410, "cursor_expired")
        assert problem["turn_id"] == turn_id
        snapshot = Told(problem["cursor"], _text_of(problem["snapshot"]), shown=True)
        async with self._events(turn_id, snapshot.cursor) as rest:
            yield _behind(snapshot, rest)


async def _each(frames: AsyncIterable[Any]) -> AsyncIterator[Told]:
    async for text in frames:
        frame = json.loads(text)
        said = frame.get("params", frame)
        chunk = said.get("chunk", "")
        if "snapshot" in said:
            yield Told(said["cursor"], _text_of(said["snapshot"]), shown=True)
        elif frame.get("method") in ("end", "error") or frame.get("status") in ("complete", "error"):
            yield Told(said["cursor"], last=True)
        elif frame.get("method") == "text_chunk":
            yield Told(said["cursor"], chunk)
        elif chunk and chunk.get("type") == "text":
            yield Told(said["cursor"], chunk["data"])


async def _each_line(answer: Answer) -> AsyncIterator[Told]:
    while (line := await answer.line()) is not None:
        if "delta" in line or "done" in line:
            yield Told(line["cursor"], line.get("delta", ""), last="done" in line)


async def _each_event(response: httpx.Response) -> AsyncIterator[Told]:
    async for event in events_of(response.aiter_lines()):
        if event.name in ("end", "error") or event.data == "[DONE]":
            yield Told(event.cursor, last=True)
        elif not event.name:
            yield Told(event.cursor, json.loads(event.data)["content"])


class ServerEvent(Struct):
    """One server-sent event, as a browser would hand it over."""

    name: str = ""
    data: str = ""
    cursor: str = ""


async def events_of(lines: AsyncIterable[str]) -> AsyncIterator[ServerEvent]:
    event = ServerEvent()
    async for line in lines:
        field, _, value = line.partition(": ")
        match field:
            case "event":
                event.name = value
            case "data":
                event.data = value
            case "id":
                event.cursor = value
            case "":
                if event.data:
                    yield event
                event = ServerEvent()
            case _:
                """A comment, which keeps the connection alive."""


async def _behind(first: Told, rest: AsyncIterator[Told]) -> AsyncIterator[Told]:
    yield first
    async for told in rest:
        yield told


def _text_of(snapshot: dict[str, Any]) -> str:
    return "".join(part["text"] for part in snapshot["parts"] if part["kind"] == "text")


def digest(told: Sequence[Told]) -> str:
    """Of the text, and of the list of cursors."""
    text = "".join(one.text for one in told)
    return hashlib.sha256("\n".join([text, *(one.cursor for one in told)]).encode()).hexdigest()
