"""A live turn whose client is cut off again and again is told whole, at whichever door it comes back."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path

import pytest
from msgspec import Struct

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.chat_lines import DEADLINE, begun, open_client, problem_of
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import create_session
from tests.acceptance.server_process import started
from tests.fault.resuming import DOORS, Doors, Told, digest

WORDS = tuple(f"word {number} " for number in range(500))
TEXT = "".join(WORDS)
HELD = 490
"""Words that are said before the host stops until the test lets it go on: the turn lives while it is resumed."""

KEY = {"Idempotency-Key": "the same"}


class Held(Struct, frozen=True):
    """A turn that lives, what was told of it so far, and its host, which waits."""

    doors: Doors
    turn_id: str
    told: tuple[Told, ...]
    upstream: PlannedUpstream

    async def first(self, door: str, after: str | None) -> Told:
        """The first that is told behind a cursor. The client is cut off while the rest is on its way."""
        async with asyncio.timeout(DEADLINE), self.doors.resumed(door, self.turn_id, after) as told:
            return await anext(told)

    async def rest(self, door: str, after: str | None) -> list[Told]:
        """All that is told behind a cursor, to where the host waits, or to the end."""
        rest: list[Told] = []
        async with asyncio.timeout(DEADLINE), self.doors.resumed(door, self.turn_id, after) as told:
            while not rest or not (rest[-1].last or rest[-1].cursor == self.told[-1].cursor):
                rest.append(await anext(told))
        return rest

    async def ended(self) -> list[Told]:
        """Lets the host go on. What was told from the beginning to the end."""
        (request,) = self.upstream.requests
        request.go()
        behind = await self.rest("ndjson_chat", None)
        while not behind[-1].last:
            behind += await self.rest("ndjson_chat", behind[-1].cursor)
        return behind


@asynccontextmanager
async def held_turn(folder: Path, settings: Mapping[str, str] | None = None) -> AsyncIterator[Held]:
    """Its first client has left, when the host had said `HELD` words."""
    async with PlannedUpstream(Script(reply=Reply(text=WORDS), hold_after=HELD + 1)) as upstream:
        lab = {
            "OPENAI_API_KEY": "sk-lab",
            "OPENAI_API_BASE_URL": upstream.base_url,
            "DEFAULT_MODEL": "openai/scripted-model",
        }
        async with started(folder, {**lab, **(settings or {})}) as server, open_client(server, KEY) as client:
            doors = Doors(server, client, await create_session(server))
            async with asyncio.timeout(DEADLINE), begun(client, "Hello") as answer:
                while len([line for line in answer.lines if "delta" in line]) < HELD:
                    assert await answer.line() is not None
            told = tuple(Told(line["cursor"], line["delta"]) for line in answer.lines if "delta" in line)
            yield Held(doors, answer.turn_id, told, upstream)


@pytest.mark.requirement("server:resume:every_event")
async def test_a_client_cut_after_each_event_that_comes_back_at_each_door_in_turn_misses_nothing(
    tmp_path: Path,
) -> None:
    async with held_turn(tmp_path) as turn:
        seen = [turn.told[0]]
        doors = cycle(DOORS)
        while seen[-1].cursor != turn.told[-1].cursor:
            seen.append(await turn.first(next(doors), seen[-1].cursor))
        assert digest(seen) == digest(turn.told)
        whole = await turn.ended()
        while not seen[-1].last:
            seen.append(await turn.first(next(doors), seen[-1].cursor))
        assert digest(seen) == digest(whole)
        assert "".join(one.text for one in seen) == TEXT
        assert len({one.cursor for one in seen}) == len(WORDS) + 1


@pytest.mark.requirement("server:resume:every_event")
async def test_from_behind_each_event_every_door_tells_the_same_rest(tmp_path: Path, long_run: bool) -> None:
    async with held_turn(tmp_path) as turn:
        for place in range(0, HELD - 1, 1 if long_run else 7):
            seen = turn.told[: place + 1]
            for door in DOORS if long_run else (DOORS[place % 3],):
                assert digest([*seen, *await turn.rest(door, seen[-1].cursor)]) == digest(turn.told)


@pytest.mark.requirement("server:resume:trimmed")
async def test_where_the_log_was_trimmed_there_is_a_snapshot_and_never_a_gap(tmp_path: Path, long_run: bool) -> None:
    async with held_turn(tmp_path, {"PARLANCE_JOURNAL__LIVE_WINDOW": "16384"}) as turn:
        shown = "".join(one.text for one in turn.told)
        expired = []
        for place in range(0, HELD - 1, 1 if long_run else 7):
            door = DOORS[place % 3]
            first = await turn.first(door, turn.told[place].cursor)
            expired.append(first.shown)
            if first.shown:
                assert (first.text, first.cursor) == (shown, turn.told[-1].cursor)
            else:
                assert [first] == list(turn.told[place + 1 : place + 2])
        assert expired == sorted(expired, reverse=True)
        assert expired[0]
        assert not expired[-1]
        await check_the_tail(turn, shown)


async def check_the_tail(turn: Held, shown: str) -> None:
    """Who comes without a cursor is told the same at each door: what was shown, then all that follows."""
    async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
        tellings = [await stack.enter_async_context(turn.doors.resumed(door, turn.turn_id, None)) for door in DOORS]
        snapshots = [await anext(telling) for telling in tellings]
        assert snapshots == [Told(turn.told[-1].cursor, shown, shown=True)] * len(DOORS)
        turn.upstream.requests[0].go()
        tails = [await to_the_end(telling) for telling in tellings]
    assert {digest(tail) for tail in tails} == {digest(tails[0])}
    assert shown + "".join(one.text for one in tails[0]) == TEXT
    repeated = problem_of(await turn.doors.client.post("/chat", json={"message": "Hello"}), 410, "cursor_expired")
    assert (repeated["turn_id"], repeated["cursor"]) == (turn.turn_id, tails[0][-1].cursor)
    assert repeated["snapshot"] == {"parts": [{"kind": "text", "text": TEXT}], "status": "completed"}


async def to_the_end(telling: AsyncIterator[Told]) -> list[Told]:
    told = [await anext(telling)]
    while not told[-1].last:
        told.append(await anext(telling))
    return told
