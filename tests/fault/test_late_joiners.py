"""Whoever comes late to a stored turn, or comes back to it, at any door of any process, alone or in a crowd, has in the
end what a full replay gives.
"""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import product

import pytest
import pytest_asyncio
from msgspec import Struct

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.fault.conftest import KINDS
from tests.fault.crowd import percentile
from tests.fault.plain_http import got
from tests.fault.resuming import ALL_DOORS, Doors, Told, digest
from tests.fault.several import PATIENCE, new_chat, several
from tests.probes.polling import pause, until
from tests.probes.postgres import PostgresServer

SEED = 20_261_121
WORDS = tuple(f"word {number} " for number in range(250))
TICK = 0.003
LARGE = tuple(f"{number} " * 4_000 for number in range(10_000, 10_400))
"""Ten million characters: more than the memory holds of one answer."""

BEFORE_WORDS = 3
"""Events of a turn before its first word."""

TAIL = 100
"""Words of a long answer that come while a crowd comes back."""

Place = tuple[Doors, str]
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Shared(Struct, frozen=True):
    processes: list[Doors]
    upstream: PlannedUpstream

    @property
    def places(self) -> list[Place]:
        return list(product(self.processes, ALL_DOORS))


@pytest.fixture(scope="module", params=KINDS)
def shared_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    name = postgres.new_database()
    yield postgres.address(name)
    postgres.drop_database(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    folder = tmp_path_factory.mktemp("late")
    async with PlannedUpstream() as upstream, several(folder, shared_url, upstream) as processes:
        yield Shared(processes, upstream)


@pytest.fixture
def shared(servers: Shared) -> Shared:
    """The servers, and their host, which has forgotten what the test before had planned."""
    servers.upstream.begin()
    return servers


async def begin(doors: Doors) -> str:
    """The id of a turn that goes on by itself."""
    path = f"/api/v1/chats/{await new_chat(doors.client)}/messages"
    begun = await doors.client.post(path, json={"content": "Hello"}, headers={"prefer": "respond-async"})
    assert begun.status_code == 202, begun.text
    turn_id: str = begun.json()["id"]
    return turn_id


async def read(telling: AsyncIterator[Told]) -> list[Told]:
    told = [await anext(telling)]
    while not told[-1].last:
        told.append(await anext(telling))
    return told


async def join(place: Place, turn_id: str, after: str | None = None) -> list[Told]:
    """To the end."""
    doors, door = place
    async with asyncio.timeout(PATIENCE), doors.resumed(door, turn_id, after) as telling:
        return await read(telling)


def check(told: Sequence[Told], whole: Sequence[Told]) -> None:
    """All of it; or what had been shown, and then all that followed."""
    behind = 0
    if told[0].shown:
        behind = told[0].number
        assert told[0].text == "".join(one.text for one in whole if one.number <= behind)
        told = told[1:]
    assert digest(told) == digest([one for one in whole if one.number > behind] or whole[-1:])


@pytest.mark.requirement("durability:late_joiners")
async def test_who_joins_late_has_in_the_end_what_a_full_replay_gives(shared: Shared, long_run: bool) -> None:
    """Without a cursor, or with one that says nothing here, so that they begin with what has been shown."""
    turns, joiners = (20, 100) if long_run else (2, 16)
    shared.upstream.plan(*[Script(reply=Reply(text=WORDS), event_delay=TICK)] * turns)
    dice, places = random.Random(SEED), shared.places

    async def come(turn_id: str) -> list[Told]:
        place, after = dice.choice(places), dice.choice((None, f"{dice.getrandbits(48):012x}-7"))
        await pause(dice.uniform(0.0, len(WORDS) * TICK))
        return await join(place, turn_id, after)

    live = set()
    for number in range(turns):
        turn_id = await begin(shared.processes[number % len(shared.processes)])
        told = await asyncio.gather(*(come(turn_id) for _ in range(joiners)))
        whole = await join(places[0], turn_id)
        assert "".join(one.text for one in whole) == "".join(WORDS)
        for one in told:
            check(one, whole)
        live |= {one[0].shown for one in told if not one[1].last}
    # Both kinds came while it went on.
    assert live == {True, False}


@pytest.mark.requirement("durability:late_joiners")
async def test_who_joins_an_answer_that_no_memory_holds_has_all_of_it_nonetheless(shared: Shared) -> None:
    shared.upstream.plan(Script(reply=Reply(text=LARGE), hold_after=len(LARGE) - 10))
    turn_id = await begin(shared.processes[0])

    async def trimmed() -> bool:
        async with shared.processes[0].resumed("rest", turn_id, None) as telling:
            return (await anext(telling)).shown

    # The process that answers has not all of it in its memory then; what is kept has.
    await until(trimmed, within=PATIENCE)
    async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
        tellings = [
            await stack.enter_async_context(doors.resumed(door, turn_id, None)) for doors, door in shared.places
        ]
        first = await asyncio.gather(*(anext(telling) for telling in tellings))
        assert [one.shown for one in first] == [doors is shared.processes[0] for doors, _ in shared.places]
        shared.upstream.requests[0].go()
        tails = await asyncio.gather(*map(read, tellings))
    for begun, tail in zip(first, tails, strict=True):
        assert "".join(one.text for one in (begun, *tail)) == "".join(LARGE)
        numbers = [one.number for one in tail if not one.last]
        assert numbers == list(range(begun.number + 1, BEFORE_WORDS + len(LARGE) + 1))


class Comer(Struct):
    """A client that was cut off, and comes back. `told`: frames as they came. Times are in seconds since it asked."""

    port: int
    path: str
    epoch: str
    seen: int
    told: bytes = b""
    first: float = 0.0
    last: float = 0.0

    async def come_back(self, wait: float) -> None:
        await pause(wait)
        begun = time.perf_counter()
        async with got(self.port, f"{self.path}?after={self.epoch}-{self.seen}") as answer:
            assert answer.status == 200, await answer.body()
            pieces = []
            async for piece in answer.pieces():
                self.first = self.first or time.perf_counter() - begun
                pieces.append(piece)
        self.told = b"".join(pieces)
        self.last = time.perf_counter() - begun


@pytest.mark.requirement("durability:crowd")
async def test_a_crowd_that_comes_back_within_a_second_is_caught_up_without_a_gap(
    shared: Shared, long_run: bool
) -> None:
    words, crowd = (10_000, 1_000) if long_run else (1_000, 100)
    said = tuple(f"word {number} " for number in range(words))
    shared.upstream.plan(Script(reply=Reply(text=said), hold_after=words - TAIL + 1))
    turn_id = await begin(shared.processes[0])
    held = BEFORE_WORDS + words - TAIL
    epoch = await epoch_at(shared.processes[0], turn_id, held)
    dice, ways = random.Random(SEED), (f"/chat/{turn_id}", f"/api/v1/turns/{turn_id}/events")
    # Nearly all were there a moment ago; some have been away for long.
    seen = [dice.randrange(held - TAIL if dice.random() < 0.95 else 0, held) for _ in range(crowd)]
    ports = [doors.server.port for doors in shared.processes]
    comers = [Comer(ports[place % len(ports)], dice.choice(ways), epoch, number) for place, number in enumerate(seen)]

    async def go_on() -> None:
        await pause(0.5)
        shared.upstream.requests[0].go()

    begun = time.perf_counter()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(go_on(), *(one.come_back(dice.random()) for one in comers))
    took = time.perf_counter() - begun
    wholes = {(port, way): await frames_of(port, way) for port in ports for way in ways}
    for way in ways:
        assert len({tuple(wholes[port, way]) for port in ports}) == 1
    gaps = sum(frames_in(one.told) != behind(wholes[one.port, one.path], one) for one in comers)
    assert gaps == 0
    if long_run:
        alone = [Comer(dice.choice(ports), ways[0], epoch, number) for number in range(5, words, words // 200)]
        for one in alone:
            await one.come_back(0.0)
        print(f"{crowd} clients within a second, {words} words: all caught up after {took:.2f} s, {gaps} gaps")
        print(f"first bytes: {figures([one.first for one in comers])}; whole: {figures([one.last for one in comers])}")
        print(f"first bytes alone: {figures([one.first for one in alone])}")


async def epoch_at(doors: Doors, turn_id: str, number: int) -> str:
    """Of a turn, once so much of it has been told."""
    async with asyncio.timeout(PATIENCE), doors.resumed("ndjson_chat", turn_id, None) as telling:
        async for told in telling:
            if told.number == number:
                return told.cursor.rpartition("-")[0]
    raise AssertionError(f"it ended before number {number}")


async def frames_of(port: int, path: str) -> list[bytes]:
    async with got(port, path) as answer:
        return frames_in(await answer.body())


def frames_in(body: bytes) -> list[bytes]:
    """Each line, or each server-sent event, that bears a cursor."""
    frames = body.split(b"\n\n") if b"\ndata: " in body else body.split(b"\n")
    return [frame for frame in frames if frame and not frame.startswith(b":")]


def behind(frames: Sequence[bytes], comer: Comer) -> list[bytes]:
    return [frame for frame in frames if number_of(frame, comer.epoch) > comer.seen]


def number_of(frame: bytes, epoch: str) -> int:
    """A terminator may bear the number of the end."""
    found = re.search(rb"%b-(\d+)" % epoch.encode(), frame)
    assert found is not None, frame
    return int(found[1])


def figures(seconds: Sequence[float]) -> str:
    return f"p50 {1e3 * percentile(seconds, 0.5):.1f} ms, p99 {1e3 * percentile(seconds, 0.99):.1f} ms"
