"""Many who speak in one chat at once, at all doors of all its processes, whatever they do: it has one history."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from parlance.core.ids import ChatId, TurnId
from parlance.core.stores import Page
from parlance.core.stores.turns import SendPolicy, TurnRecord
from parlance.store.addresses import read_address
from parlance.store.bells import SqlBells
from parlance.store.database import Database
from parlance.store.turns import SqlTurns
from parlance.store.writer import Writer
from tests.acceptance.server_process import started
from tests.fault.chatters import AWAY, Chatter, EchoingUpstream, Process, Room
from tests.fault.histories import History, Line, Send, broken, marks_of, question
from tests.fault.plain_http import BrokenOff, got
from tests.fault.resuming import events_of
from tests.fault.several import doors_of, servers_on, settings_of
from tests.fault.test_random_cancels import check_figures
from tests.probes.databases import open_unhurried
from tests.probes.leaks import LeakProbe
from tests.probes.polling import pause
from tests.turns.laws import broken_laws

SEED = 8
FEW, MANY = 12, 50
CLOSING = 1_000
"""The number of nobody: in its name the last word of a chat is said."""

SHORT, LONG = 3.0, 600.0
"""Seconds for which they speak."""

POLICIES: tuple[SendPolicy, ...] = ("queue", "interrupt")
"""Of the processes. Who comes by sessions waits, or is rejected, as they choose."""

CALLS = {"PARLANCE_TOOLS__WAIT": "2"}
"""Seconds in which a call must be answered: many a client leaves before, and others wait behind it."""


@pytest.mark.requirement("durability:one_history")
async def test_a_chat_in_which_many_speak_at_once_has_one_history(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    own, dice = LeakProbe(), random.Random(SEED)
    async with EchoingUpstream() as upstream:
        async with processes_on(database_url, tmp_path, upstream) as processes:
            rooms = [await open_room(processes[0])]
            chatters = [Chatter(number, SEED, processes, rooms) for number in range(MANY if long_run else FEW)]
            watched: list[Watched] = []
            async with asyncio.TaskGroup() as group:
                over = asyncio.Event()
                chatting = [group.create_task(chatter.chat(over)) for chatter in chatters]
                until = asyncio.get_running_loop().time() + (LONG if long_run else SHORT)
                while asyncio.get_running_loop().time() < until:
                    watched += [Watched(rooms[-1], process, group) for process in processes]
                    await pause(dice.uniform(0.8, 1.6) if not long_run else dice.uniform(0.8, 8.0))
                    rooms.append(await open_room(processes[0]))
                    if dice.random() < 0.5:
                        await delete(rooms[-2], dice.choice(processes))
                over.set()
                await asyncio.gather(*chatting)
                lines = {
                    room.chat: await close(room, f"{CLOSING}.{number}", processes)
                    for number, room in enumerate(rooms)
                    if not room.deleted
                }
                for watching in watched:
                    await watching.done(lines.get(watching.room.chat))
            for process in processes:
                await check_figures(process.doors.server)
        await check_kept(database_url, tmp_path, rooms, lines, upstream)
    await own.settled()
    print(report(rooms, lines, chatters))


@asynccontextmanager
async def processes_on(url: str, folder: Path, upstream: EchoingUpstream) -> AsyncIterator[list[Process]]:
    async with AsyncExitStack() as stack:
        processes = []
        for number, policy in enumerate(POLICIES[: servers_on(url)]):
            settings = {**settings_of(folder, url, upstream), "PARLANCE_CHATS__SEND_POLICY": policy, **CALLS}
            server = await stack.enter_async_context(started(folder / f"server {number}", settings))
            processes.append(Process(await stack.enter_async_context(doors_of(server)), policy))
        yield processes


async def open_room(process: Process) -> Room:
    return Room((await changed(process, "POST", "/api/v1/subtenants/default/chats"))["id"])


async def changed(process: Process, method: str, path: str) -> dict[str, Any]:
    """Again, where the database did not answer in time."""
    while (answer := await process.doors.client.request(method, path, json={})).status_code == 503:
        await pause()
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def delete(room: Room, process: Process) -> None:
    room.deleted = True
    await changed(process, "DELETE", f"/api/v1/chats/{room.chat}")


async def close(room: Room, mark: str, processes: Sequence[Process]) -> list[Line]:
    """Say the last thing in it, which waits for all others and ends what waits for its caller; what is there then."""
    client, path = processes[0].doors.client, f"/api/v1/chats/{room.chat}/messages"
    send = Send(question(mark, 1, calls=False), processes[0].policy, asyncio.get_running_loop().time())
    room.sends.append(send)
    sent = await client.post(path, json={"content": send.text})
    assert sent.status_code == 200, sent.text
    send.turn = sent.json()["turn_id"]
    told = [await all_of(process, path) for process in processes]
    assert all(one == told[0] for one in told)
    return [Line.of(message) for message in told[0]]


async def all_of(process: Process, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while page := (await process.doors.client.get(path, params={"skip": len(found), "limit": 1000})).json():
        found += page
    return found


class Watched:
    """A room as one who watches it at one process is told it, from its first turn to its last."""

    def __init__(self, room: Room, process: Process, group: asyncio.TaskGroup) -> None:
        self.room = room
        self._port = process.doors.server.port
        self._turns: list[str] = []
        self._mixed: list[str] = []
        self._cursor = ""
        self._mark = ""
        self._last = asyncio.Event()
        self._task = group.create_task(self._watch())

    async def done(self, lines: Sequence[Line] | None) -> None:
        """It was told the same turns in the same order, and none within another."""
        if lines is not None:
            async with asyncio.timeout(30):
                await self._last.wait()
            whole = list(dict.fromkeys(line.turn for line in lines))
            # The first of them may have been over when it came.
            assert self._turns == whole[whole.index(self._turns[0]) :]
        assert self._mixed == []
        assert len(set(self._turns)) == len(self._turns)
        self._task.cancel()

    async def _watch(self) -> None:
        told = True
        while told and not self._last.is_set():
            told = await self._watch_once()

    async def _watch_once(self) -> bool:
        """False when the chat is gone. Who was too slow is cut off, and comes back."""
        after = f"?after={self._cursor}" if self._cursor else ""
        try:
            async with got(self._port, f"/api/v1/chats/{self.room.chat}/events{after}") as answer:
                if answer.status in (404, 410):
                    assert self.room.deleted
                    return False
                async for event in events_of(answer.lines()):
                    self._take(event.name, event.data)
                    self._cursor = event.cursor or self._cursor
        except BrokenOff:
            pass
        return not self.room.deleted

    def _take(self, name: str, data: str) -> None:
        if name == "start":
            self._turns.append(json.loads(data)["turn_id"])
            self._mark = ""
        for mark in marks_of(data):
            own = mark.strip("<>[]").partition(":")[0]
            self._mark = self._mark or own
            if own != self._mark:
                self._mixed.append(f"{mark} within {self._mark}")
        if name in ("end", "error") and self._mark.startswith(f"{CLOSING}."):
            self._last.set()


async def check_kept(
    url: str, folder: Path, rooms: Sequence[Room], lines: dict[str, list[Line]], upstream: EchoingUpstream
) -> None:
    """What the database holds when nobody uses it any more."""
    database = open_unhurried(read_address(url) if url else folder / "data" / "parlance.db")
    try:
        turns = SqlTurns(database, Writer(database, SqlBells(database, shared=False)))
        for room in rooms:
            if room.deleted:
                await check_gone(database, turns, room)
                continue
            records = await records_of(turns, ChatId(room.chat))
            history = History(
                sends=room.sends,
                lines=lines[room.chat],
                records=records,
                shown=upstream.shown,
                cancelled=frozenset(room.cancelled),
            )
            assert broken(history) == []
            for record in records:
                events = [event for _, event in (await turns.events(record.id)).events]
                assert broken_laws(events) == []
    finally:
        await database.close()


async def records_of(turns: SqlTurns, chat: ChatId) -> list[TurnRecord]:
    found: list[TurnRecord] = []
    while page := await turns.list(chat, Page(len(found), 1000), None):
        found += page
    return found


async def check_gone(database: Database, turns: SqlTurns, room: Room) -> None:
    for turn in room.turns:
        with pytest.raises(Exception, match="There is no turn"):
            await turns.find(TurnId(turn), None)
    assert not [turn for turn in await turns.open_in("default") if turn.chat == room.chat]


def report(rooms: Sequence[Room], lines: dict[str, list[Line]], chatters: Sequence[Chatter]) -> str:
    sends = [send for room in rooms for send in room.sends]
    refused = [send.refused for send in sends if send.refused is not None]
    endings = [line.status for told in lines.values() for line in told if line.role == "user"]
    return (
        f"{sum(len(chatter.done) for chatter in chatters)} acts of {len(chatters)} clients in {len(rooms)} chats, "
        f"{sum(room.deleted for room in rooms)} of them deleted; {len(sends)} messages sent, "
        f"{sum(chatter.done.count(AWAY) for chatter in chatters)} of them while the database did not answer; "
        f"refused: { {code: refused.count(code) for code in sorted(set(refused))} }; "
        f"turns in those that stayed: { {end: endings.count(end) for end in sorted(set(map(str, endings)))} }"
    )
