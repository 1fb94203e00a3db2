"""SIGTERM under many streams: nobody is left to guess whether an answer was whole."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle, islice
from pathlib import Path

import httpx
import pytest
from msgspec import Struct

from tests.acceptance.chat_lines import begun, open_client
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.chat_socket import text_of as text_of_frames
from tests.acceptance.rpc_session import open_session
from tests.acceptance.rpc_session import text_of as text_of_notices
from tests.acceptance.server_process import ServerProcess, started
from tests.fault.resuming import DOORS

RESTARTING = 1012
SHORT, LONG = 60, 3_000
"""Words of an answer that ends within the grace, and of one that doesn't."""


class Heard(Struct, frozen=True):
    """What a client knows when its connection is closed. `status` is what it was told, in its door's own words."""

    words: int
    status: str
    whole: bool
    closed: int | None = None


class Crowd:
    """Clients that ask and listen, each at one door; `begun` is released by each that has heard its first words."""

    def __init__(self, server: ServerProcess, client: httpx.AsyncClient) -> None:
        self.begun = asyncio.Semaphore(0)
        self._server = server
        self._client = client

    async def hear(self, door: str, words: int) -> Heard:
        message = f"/slow 0.02 /words {words}"
        match door:
            case "ws_chat":
                return await self._frames(message)
            case "json_rpc":
                return await self._notices(message)
            case _:
                return await self._lines(message)

    async def _frames(self, message: str) -> Heard:
        async with open_chat(self._server) as chat:
            request_id = await chat.chat(message)
            first = await chat.frames_until(request_id, "text")
            self.begun.release()
            frames = first + await chat.answer(request_id)
            whole = frames[-1]["status"] == "complete" and frames[-1]["metadata"]["status"] == "completed"
            status = "completed" if whole else frames[-1]["code"]
            return Heard(_words(text_of_frames(frames)), status, whole, await chat.closed())

    async def _notices(self, message: str) -> Heard:
        async with open_session(self._server) as session:
            await session.generate(message)
            first = await session.notices_until("text_chunk")
            self.begun.release()
            notices = first + await session.answer()
            status = notices[-1]["params"]["status_message"]
            assert notices[-1]["params"]["final_text"] == text_of_notices(notices)
            words = _words(text_of_notices(notices))
            return Heard(words, status, status == "completed", await session.closed())

    async def _lines(self, message: str) -> Heard:
        async with begun(self._client, message) as answer:
            await answer.until("delta")
            self.begun.release()
            await answer.rest()
        done = answer.lines[-1]
        assert done["done"]
        return Heard(_words(answer.text), done.get("status", "completed"), bool(answer.whole))


@pytest.mark.requirement("server:stop:many")
async def test_under_many_streams_each_client_has_the_whole_answer_or_is_told_that_it_is_not(
    tmp_path: Path, long_run: bool
) -> None:
    streams, grace = (200, 5) if long_run else (40, 2)
    lengths = list(islice(cycle([SHORT, LONG, SHORT, LONG, LONG]), streams))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(started(tmp_path, {"PARLANCE_SERVER__STOP_GRACE": str(grace)}))
        crowd = Crowd(server, await stack.enter_async_context(open_client(server)))
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            hearing = [group.create_task(crowd.hear(door, words)) for door, words in zip(cycle(DOORS), lengths)]
            for _ in range(streams):
                await crowd.begun.acquire()
            server.terminate()
            assert await asyncio.to_thread(server.wait, grace + 2) in (0, -15)
        check([one.result() for one in hearing], lengths)


def check(heard: Sequence[Heard], lengths: Sequence[int]) -> None:
    for one, length in zip(heard, lengths, strict=True):
        assert one.whole == (one.words == length), one
        assert one.status in (("completed",) if one.whole else ("incomplete", "interrupted")), one
        assert one.closed in (None, RESTARTING), one
    assert {
        length: {one.whole for one, own in zip(heard, lengths, strict=True) if own == length} for length in lengths
    } == {
        SHORT: {True},
        LONG: {False},
    }


def _words(text: str) -> int:
    return len(text.split())
