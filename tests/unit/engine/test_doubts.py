"""A database that breaks off as it keeps a turn: whatever became of it, the message is there once and is answered."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from parlance.core.errors import StorageUnavailable, TurnNotFound
from parlance.core.events import TurnEnded, TurnStarted
from parlance.core.ids import ChatId, TurnId
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.stores import Page, Reach
from parlance.core.stores.turns import IN_FLIGHT, Accepted, NewTurn, TurnRecord, Word
from parlance.engine.idempotency import Idempotency
from parlance.engine.view import TurnView
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.testing.provider import Act, ScriptedProvider, answering
from tests.turns.chat_stage import ChatStage, Shelves, heard
from tests.turns.laws import broken_laws
from tests.unit.routing.virtual_time import now, pass_by, run

KEY = Idempotency.of("key", b"asked")
SAID = "The database lost the connection."


class Breaking(InMemoryTurns):
    """The next acceptance is not answered. It is kept (`keeps`), or comes to be kept when `arrives` is set, or not.
    Until `back` is set the database can't be asked.
    """

    def __init__(self, shelves: Shelves, *, keeps: bool = True) -> None:
        super().__init__(shelves.shelf)
        self.keeps = keeps
        self.breaks = 1
        self.back = asyncio.Event()
        self.on_its_way: list[NewTurn] = []

    async def accept(self, new: NewTurn) -> Accepted:
        if not self.breaks:
            return await super().accept(new)
        self.breaks -= 1
        if self.keeps:
            await super().accept(new)
        else:
            self.on_its_way.append(new)
        raise StorageUnavailable(SAID, retry_after=1.0, maybe_kept=True)

    async def arrive(self) -> None:
        for new in self.on_its_way:
            await super().accept(new)

    async def find(self, turn: TurnId, reach: Reach) -> TurnRecord:
        if not self.back.is_set():
            raise StorageUnavailable(SAID)
        return await super().find(turn, reach)


class Scene:
    def __init__(self, shelves: Shelves, turns: Breaking, stage: ChatStage, chat: ChatId) -> None:
        self.shelves = shelves
        self.turns = turns
        self.stage = stage
        self.chat = chat

    async def refused(self) -> StorageUnavailable:
        begun = now()
        with pytest.raises(StorageUnavailable) as refusal:
            await self.stage.send(self.chat, idempotency=KEY)
        assert now() - begun <= 1.0
        return refusal.value

    async def told(self) -> list[tuple[str, str, str | None]]:
        stored = await self.shelves.messages.all(self.chat, None)
        return [(one.message.role, one.message.text, one.status) for one in stored]

    async def answered(self, turn: TurnView) -> None:
        """The message is there once, answered by one call of the model, and its turn tells it so."""
        events = await heard(turn)
        assert broken_laws(events) == []
        assert isinstance(events[0], TurnStarted)
        assert turn.ending.status == "completed"
        assert await self.told() == [("user", "Hello", "completed"), ("assistant", "Hello there!", "completed")]
        assert isinstance(self.stage.provider, ScriptedProvider)
        assert len(self.stage.provider.requests) == 1


async def scene(*answers: list[Act], keeps: bool = True) -> Scene:
    shelves = await Shelves().opened()
    shelves.turns = turns = Breaking(shelves, keeps=keeps)
    stage = ChatStage(shelves, ScriptedProvider(*answers))
    await shelves.leases.hold(stage.owner, 3600)
    return Scene(shelves, turns, stage, await shelves.chat())


def play(story: Coroutine[Any, Any, None]) -> None:
    """In virtual time."""
    run(story)


@pytest.mark.requirement("stores:turns:doubt")
def test_a_database_that_is_back_at_once_costs_nobody_anything() -> None:
    async def story() -> None:
        at = await scene()
        asyncio.get_running_loop().call_later(0.3, at.turns.back.set)
        turn = await at.stage.send(at.chat)
        await at.answered(turn)
        await at.stage.engine.close()

    play(story())


@pytest.mark.requirement("stores:turns:doubt")
@pytest.mark.parametrize("away", [0.0, 2.0, 60.0])
def test_a_retry_under_its_key_gets_the_answer_that_was_begun_meanwhile(away: float) -> None:
    async def story() -> None:
        at = await scene()
        assert (await at.refused()).retry_after is not None
        await pass_by(away)
        at.turns.back.set()
        await pass_by(2.0)
        assert [role for role, _, _ in await at.told()] == ["user", "assistant"]
        await at.answered(await at.stage.send(at.chat, idempotency=KEY))
        await at.stage.engine.close()

    play(story())


@pytest.mark.requirement("stores:turns:doubt")
def test_a_retry_that_comes_before_anybody_looked_begins_what_was_accepted() -> None:
    async def story() -> None:
        at = await scene()
        await at.refused()
        at.turns.back.set()
        turns = await asyncio.gather(*(at.stage.send(at.chat, idempotency=KEY) for _ in range(20)))
        assert len({id(turn) for turn in turns}) == 1
        await at.answered(turns[0])
        await at.stage.engine.close()

    play(story())


@pytest.mark.requirement("stores:turns:doubt")
def test_callers_who_leave_break_nothing_off() -> None:
    async def story() -> None:
        at = await scene()
        first = asyncio.create_task(at.stage.send(at.chat, idempotency=KEY))
        await pass_by(0.3)
        first.cancel()
        second = asyncio.create_task(at.stage.send(at.chat, idempotency=KEY))
        await pass_by(0.01)
        at.turns.back.set()
        second.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert first.cancelled()
        assert second.cancelled()
        await pass_by(2.0)
        await at.answered(await at.stage.send(at.chat, idempotency=KEY))
        await at.stage.engine.close()

    play(story())


@pytest.mark.requirement("stores:turns:doubt")
def test_a_message_that_was_not_kept_is_accepted_when_it_comes_again() -> None:
    async def story() -> None:
        at = await scene(keeps=False)
        await at.refused()
        at.turns.back.set()
        await pass_by(2.0)
        assert await at.told() == []
        await at.answered(await at.stage.send(at.chat, idempotency=KEY))
        await pass_by(2 * IN_FLIGHT)
        assert len(await at.told()) == 2
        await at.stage.engine.close()

    play(story())


@pytest.mark.requirement("stores:turns:doubt")
def test_a_commit_that_was_still_on_its_way_is_found_when_it_arrives() -> None:
    """The database answered others before: that a turn is not there does not mean that it never will be."""

    async def story() -> None:
        at = await scene(keeps=False)
        at.turns.back.set()
        await at.refused()
        await pass_by(IN_FLIGHT / 2)
        await at.turns.arrive()
        await pass_by(2.0)
        await at.answered(await at.stage.send(at.chat, idempotency=KEY))
        await at.stage.engine.close()

    play(story())


def test_what_never_appears_is_not_looked_for_for_ever() -> None:
    async def story() -> None:
        at = await scene(keeps=False)
        await at.refused()
        at.turns.back.set()
        await pass_by(IN_FLIGHT + 5)
        # Nobody waits for a time any more: every other loop would stand still.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not [task for task in others if "may have been accepted" in task.get_name()]
        await at.stage.engine.close()

    play(story())


def test_a_turn_that_others_ended_meanwhile_is_told_as_they_ended_it() -> None:
    async def story() -> None:
        at = await scene()
        await at.refused()
        await at.shelves.leases.release(at.stage.owner)
        (swept,) = await at.shelves.leases.sweep()
        at.turns.back.set()
        turn = await at.stage.send(at.chat, idempotency=KEY)
        assert (turn.id, turn.ending.status) == (swept, "incomplete")
        assert [role for role, _, _ in await at.told()] == ["user"]
        await at.stage.engine.close()

    play(story())


def test_a_chat_that_was_deleted_meanwhile_leaves_nothing_behind() -> None:
    async def story() -> None:
        at = await scene()
        await at.refused()
        await at.shelves.chats.delete(at.chat, None)
        at.turns.back.set()
        await pass_by(IN_FLIGHT + 5)
        assert at.stage.engine.running == 0
        await at.stage.engine.close()

    play(story())


def test_a_server_that_stops_begins_nothing_any_more() -> None:
    """Whoever sweeps up after it says how the turn ended."""

    async def story() -> None:
        at = await scene()
        await at.refused()
        await at.stage.engine.close()
        at.turns.back.set()
        await pass_by(5.0)
        (record,) = await at.shelves.turns.list(at.chat, Page(), None)
        assert record.state == "running"
        await at.shelves.leases.release(at.stage.owner)
        assert await at.shelves.leases.sweep() == (record.id,)

    play(story())


def test_what_is_found_waits_for_the_turns_before_it_and_hears_what_was_said_to_it() -> None:
    async def story() -> None:
        go = asyncio.Event()
        at = await scene([go, *answering("First")], answering("Never"))
        at.turns.breaks = 0
        first = await at.stage.send(at.chat, "first")
        at.turns.breaks = 1
        await at.refused()
        _, second = await at.shelves.turns.list(at.chat, Page(), None)
        assert second.state == "queued"
        await at.shelves.bells.send(Word(turn=second.id, stop="cancelled"))
        at.turns.back.set()
        turn = await at.stage.send(at.chat, idempotency=KEY)
        assert (await heard(turn))[-1] == TurnEnded("cancelled")
        go.set()
        await heard(first)
        await at.stage.engine.close()

    play(story())


def test_a_refusal_of_which_the_database_is_sure_is_told_at_once() -> None:
    class Away(InMemoryTurns):
        async def accept(self, new: NewTurn) -> Accepted:
            raise StorageUnavailable(SAID)

        async def find(self, turn: TurnId, reach: Reach) -> TurnRecord:
            raise TurnNotFound("Nobody asked for it.")

    async def story() -> None:
        shelves = await Shelves().opened()
        shelves.turns = Away(shelves.shelf)
        stage = ChatStage(shelves)
        begun = now()
        with pytest.raises(StorageUnavailable):
            await stage.send(await shelves.chat(), idempotency=KEY)
        assert now() == begun
        with pytest.raises(TurnNotFound):
            await stage.engine.find("0199a8c0-0000-7000-8000-000000000000", LOCAL_ADMIN)
        await stage.engine.close()

    play(story())
