"""A stored turn, tool rounds and a waiting call included, is stopped at every point of it, in every way: it ends once,
and what is kept of it, what is told here and what another process tells are the same.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from parlance.core.errors import CallNotWaiting
from parlance.core.events import Event, ToolCalled
from parlance.core.ids import ChatId
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.tool import Answer
from parlance.engine.view import TurnView
from parlance.journal.stored import Keeping
from tests.fault.surroundings import Distant
from tests.fault.test_every_await import look, reach, scripted
from tests.probes.leaks import LeakProbe
from tests.turns.chat_stage import ChatStage, Shelves, heard
from tests.turns.laws import broken_laws
from tests.turns.stage import PATIENCE, here

Stop = Callable[[ChatStage, ChatStage, TurnView], Awaitable[None]]


async def by_its_caller(here_: ChatStage, there: ChatStage, turn: TurnView) -> None:
    turn.stop("cancelled")


async def from_another_process(here_: ChatStage, there: ChatStage, turn: TurnView) -> None:
    (await there.engine.find(turn.id, LOCAL_ADMIN)).stop("cancelled")


async def by_a_stranger(here_: ChatStage, there: ChatStage, turn: TurnView) -> None:
    """Who cancels its task without asking the turn, while it is being answered."""
    running = here(turn)
    if running._task is not None and running.begun and not running._ending:
        running._task.cancel()


async def by_the_end_of_the_server(here_: ChatStage, there: ChatStage, turn: TurnView) -> None:
    here_.engine.interrupt()


async def by_both_processes(here_: ChatStage, there: ChatStage, turn: TurnView) -> None:
    await from_another_process(here_, there, turn)
    await by_its_caller(here_, there, turn)


STOPS: tuple[Stop, ...] = (
    by_its_caller,
    from_another_process,
    by_a_stranger,
    by_the_end_of_the_server,
    by_both_processes,
)


async def listen(turn: TurnView) -> list[Event]:
    """All that it says, and its caller's calls are answered."""
    told: list[Event] = []
    async with asyncio.timeout(PATIENCE):
        with turn.followed() as follower:
            async for batch in follower:
                told += batch.events
                for event in batch.events:
                    if isinstance(event, ToolCalled) and event.runner == "client":
                        with suppress(CallNotWaiting):
                            await turn.answer([Answer(event.call.id, "two")])
    return told


async def check_once(shelves: Shelves, chat: ChatId, turn: TurnView, told: list[Event], there: ChatStage) -> None:
    kept = await shelves.turns.events(turn.id)
    assert not broken_laws(told)
    assert [number for number, _ in kept.events] == list(range(1, len(told) + 1))
    assert [event for _, event in kept.events] == told
    assert await heard(await there.engine.find(turn.id, LOCAL_ADMIN)) == told
    status = turn.ending.status
    assert kept.turn.state == status
    assert {one.status for one in await shelves.messages.all(chat, None)} == {status}


@pytest.mark.requirement("durability:endings")
@pytest.mark.parametrize("durability", ["grouped", "strict"])
@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.__name__)
async def test_a_stored_turn_that_is_stopped_at_any_point_ends_once_and_alike_everywhere(
    stop: Stop, durability: str, leak_probe: LeakProbe, long_run: bool
) -> None:
    keeping = Keeping("strict", delay=0.0) if durability == "strict" else Keeping(delay=0.0)
    statuses: list[str] = []
    for passes in itertools.count(0, 1 if long_run else 3):
        shelves, provider = await Shelves().opened(), scripted()
        stage = ChatStage(shelves, Distant(provider, reach), look(reach), keeping=keeping)
        there, chat = ChatStage(shelves, keeping=keeping), await shelves.chat()
        turn = await stage.send(chat, callers_tools=("pick",))
        listening = asyncio.create_task(listen(turn))
        for _ in range(passes):
            await asyncio.sleep(0)
        over = turn.ended
        await stop(stage, there, turn)
        await turn.finished()
        await check_once(shelves, chat, turn, await listening, there)
        statuses.append(turn.ending.status)
        assert provider.opened == provider.closed
        await stage.engine.close()
        await there.engine.close()
        if over:
            break
    assert len(statuses) > (30 if long_run else 10)
    assert statuses[-1] == "completed"
    assert len(set(statuses)) > 1
