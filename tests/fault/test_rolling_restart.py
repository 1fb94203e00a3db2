"""Calls of tools that wait for their clients while the servers are replaced, one after the other: no call is lost, and
each is answered once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import calling
from tests.acceptance.server_process import started
from tests.fault.resuming import Doors
from tests.fault.several import doors_of, servers_on, settings_of
from tests.fault.test_waiting_calls import asking, rest_of
from tests.probes.polling import until

CALLING = calling(("get_weather", '{"city":"Oslo"}'))
FEW, MANY = 12, 1_000
AT_ONCE = 16
PATIENCE = 120.0


class Fleet:
    """The processes that share a database, each of which can be replaced."""

    def __init__(self, folder: Path, url: str, upstream: PlannedUpstream, turns: int) -> None:
        self._folder = folder
        limits = {"PARLANCE_LIMITS__TURNS": str(2 * turns), "PARLANCE_LIMITS__PER_KEY__TURNS": str(2 * turns)}
        self._settings = settings_of(folder, url, upstream) | limits
        self._stacks: list[AsyncExitStack] = []
        self.doors: list[Doors] = []
        self._started = 0

    async def begin(self, count: int) -> None:
        for _ in range(count):
            await self._start(len(self.doors))

    async def replace(self, place: int) -> None:
        await self._stacks.pop(place).aclose()
        del self.doors[place]
        await self._start(place)

    async def close(self) -> None:
        for stack in self._stacks:
            await stack.aclose()

    async def _start(self, place: int) -> None:
        self._started += 1
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(started(self._folder / f"{self._started}", self._settings))
            self.doors.insert(place, await stack.enter_async_context(doors_of(server)))
            self._stacks.insert(place, stack.pop_all())


@asynccontextmanager
async def fleet(folder: Path, url: str, upstream: PlannedUpstream, turns: int) -> AsyncIterator[Fleet]:
    servers = Fleet(folder, url, upstream, turns)
    try:
        await servers.begin(servers_on(url))
        yield servers
    finally:
        await servers.close()


async def give_twice(servers: Fleet, turn: str, call: str) -> list[list[int]]:
    """Two devices answer at the same moment, at different processes where there are some; what they were told."""

    async def give(device: int, doors: Doors) -> list[int]:
        body = {"results": [{"tool_call_id": call, "result": f"rain {device} in {turn}"}]}
        statuses = [503]
        while statuses[-1] == 503:
            given = await doors.client.post(f"/api/v1/turns/{turn}/tool_results", json=body)
            assert given.status_code in (200, 409, 503), given.text
            statuses.append(given.status_code)
        return statuses[1:]

    return await asyncio.gather(*(give(*one) for one in enumerate((servers.doors[0], servers.doors[-1]))))


async def in_state(doors: Doors, turn: str, state: str) -> bool:
    found = (await doors.client.get(f"/api/v1/turns/{turn}")).json()["status"]
    assert found in ("running", "waiting", state), (await doors.client.get(f"/api/v1/turns/{turn}")).text
    return bool(found == state)


@pytest.mark.requirement("durability:calls:restarts")
async def test_calls_wait_while_all_servers_are_replaced_and_are_answered_once(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    count = MANY if long_run else FEW
    few = asyncio.Semaphore(AT_ONCE)

    async def ask(place: int) -> tuple[str, str]:
        doors = servers.doors[place % len(servers.doors)]
        async with few:
            turn, (call,) = await asking(doors.client, 1)
            await until(partial(in_state, doors, turn, "waiting"), within=PATIENCE)
        return turn, call

    async def answer(turn: str, call: str) -> None:
        async with few:
            given = await give_twice(servers, turn, call)
            # Who was told that nobody had taken it yet may find it taken.
            taken = [device for device, told in enumerate(given) if told[-1] == 200] or [
                device for device, told in enumerate(given) if told[0] == 503
            ]
            await until(partial(in_state, servers.doors[0], turn, "completed"), within=PATIENCE)
            told = await rest_of(servers.doors[-1].client, turn)
            (result,) = [line["tool_result"] for line in told if "tool_result" in line]
            assert result["output"] in [f"rain {device} in {turn}" for device in taken]
            assert sum(told[-1] == 200 for told in given) <= 1
            assert await give_twice(servers, turn, call) == [[409], [409]]

    async with (
        PlannedUpstream(*[CALLING] * count) as upstream,
        fleet(tmp_path, database_url, upstream, count) as servers,
    ):
        waiting = await asyncio.gather(*map(ask, range(count)))
        for place in range(len(servers.doors)):
            await servers.replace(place)
        await asyncio.gather(*(answer(turn, call) for turn, call in waiting))
        assert len(upstream.requests) == 2 * count
