"""Generated turns over real sockets, with trouble at a random moment: one ending, the same at every door, nothing left.

A failure names its seed and number; `play_alone(seed, number)` plays that turn again.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from parlance.core.events import Event, RefusalGrew, StepDropped, StepStarted, TextGrew
from parlance.core.principal import LOCAL_ADMIN
from parlance.engine.turn import run_turn
from parlance.engine.turn_state import Turn
from parlance.testing.chaos import FaultAt
from tests.fault.ears import EARS, Ear, Told
from tests.fault.house import PlayHouse, Scene, open_house
from tests.fault.plans import DOORS, Door, Plan, draw
from tests.probes.leaks import LeakProbe, alive
from tests.turns.laws import broken_laws
from tests.turns.stage import PATIENCE, ending, here

SEED = 3
BATCH = 250
"""Turns that one server plays before it is looked at as a whole."""

FEW, MANY = 200, 10_000


@pytest.fixture(autouse=True)
def _hushed(caplog: pytest.LogCaptureFixture) -> None:
    """Bugs are made here by the hundred; what is logged of them would hold their turns in memory."""
    for name in ("parlance", "uvicorn"):
        caplog.set_level(logging.CRITICAL + 1, name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One batch, or all of them: each is a test of its own, since a test may not take long."""
    if "numbers" in metafunc.fixturenames:
        whole = metafunc.config.getoption("--long")
        batches = [range(first, first + BATCH) for first in range(0, MANY, BATCH)] if whole else [range(FEW)]
        metafunc.parametrize("numbers", batches, ids=lambda numbers: f"{numbers[0]}-{numbers[-1]}")


async def test_a_turn_in_trouble_ends_once_and_alike_at_every_door_and_leaves_nothing(
    numbers: range, leak_probe: LeakProbe
) -> None:
    # Other tests raise errors that they keep, and with them the turns they went through.
    gc.collect()
    before = alive(Turn)
    async with open_stage() as stage:
        endings = {await stage.play(draw(SEED, number)) for number in numbers}
    await leak_probe.settled()
    gc.collect()
    assert alive(Turn) <= before, "turns are still in memory"
    assert {status for status, _ in endings} == {"completed", "failed", "incomplete", "cancelled"}


async def play_alone(seed: int, number: int) -> tuple[str, str | None]:
    """One turn of a long run, by itself."""
    async with open_stage() as stage:
        return await stage.play(draw(seed, number))


