"""A backup that is older than what clients have seen is put back: no cursor from the time that is lost is taken for one
of what has been said since, at any door of any process.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import cycle, product
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import select

from parlance.store.addresses import SqliteAddress, read_address
from parlance.store.database import Database
from parlance.store.tables.turns import turns
from parlance.testing.reply import Reply
from parlance.testing.script import Script, saying
from tests.acceptance.chat_lines import DEADLINE, begun, problem_of
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import WEATHER, calling
from tests.fault.resuming import ALL_DOORS, Doors, Told, digest
from tests.fault.several import new_chat, several
from tests.probes.databases import open_unhurried
from tests.probes.polling import until
from tests.probes.postgres import PostgresServer

ENDED_WITHIN = 30.0
WORDS = tuple(f"word {number} " for number in range(40))
KEPT = 15
"""Words of an answer that are in the backup."""

CALLING = calling(("get_weather", '{"city":"Oslo"}'), text=WORDS[:5])
LATER = WORDS[20:35]
AGAIN = "All else than before."


class Kept(Struct, frozen=True):
    """The database of the servers, as its operator handles it. `url` is empty for a file in `folder`."""

    folder: Path
    url: str
    postgres: PostgresServer | None

    @property
    def file(self) -> Path:
        return self.folder / "data" / "parlance.db"

    @property
    def data(self) -> dict[str, str]:
        return {"PARLANCE_DATA": str(self.folder / "data")}

    def open(self) -> Database:
        return open_unhurried(read_address(self.url) if self.url else SqliteAddress(self.file))

    def back_up(self) -> Path:
        if self.postgres is not None:
            return self.postgres.back_up(self._name)
        backup = self.folder / "backup.db"
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute(f"VACUUM INTO '{backup}'")
        return backup

    def put_back(self, backup: Path) -> None:
        if self.postgres is not None:
            self.postgres.put_back(backup, self._name)
            # Backups are older than a lease lasts.
            self.postgres.sql("UPDATE parlance.leases SET expires = 0", self._name)
            return
        for end in ("", "-wal", "-shm"):
            self.file.with_name(f"parlance.db{end}").unlink(missing_ok=True)
        backup.rename(self.file)

    @property
    def _name(self) -> str:
        return self.url.rpartition("/")[2]


@pytest.fixture
def kept(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Kept:
    return Kept(tmp_path, database_url, request.getfixturevalue("postgres") if database_url else None)


class Seen(Struct, frozen=True):
    """What clients saw of one turn until the backup was put back. `head`: its last event that is in the backup."""

    turn_id: str
    head: int
    told: Sequence[Told]
    call: dict[str, Any] = {}

    @property
    def cursors(self) -> list[str]:
        """Of all its events, also of those that say nothing."""
        epoch = self.told[-1].cursor.rpartition("-")[0]
        return [f"{epoch}-{number}" for number in range(self.told[-1].number + 1)]


class Past(Struct, frozen=True):
    """Turns that are in the backup, of which one was being answered then, and one waited for its caller; and one that
    was begun later, in the same chat as the first.
    """

    chat: str
    broken: Seen
    waiting: Seen
    lost: Seen


@pytest.mark.requirement("durability:resume:restored")
async def test_no_cursor_from_the_time_behind_a_backup_leads_to_a_silent_gap(kept: Kept, long_run: bool) -> None:
    async with PlannedUpstream(default=saying(*LATER)) as upstream:
        async with several(kept.folder / "before", kept.url, upstream, kept.data) as processes:
            past, backup = await live_on(kept, processes[-1], upstream)
        await asyncio.to_thread(kept.put_back, backup)
        upstream.plan(saying(AGAIN), saying(AGAIN))
        async with several(kept.folder / "after", kept.url, upstream, kept.data) as processes:
            places = list(product(processes, ALL_DOORS))
            # Who comes before it is ended for its owner, who is dead, is told it under that one's epoch.
            await to_the_end(processes[0], "rest", past.broken.turn_id)
            broken = await to_the_end(processes[0], "rest", past.broken.turn_id)
            assert text_of(broken) == "".join(WORDS[:KEPT])
            await check_cursors(past.broken, broken, places, many=long_run)
            await check_chat(past, processes)
            await answer(processes[-1], past.waiting, "snow")
            waiting = await to_the_end(processes[0], "rest", past.waiting.turn_id)
            assert text_of(waiting) == "".join(WORDS[:5]) + AGAIN
            await check_cursors(past.waiting, waiting, places, many=long_run)


async def live_on(kept: Kept, doors: Doors, upstream: PlannedUpstream) -> tuple[Past, Path]:
    """What clients are told, and the backup that is made in the midst of it."""
    upstream.plan(Script(reply=Reply(text=WORDS), hold_after=KEPT + 1), CALLING)
    chat = await new_chat(doors.client)
    async with (
        begun(doors.client, "Hello", chat_id=chat) as first,
        begun(doors.client, "How is it?", chat_id="new", tools=[WEATHER]) as second,
    ):
        while sum("delta" in line for line in first.lines) < KEPT:
            assert await first.line() is not None
        called = await second.until("tool_call")
        heads = {one.turn_id: int(one.lines[-1]["cursor"].rpartition("-")[2]) for one in (first, second)}
        await until(partial(are_kept, kept, heads), within=DEADLINE)
        backup = await asyncio.to_thread(kept.back_up)
        upstream.requests[0].go()
        broken = Seen(first.turn_id, heads[first.turn_id], await to_the_end(doors, "rest", first.turn_id))
        waiting = Seen(second.turn_id, heads[second.turn_id], (), called["tool_call"])
        await answer(doors, waiting, "rain")
        waiting = replace(waiting, told=await to_the_end(doors, "rest", second.turn_id))
    async with begun(doors.client, "And then?", chat_id=chat) as third:
        await third.rest()
    lost = Seen(third.turn_id, 0, await to_the_end(doors, "rest", third.turn_id))
    return Past(chat, broken, waiting, lost), backup


async def are_kept(kept: Kept, heads: dict[str, int]) -> bool:
    database = kept.open()
    try:
        async with database.reading() as connection:
            found = {row.id: row.head for row in await connection.execute(select(turns.c.id, turns.c.head))}
    finally:
        await database.close()
    return found == heads


async def answer(doors: Doors, seen: Seen, output: str) -> None:
    results = {"results": [{"tool_call_id": seen.call["id"], "result": output}]}
    answered = await doors.client.post(f"/api/v1/turns/{seen.turn_id}/tool_results", json=results)
    assert answered.status_code == 200, answered.text


async def to_the_end(doors: Doors, door: str, turn_id: str, after: str | None = None) -> list[Told]:
    told: list[Told] = []
    async with asyncio.timeout(ENDED_WITHIN), doors.resumed(door, turn_id, after) as telling:
        while not told or not told[-1].last:
            told.append(await anext(telling))
    return told


async def check_cursors(seen: Seen, now: Sequence[Told], places: Sequence[tuple[Doors, str]], *, many: bool) -> None:
    """From each of its cursors, at every place or at one after the other: what follows it, or a snapshot."""
    turns = cycle(places)
    for number, cursor in enumerate(seen.cursors):
        for doors, door in places if many else (next(turns),):
            told = await to_the_end(doors, door, seen.turn_id, cursor)
            if number > seen.head:
                snapshot = Told(now[-1].cursor, text_of(now), shown=True)
                assert told == [snapshot, now[-1]], (cursor, door)
            else:
                assert digest(told) == digest([one for one in now if one.number > number]), (cursor, door)


async def check_chat(past: Past, processes: Sequence[Doors]) -> None:
    """The turn that is lost is not there; nor does another one of the chat, which counts as it did, go on for it."""
    asked = await processes[0].client.post(f"/api/v1/chats/{past.chat}/messages", json={"content": "And then?"})
    newest = asked.json()["message"]
    assert newest["content"] == AGAIN
    snapshots = {
        newest["turn_id"]: (past.lost.cursors, AGAIN, "completed"),
        past.broken.turn_id: (past.broken.cursors[past.broken.head + 1 :], "".join(WORDS[:KEPT]), "incomplete"),
    }
    path = f"/api/v1/chats/{past.chat}/events"
    for doors in processes:
        for gone in (f"/chat/{past.lost.turn_id}", f"/api/v1/turns/{past.lost.turn_id}/events"):
            problem_of(await doors.client.get(gone), 404, "turn_not_found")
        for turn_id, (cursors, text, status) in snapshots.items():
            for cursor in cursors:
                problem = problem_of(await doors.client.get(path, params={"after": cursor}), 410, "cursor_expired")
                assert problem["turn_id"] == turn_id
                assert problem["snapshot"] == {"parts": [{"kind": "text", "text": text}], "status": status}


def text_of(told: Sequence[Told]) -> str:
    return "".join(one.text for one in told)
