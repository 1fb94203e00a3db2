"""A stored answer whose client is cut off again and again is told whole, at whichever door of whichever process it
comes back; where it can't be told piece by piece any more, that is said.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle, product
from pathlib import Path

import pytest
from msgspec import Struct

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.chat_lines import DEADLINE, begun
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.fault.resuming import ALL_DOORS, Doors, Told, digest
from tests.fault.several import new_chat, several

WORDS = tuple(f"word {number} " for number in range(500))
HELD = 490
"""Words that are said before the host stops until the test lets it go on."""

SEED = 20_261_121


class Place(Struct, frozen=True):
    """A door of one of the processes."""

    doors: Doors
    door: str

    async def some(self, turn_id: str, after: str | None, count: int) -> list[Told]:
        """The first that are told behind a cursor. The client is cut off while the rest is on its way."""
        some: list[Told] = []
        async with asyncio.timeout(DEADLINE), self.doors.resumed(self.door, turn_id, after) as told:
            while len(some) < count and not (some and some[-1].last):
                some.append(await anext(told))
        return some

    async def until(self, turn_id: str, after: str | None, newest: str) -> list[Told]:
        """All behind a cursor, up to what bears the newest."""
        told: list[Told] = []
        async with asyncio.timeout(DEADLINE), self.doors.resumed(self.door, turn_id, after) as telling:
            while not told or told[-1].cursor != newest:
                told.append(await anext(telling))
        return told


def places_of(processes: list[Doors]) -> list[Place]:
    return [Place(doors, door) for door, doors in product(ALL_DOORS, processes)]


class Answer(Struct, frozen=True):
    """A turn of a chat, and all that has been told of it: at first up to where its host waits."""

    chat: str
    turn_id: str
    told: tuple[Told, ...]

    @property
    def newest(self) -> str:
        return self.told[-1].cursor

    @property
    def text(self) -> str:
        return "".join(one.text for one in self.told)


@asynccontextmanager
async def answering(place: Place, words: int) -> AsyncIterator[Answer]:
    """An answer of which so many words have come; its first client is there until the block is left."""
    chat = await new_chat(place.doors.client)
    async with begun(place.doors.client, "Hello", chat_id=chat) as answer:
        async with asyncio.timeout(DEADLINE):
            while sum("delta" in line for line in answer.lines) < words:
                assert await answer.line() is not None
        told = tuple(Told(line["cursor"], line["delta"]) for line in answer.lines if "delta" in line)
        yield Answer(chat, answer.turn_id, told)


async def whole(place: Place, answer: Answer) -> Answer:
    """When it has ended."""
    told: list[Told] = []
    async with asyncio.timeout(DEADLINE), place.doors.resumed(place.door, answer.turn_id, None) as telling:
        while not told or not told[-1].last:
            told.append(await anext(telling))
    return Answer(answer.chat, answer.turn_id, tuple(told))


@pytest.mark.requirement("durability:resume:every_event")
async def test_a_client_cut_after_each_event_that_comes_back_at_each_door_of_each_process_misses_nothing(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    script = Script(reply=Reply(text=WORDS), hold_after=HELD + 1)
    async with PlannedUpstream(script) as upstream, several(tmp_path, database_url, upstream) as processes:
        places = places_of(processes)
        async with answering(places[0], HELD) as held:
            pass
        seen, turns, count = [held.told[0]], cycle(places), 1 if long_run else 5
        while seen[-1].cursor != held.newest:
            left = held.told[-1].number - seen[-1].number
            seen += await next(turns).some(held.turn_id, seen[-1].cursor, min(count, left))
        assert digest(seen) == digest(held.told)
        upstream.requests[0].go()
        ended = await whole(places[0], held)
        while not seen[-1].last:
            seen += await next(turns).some(held.turn_id, seen[-1].cursor, 1)
        assert digest(seen) == digest(ended.told)
        assert ended.text == "".join(WORDS)
        assert len({one.cursor for one in seen}) == len(WORDS) + 1
        for number in range(0, len(seen), 1 if long_run else 25):
            for place in places if long_run else (next(turns),):
                rest = await place.until(held.turn_id, seen[number].cursor, ended.newest)
                behind = seen[number + 1 :] or seen[-1:]
                assert digest(rest) == digest(behind), (number, place.door)


@pytest.mark.requirement("durability:resume:announced")
async def test_no_cursor_whatever_it_is_leads_to_a_silent_gap(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    """Good ones, trimmed ones, those of other turns, forged ones, and those of what was never said."""
    words = WORDS[:60]
    holding = Script(reply=Reply(text=words), hold_after=41)
    async with PlannedUpstream(default=Script(reply=Reply(text=words))) as upstream:
        async with several(tmp_path / "before", database_url, upstream, data(tmp_path)) as processes:
            trimmed = await ended_at(places_of(processes)[0], len(words))
        old = {**data(tmp_path), "PARLANCE_JOURNAL__KEEP_DELTAS": "0.001"}
        async with several(tmp_path / "after", database_url, upstream, old) as processes:
            places = places_of(processes)
            ended = await ended_at(places[-1], len(words))
            upstream.plan(holding)
            async with answering(places[0], 40) as held:
                pass
            dice = random.Random(SEED)
            shown = {
                await check_case(dice, dice.choice(places), (held, ended, trimmed))
                for _ in range(1_000 if long_run else 80)
            }
            assert shown == {True, False}


def data(folder: Path) -> dict[str, str]:
    return {"PARLANCE_DATA": str(folder / "data")}


async def ended_at(place: Place, words: int) -> Answer:
    async with answering(place, words) as answer:
        return await whole(place, answer)


async def check_case(dice: random.Random, place: Place, answers: tuple[Answer, ...]) -> bool:
    """Whether it was a snapshot that came; else it was just what follows the cursor."""
    answer = dice.choice(answers)
    others = [one for one in answers if one is not answer]
    epoch, _, head = answer.newest.rpartition("-")
    good = dice.randrange(int(head)) if dice.random() < 0.5 else None
    bad = (
        f"{epoch}-{int(head) + dice.choice((1, 2, 500))}",
        dice.choice(dice.choice(others).told).cursor,
        f"{dice.getrandbits(48):012x}-{dice.randrange(int(head))}",
        dice.choice(("-", "-3", f"{epoch}-", f"{epoch}--1", epoch, f"{epoch}-1e3", "9" * 40, "%")),
    )
    after = f"{epoch}-{good}" if good is not None else dice.choice(bad)
    told = await place.until(answer.turn_id, after, answer.newest)
    if told[0].shown:
        assert (told[0].text, told[0].cursor) == (answer.text, answer.newest), (after, place.door)
        # What is kept piece by piece is told so.
        assert good is None or answer is answers[-1], (after, place.door)
        return True
    assert good is not None, (after, place.door)
    assert digest(told) == digest([one for one in answer.told if one.number > good]), (after, place.door)
    return False
