"""Many come back to a turn at the same moment: it is loaded once, and each gets all of it."""

import asyncio

import pytest

from parlance.core.errors import StorageUnavailable
from parlance.core.ids import TurnId
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.stores.turns import KeptEvents
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.testing.clock import settle
from tests.probes.leaks import LeakProbe
from tests.turns.chat_stage import ChatStage, Shelves, heard


class GatedTurns(InMemoryTurns):
    """Reads of a turn's events wait for `go`, and fail while `away`."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(shelves.shelf)
        self.go = asyncio.Event()
        self.away = False
        self.reads = 0

    async def events(self, turn: TurnId, after: int = 0) -> KeptEvents:
        self.reads += 1
        await self.go.wait()
        if self.away:
            raise StorageUnavailable("It is away.")
        return await super().events(turn, after)


async def ended_elsewhere() -> tuple[GatedTurns, ChatStage, TurnId]:
    """A turn that has ended, and a process that has not seen it."""
    shelves = await Shelves().opened()
    near = ChatStage(shelves)
    turn = await near.send(await shelves.chat())
    await heard(turn)
    await near.engine.close()
    gated = shelves.turns = GatedTurns(shelves)
    return gated, ChatStage(shelves), turn.id


async def test_a_turn_is_loaded_once_for_all_who_ask_meanwhile(leak_probe: LeakProbe) -> None:
    turns, far, turn = await ended_elsewhere()
    finding = [asyncio.create_task(far.engine.find(turn, LOCAL_ADMIN)) for _ in range(50)]
    await settle()
    # Who asked first leaves.
    finding[0].cancel()
    turns.go.set()
    views = await asyncio.gather(*finding[1:])
    assert turns.reads == 1
    assert len({id(view) for view in views}) == 1
    assert len({tuple(await heard(view)) for view in views}) == 1
    await far.engine.close()


async def test_all_who_ask_are_told_that_it_can_not_be_loaded_and_may_ask_again(leak_probe: LeakProbe) -> None:
    turns, far, turn = await ended_elsewhere()
    turns.away = True
    finding = [asyncio.create_task(far.engine.find(turn, LOCAL_ADMIN)) for _ in range(5)]
    await settle()
    turns.go.set()
    for one in finding:
        with pytest.raises(StorageUnavailable):
            await one
    turns.away = False
    assert await heard(await far.engine.find(turn, LOCAL_ADMIN))
    await far.engine.close()
