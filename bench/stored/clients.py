"""The clients of one server. Every answer is checked: one that lacks a chunk or its ending fails the run."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from bench.jobs import MARK
from bench.processes import BenchFailed, Server

ENDED = b'"done":true'
FINE, BUSY = 200, 503
TRIES = 30


class Clients:
    """`stored`: each turn they ask for begins a chat that is kept. `refused`: how often one was sent away meanwhile."""

    def __init__(self, server: Server, session: aiohttp.ClientSession, *, stored: bool) -> None:
        self.server = server
        self.stored = stored
        self.refused = 0
        self._session = session
        self._address = f"http://127.0.0.1:{server.port}"

    async def ask(self, act: str, chunks: int, *, watchers: int = 0) -> float:
        """Read an answer to its end, and let so many others follow it; the seconds to its first word."""
        begun, first, told = time.perf_counter(), 0.0, b""
        following: list[asyncio.Task[bytes]] = []
        body = {"message": act, "chat_id": "new"} if self.stored else {"message": act}
        async with self._session.post(f"{self._address}/chat", json=body) as answer:
            async for data in answer.content.iter_any():
                told += data
                if not first and MARK in told:
                    first = time.perf_counter() - begun
                if not following and watchers and b"\n" in told:
                    path = f"/chat/{turn_of(told)}"
                    following = [asyncio.create_task(self.read(path)) for _ in range(watchers)]
        for whole in (told, *await asyncio.gather(*following)):
            check(whole, chunks)
        return first

    async def read(self, path: str) -> bytes:
        async with self._session.get(f"{self._address}{path}") as answer:
            told = await answer.read()
            if answer.status != FINE:
                raise BenchFailed(f"{path} was answered with {answer.status}: {told[-300:]!r}")
            return told

    async def read_patiently(self, path: str) -> bytes:
        """As clients are to: who is refused for the moment asks again when the answer says."""
        for _ in range(TRIES):
            async with self._session.get(f"{self._address}{path}") as answer:
                told, wait = await answer.read(), answer.headers.get("retry-after")
            if answer.status != BUSY or wait is None:
                return told
            self.refused += 1
            await asyncio.sleep(float(wait))
        raise BenchFailed(f"{path} was refused {TRIES} times")

    async def first_of(self, path: str) -> bytes:
        async with self._session.get(f"{self._address}{path}") as answer:
            return await answer.content.readany()

    async def post(self, path: str, body: Mapping[str, object]) -> bytes:
        async with self._session.post(f"{self._address}{path}", json=body) as answer:
            return await answer.read()


def turn_of(told: bytes) -> str:
    """From the first line of an answer."""
    try:
        turn: str = json.loads(told.partition(b"\n")[0])["meta"]["turn_id"]
    except (ValueError, KeyError) as error:
        raise BenchFailed(f"an answer began with {told[:300]!r}") from error
    return turn


def check(told: bytes, chunks: int) -> None:
    """`BenchFailed` for an answer that is not whole."""
    if told.count(MARK) != chunks or ENDED not in told:
        raise BenchFailed(f"an answer had {told.count(MARK)} of {chunks} chunks, and ended with {told[-300:]!r}")


async def side_by_side(count: int, connections: int, act: Callable[[], Awaitable[object]]) -> float:
    """The seconds that so many acts take, so many at once. Raises what the first one raises."""
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await act()

    begun = time.perf_counter()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(work())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return time.perf_counter() - begun
