"""Clients that follow answers while they are given, are cut off after any number of events, or before the first, and
come back at any door of any process, while processes are killed: each hears what is kept, or is told what it missed.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import WebSocketException

from tests.fault.resuming import ALL_DOORS, Doors, Told
from tests.fault.several import killable, new_chat, servers_on, settings_of
from tests.fault.test_two_processes import ENDED_WITHIN, send, told_to_end, turn_of
from tests.probes.polling import pause

SEED = 20_261_121
MOST = 10
"""Events until a client is cut off."""

SLOW = 0.01
"""Seconds between two words."""

PATIENCE = 60.0
BROKEN = (httpx.TransportError, WebSocketException, OSError)


class House:
    """As many servers as may share one database. `living` are those that nobody has killed yet."""

    def __init__(self, folder: Path, url: str, stack: AsyncExitStack) -> None:
        self.living: list[Doors] = []
        self._folder = folder
        self._settings = settings_of(folder, url)
        self._stack = stack
        self._starts = 0
        self._there = asyncio.Event()

    async def start(self) -> None:
        self._starts += 1
        folder = self._folder / f"server {self._starts}"
        self.living.append(await self._stack.enter_async_context(killable(folder, self._settings)))
        self._there.set()

    async def one(self, dice: random.Random) -> Doors:
        await self._there.wait()
        return dice.choice(self.living)

    async def replace(self, doors: Doors) -> None:
        self.living.remove(doors)
        if not self.living:
            self._there.clear()
        await asyncio.to_thread(doors.server.kill)
        await self.start()


class Wanderer:
    """`heard` begins with the last snapshot that it was shown, or with the first event."""

    def __init__(self, house: House, turn_id: str, seed: str) -> None:
        self.turn_id = turn_id
        self.heard: list[Told] = []
        self.cuts = self.snapshots = 0
        self._house = house
        self._dice = random.Random(seed)

    @property
    def over(self) -> bool:
        return bool(self.heard) and self.heard[-1].last

    async def wander(self) -> None:
        """To the end of the turn."""
        async with asyncio.timeout(PATIENCE):
            while not self.over:
                doors, door = await self._house.one(self._dice), self._dice.choice(ALL_DOORS)
                try:
                    broken = await self._hear(doors, door, self._dice.randint(0, MOST))
                except BROKEN:
                    broken = True
                assert not broken or doors not in self._house.living, door
                self.cuts += 1

    async def _hear(self, doors: Doors, door: str, most: int) -> bool:
        """Whether the telling ended by itself, and too early."""
        after = self.heard[-1].cursor if self.heard else None
        async with doors.resumed(door, self.turn_id, after) as telling:
            for _ in range(most):
                told = await anext(telling, None)
                if told is None:
                    return True
                if told.shown:
                    self.heard.clear()
                    self.snapshots += 1
                self.heard.append(told)
                if told.last:
                    break
        return False

    def check(self, whole: list[Told], *, killed: bool) -> None:
        """All that is kept, in its order; what was shown and then lost is taken back by a snapshot."""
        epochs = {one.cursor.partition("-")[0] for one in self.heard}
        assert killed or (not self.snapshots and len(epochs) == 1)
        first = self.heard[0]
        if first.shown:
            # A snapshot may bear the number of the end, which is told behind it nonetheless.
            behind = [one for one in whole if one.number > first.number or one.last]
            assert first.text == "".join(one.text for one in whole if one.number <= first.number)
            assert numbered(self.heard[1:]) == numbered(behind)
        else:
            assert numbered(self.heard) == numbered(whole)


def numbered(told: list[Told]) -> list[tuple[int, str, bool]]:
    """Who takes a turn over numbers its events anew: behind a kill the same events bear another epoch."""
    return [(one.number, one.text, one.last) for one in told]


@asynccontextmanager
async def open_house(folder: Path, url: str) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        house = House(folder, url, stack)
        for _ in range(servers_on(url)):
            await house.start()
        yield house


async def wander_through_a_kill(house: House, seed: str, wanderers: int, words: int) -> list[Wanderer]:
    """A turn of each process; one process is killed while they are told."""
    dice, doomed = random.Random(seed), house.living[0]
    turns = {
        await send(doors, await new_chat(doors.client), f"/slow {SLOW} /words {words}"): doors for doors in house.living
    }
    ids = list(turns)
    all_of_them = [Wanderer(house, ids[number % len(ids)], f"{seed}/{number}") for number in range(wanderers)]
    async with asyncio.TaskGroup() as group:
        for wanderer in all_of_them:
            group.create_task(wanderer.wander())
        await pause(dice.uniform(0.2, 0.8) * SLOW * words)
        await house.replace(doomed)
    for turn_id, doors in turns.items():
        whole = await told_to_end(house.living[-1], dice.choice(ALL_DOORS), turn_id, ENDED_WITHIN)
        kept = await turn_of(house.living[0], turn_id)
        assert kept["status"] == ("incomplete" if doors is doomed else "completed")
        assert kept["message"]["content"] == "".join(one.text for one in whole)
        for wanderer in all_of_them:
            if wanderer.turn_id == turn_id:
                wanderer.check(whole, killed=doors is doomed)
    return all_of_them


@pytest.mark.requirement("durability:resume:wanderers")
async def test_who_comes_and_goes_while_processes_are_killed_hears_what_is_kept(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    rounds, wanderers, words = (12, 30, 300) if long_run else (1, 12, 80)
    seen: list[Wanderer] = []
    async with open_house(tmp_path, database_url) as house:
        for number in range(rounds):
            seen += await wander_through_a_kill(house, f"{SEED}/{number}", wanderers, words)
    cuts = sum(one.cuts for one in seen)
    print(f"{cuts} cuts of {len(seen)} clients, {rounds} kills, {sum(one.snapshots for one in seen)} snapshots")
    assert cuts > 5 * len(seen)