class Performance:
    """One plan on its way from the first word to what all doors told."""

    def __init__(self, house: PlayHouse, ears: dict[Door, Ear], plan: Plan) -> None:
        self.plan = plan
        self.told: dict[Door, Told] = {}
        self._house = house
        self._ears = ears
        self._scene = house.cast.scene = Scene(plan)
        self._turn: Turn

    async def run(self) -> Turn:
        plan = self.plan
        if not plan.gathers:
            self._scene.gathered.set()
        with driven_into_trouble(plan):
            turn_id = await self._ears[plan.door].begin(f"turn {plan.number}")
        self._turn = here(await self._house.engine.find(turn_id, LOCAL_ADMIN))
        for door in DOORS:
            if door != plan.door:
                await self._ears[door].join(turn_id)
        self._scene.gathered.set()
        hearing = {door: asyncio.create_task(self._hear(door), name=f"hearing at {door}") for door in DOORS}
        try:
            await self._make_trouble(hearing)
            for door, task in hearing.items():
                self.told[door] = await task
        finally:
            await stopped(hearing.values())
        return self._turn

    async def again(self) -> None:
        """Told once more, from the log of the ended turn."""
        for door in DOORS:
            await self._ears[door].join(self._turn.id)
            assert await self._hear(door) == self.told[door]

    async def _hear(self, door: Door) -> Told:
        return await self._ears[door].hear(answering=door == self.plan.actor and not self.plan.mute)

    async def _make_trouble(self, hearing: dict[Door, asyncio.Task[Told]]) -> None:
        plan, turn = self.plan, self._turn
        over = asyncio.create_task(turn.finished())
        struck = asyncio.create_task(self._scene.struck.wait())
        try:
            await asyncio.wait((over, struck), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await stopped((over, struck))
        if not self._scene.struck.is_set():
            return
        match plan.trouble:
            case "cancel":
                await self._ears[plan.actor].cancel(turn.id)
            case "stranger" if turn._task is not None:
                turn._task.cancel()
            case "interrupt":
                self._house.engine.interrupt()
            case "disconnect":
                await self._leave(hearing)
            case _:
                pass

    async def _leave(self, hearing: dict[Door, asyncio.Task[Told]]) -> None:
        """And come back when it is over."""
        await stopped([hearing.pop(door) for door in self.plan.leavers])
        for door in self.plan.leavers:
            await self._ears[door].leave()
        await self._turn.finished()
        for door in self.plan.leavers:
            await self._ears[door].join(self._turn.id)
            hearing[door] = asyncio.create_task(self._hear(door))


class StageOfDoors:
    """A server, and a client at each of its doors."""

    def __init__(self, house: PlayHouse) -> None:
        self.house = house
        self.ears: dict[Door, Ear] = {door: ear(house.port) for door, ear in EARS.items()}

    async def play(self, plan: Plan) -> tuple[str, str | None]:
        """Status and code of its ending. AssertionError for whatever is not as it must be."""
        try:
            async with asyncio.timeout(PATIENCE):
                performance = Performance(self.house, self.ears, plan)
                turn = await performance.run()
                await self._check(performance, turn)
                if plan.again:
                    await performance.again()
                await until(lambda: not self.house.journal.readership().followers)
        except BaseException as error:
            error.add_note(f"seed {SEED}, turn {plan.number}: {replace(plan, answers=())}")
            raise
        last = ending(turn.log.read())
        return last.status, last.fault.code if last.fault else None

    async def leave(self) -> None:
        for ear in self.ears.values():
            await ear.leave()

    async def _check(self, performance: Performance, turn: Turn) -> None:
        plan, events = performance.plan, turn.log.read()
        last, provider = ending(events), self.house.cast.scene.provider
        code = last.fault.code if last.fault else None
        assert not broken_laws(events)
        assert (last.status, code) in plan.endings
        assert len(turn.pending) == 0
        assert provider.opened == provider.closed
        await until(lambda: not self.house.engine.running)
        shown, stands, restarts = text_of(events)
        for door, told in performance.told.items():
            assert (told.status, told.code, told.text) == (last.status, code, shown), door
            assert told.restarts == restarts, door
            assert told.final in (None, stands), door
            assert told.cursor == f"{turn.log.epoch}-{turn.log.head}", door
            if last.status == "completed":
                assert told.finish == (None if door == "json_rpc" and told.finish is None else last.finish), door
        lines, frames, notices = (performance.told[door] for door in ("ndjson_chat", "ws_chat", "json_rpc"))
        assert lines.usage == frames.usage == notices.usage
        assert lines.calls == frames.calls
        assert set(notices.calls) <= set(frames.calls)


def text_of(events: Sequence[Event]) -> tuple[str, str, int]:
    """All that was shown, what of it stands, and how often the answer began anew."""
    steps, restarts = [""], 0
    shown = ""
    for event in events:
        match event:
            case TextGrew(text=text) | RefusalGrew(text=text):
                shown += text
                steps[-1] += text
            case StepStarted():
                steps.append("")
            case StepDropped():
                steps[-1] = ""
                restarts += 1
            case _:
                pass
    return shown, "".join(steps), restarts


@asynccontextmanager
async def open_stage() -> AsyncIterator[StageOfDoors]:
    async with open_house() as house:
        stage = StageOfDoors(house)
        try:
            yield stage
        finally:
            await stage.leave()


@contextmanager
def driven_into_trouble(plan: Plan) -> Iterator[None]:
    """While a turn begins: where its plan wants it, its loop is cancelled at its suspension of that number."""
    loop = asyncio.get_running_loop()

    def make_task(loop: asyncio.AbstractEventLoop, work: Any, **kwargs: Any) -> asyncio.Task[Any]:
        if getattr(work, "cr_code", None) is run_turn.__code__:
            work = FaultAt(plan.strikes_at, asyncio.CancelledError()).run(work)
        return asyncio.Task(work, loop=loop, **kwargs)

    if plan.trouble == "driver":
        loop.set_task_factory(make_task)
    try:
        yield
    finally:
        loop.set_task_factory(None)


async def stopped(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], bool], passes: int = 1000) -> None:
    """Give way until it is; what the client has seen, the server may be just about to put away."""
    for _ in range(passes):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("what must be put away by now is still there")
