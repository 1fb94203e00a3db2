"""A hundred who watch a chat while it goes on, and come and go as they like: all hear the same, in the same order."""

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from msgspec import Struct
from websockets.asyncio.client import connect

from tests.fault.plain_http import got, posted
from tests.fault.resuming import events_of
from tests.fault.several import new_chat, several

SEED = 20_261_121
PATIENCE = 100.0
LAST = "/words 1 That was all"


class Heard(Struct, frozen=True):
    """One event of the chat, in which HTTP and the WebSocket agree."""

    name: str
    data: str
    cursor: str


def heard(name: str, data: object, cursor: str) -> Heard:
    return Heard(name or "text", json.dumps(data, sort_keys=True), cursor)


class Watcher:
    """Follows the chat at one of the processes: over HTTP, over a WebSocket, or the turn that it is in the middle of.
    It goes away now and then, and what it comes back to goes on behind the last that it has heard.
    """

    def __init__(self, number: int, ports: Sequence[int], chat: str) -> None:
        self._dice = random.Random(f"{SEED}/{number}")
        self._ports = ports
        self._chat = chat
        self._turn: str | None = None
        self._over = False
        self.heard: list[Heard] = []

    async def watch(self, there: asyncio.Event) -> None:
        """Up to the end of the last turn. `there` is set once it follows."""
        while not self._over:
            left = self._dice.randint(1, 100)
            async with aclosing(self._telling(self._dice.choice(self._ports), there)) as told:
                async for event in told:
                    self._take(event)
                    left -= 1
                    if not left or self._over:
                        break

    def _take(self, event: Heard) -> None:
        self.heard.append(event)
        if event.name == "start":
            self._turn = json.loads(event.data)["turn_id"]
        elif event.name == "end":
            self._over = any(LAST in one.data for one in self.heard if one.name == "start")
            self._turn = None

    def _telling(self, port: int, there: asyncio.Event) -> AsyncGenerator[Heard, None]:
        after = f"?after={self.heard[-1].cursor}" if self.heard else ""
        ways = [self._over_http(port, f"/api/v1/chats/{self._chat}/events{after}", there)]
        if self.heard:
            # Only the head of an answer says that nothing which comes now will be missed.
            ways.append(self._over_socket(f"ws://127.0.0.1:{port}/api/v1/chats/{self._chat}/live{after}", there))
        if self._turn is not None:
            ways.append(self._over_http(port, f"/api/v1/turns/{self._turn}/events{after}", there))
        return self._dice.choice(ways)

    async def _over_http(self, port: int, path: str, there: asyncio.Event) -> AsyncGenerator[Heard, None]:
        async with got(port, path) as answer:
            assert answer.status == 200, await answer.body()
            there.set()
            async for event in events_of(answer.lines()):
                if not event.cursor:
                    # It was too slow, and is cut off: there is no end in that.
                    return
                if event.data != "[DONE]":
                    yield heard(event.name, json.loads(event.data), event.cursor)

    async def _over_socket(self, address: str, there: asyncio.Event) -> AsyncGenerator[Heard, None]:
        async with connect(address, proxy=None, max_size=None) as socket:
            there.set()
            try:
                async for text in socket:
                    frame = json.loads(text)
                    if "cursor" not in frame:
                        return
                    yield heard(frame["event"], frame["data"], frame["cursor"])
            finally:
                # To take leave would be to wait for all that is still on its way.
                socket.transport.abort()


def digest(told: Sequence[Heard]) -> str:
    return hashlib.sha256("\n".join(f"{one.name} {one.data} {one.cursor}" for one in told).encode()).hexdigest()


async def say(port: int, chat: str, text: str) -> None:
    async with posted(port, f"/api/v1/chats/{chat}/messages", {"content": text}) as answer:
        assert answer.status == 200, await answer.body()
        await answer.body()


@pytest.mark.requirement("durability:watchers")
async def test_all_who_watch_a_chat_hear_the_same_whenever_they_come_and_go(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    watchers, turns, words = (100, 20, 40) if long_run else (30, 8, 10)
    async with several(tmp_path, database_url) as processes, asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        ports = [doors.server.port for doors in processes]
        chat = await new_chat(processes[0].client)
        watching = [Watcher(number, ports, chat) for number in range(watchers)]
        late = random.Random(SEED).sample(watching[1:], watchers // 2)

        async def join(some: Sequence[Watcher]) -> None:
            there = [asyncio.Event() for _ in some]
            for watcher, event in zip(some, there, strict=True):
                group.create_task(watcher.watch(event))
            await asyncio.gather(*(event.wait() for event in there))

        await join([watcher for watcher in watching if watcher not in late])
        for number in range(0, turns, 2):
            joining = late[number * len(late) // turns : (number + 2) * len(late) // turns]
            texts = [f"/slow 0.005 /words {words} message {number + one}" for one in range(2)]
            said = (say(ports[one % len(ports)], chat, text) for one, text in enumerate(texts))
            await asyncio.gather(join(joining), *said)
        await say(ports[0], chat, LAST)
    whole = watching[0].heard
    places = {event.cursor: place for place, event in enumerate(whole)}
    assert sum(event.name == "end" for event in whole) == turns + 1
    assert len(places) == len(whole)
    begun = [places[watcher.heard[0].cursor] for watcher in watching]
    assert begun.count(0) >= watchers - len(late)
    for watcher, place in zip(watching, begun, strict=True):
        assert digest(watcher.heard) == digest(whole[place:])
