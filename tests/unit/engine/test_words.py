"""Words of other processes: each is obeyed once, also where it comes before its turn runs here."""

import asyncio

import pytest

from parlance.core.events import StepStarted, ToolCalled, ToolReturned, TurnEnded
from parlance.core.ids import OwnerId, TurnId, new_turn_id
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.stores import Page
from parlance.core.stores.bells import Unsubscribe, Wake
from parlance.core.stores.turns import Accepted, NewTurn, Word
from parlance.core.tool import Answer
from parlance.engine import words
from parlance.engine.turn_state import Turn
from parlance.engine.words import Words
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.testing.clock import settle
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.turns.chat_stage import ChatStage, Shelves, heard
from tests.turns.stage import Stage, here, of, until


class Spoken:
    """Bells whose words a test says."""

    def __init__(self) -> None:
        self.words: list[Word] = []
        self.wake: Wake | None = None

    def subscribe(self, to: object, wake: Wake) -> Unsubscribe:
        raise NotImplementedError

    def attend(self, owner: OwnerId, wake: Wake) -> Unsubscribe:
        self.wake = wake
        return lambda: None

    def await_departures(self, wake: Wake) -> Unsubscribe:
        raise NotImplementedError

    async def send(self, word: Word) -> bool:
        self.words.append(word)
        assert self.wake is not None
        self.wake()
        return True

    async def words_for(self, owner: OwnerId) -> tuple[Word, ...]:
        said, self.words = tuple(self.words), []
        return said


def stop(turn: TurnId) -> Word:
    return Word(turn=turn, stop="cancelled")


async def a_turn() -> Turn:
    return await Stage(ScriptedProvider([asyncio.Event()])).start()


@pytest.mark.requirement("stores:turns:words:early")
async def test_words_for_a_turn_that_does_not_run_here_yet_are_kept_for_it() -> None:
    bells, turn, other = Spoken(), await a_turn(), await a_turn()
    said = Words(bells, OwnerId("us"))
    said.attend(lambda _: None)
    await bells.send(stop(turn.id))
    await settle()
    await said.obey_early(other)
    assert (turn.stopped, other.stopped) == (False, False)
    await said.obey_early(turn)
    assert turn.stopped
    await said.close()
    for one in (turn, other):
        one.stop("cancelled")
        await one.finished()


@pytest.mark.requirement("stores:turns:words:early")
async def test_words_for_turns_that_never_come_are_forgotten_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST_EARLY", 3)
    bells, turns = Spoken(), [await a_turn() for _ in range(4)]
    said = Words(bells, OwnerId("us"))
    said.attend(lambda _: None)
    for _ in range(5):
        await bells.send(stop(new_turn_id()))
    for turn in turns:
        await bells.send(stop(turn.id))
    await settle()
    for turn in turns:
        await said.obey_early(turn)
    assert [turn.stopped for turn in turns] == [False, True, True, True]
    await said.close()
    for turn in turns:
        turn.stop("cancelled")
        await turn.finished()


async def test_no_turn_that_never_comes_takes_more_room_than_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is for all words together: many for one turn are no way around it."""
    monkeypatch.setattr(words, "MOST_EARLY", 3)
    bells, turn, other = Spoken(), await a_turn(), await a_turn()
    said = Words(bells, OwnerId("us"))
    said.attend(lambda _: None)
    await bells.send(stop(turn.id))
    for _ in range(3):
        await bells.send(Word(turn=other.id, answers=()))
    await settle()
    await said.obey_early(turn)
    assert not turn.stopped
    await said.close()
    for one in (turn, other):
        one.stop("cancelled")
        await one.finished()


class SlowToSay(InMemoryTurns):
    """A turn is accepted, and its process hears of it only when `heard` is set."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(shelves.shelf)
        self.heard = asyncio.Event()

    async def accept(self, new: NewTurn) -> Accepted:
        accepted = await super().accept(new)
        await self.heard.wait()
        return accepted


@pytest.mark.requirement("stores:turns:words:early")
async def test_a_cancel_between_a_turns_acceptance_and_its_start_cancels_it() -> None:
    shelves = await Shelves().opened()
    shelves.turns = turns = SlowToSay(shelves)
    near, far = ChatStage(shelves, ScriptedProvider(answering("Never"))), ChatStage(shelves)
    chat = await shelves.chat()
    sending = asyncio.create_task(near.send(chat))
    await settle()
    (record,) = await shelves.turns.list(chat, Page(), None)
    assert (await far.engine.find(record.id, LOCAL_ADMIN)).stop("cancelled")
    await settle()
    assert shelves.shelf.words == []
    turns.heard.set()
    events = await heard(await sending)
    assert events[-1] == TurnEnded("cancelled")
    assert of(events, StepStarted) == []
    assert isinstance(near.provider, ScriptedProvider)
    assert near.provider.requests == []
    await near.engine.close()
    await far.engine.close()


@pytest.mark.requirement("stores:turns:words:early")
async def test_an_answer_for_a_turn_that_is_being_taken_over_is_taken() -> None:
    """It was given in a third process, while this one was still reading what the turn had come to."""
    shelves = await Shelves().opened()
    left, chat = ChatStage(shelves, ScriptedProvider(calling(("pick", "{}")))), await shelves.chat()
    await shelves.leases.hold(left.owner, 60)
    turn = await left.send(chat, callers_tools=("pick",))
    await until(here(turn), lambda event: isinstance(event, ToolCalled))
    await settle()
    await left.engine.close(grace=60.0)
    await shelves.leases.release(left.owner)
    near, third = ChatStage(shelves, ScriptedProvider(answering("It is red"))), ChatStage(shelves)
    (record,) = await shelves.leases.adopt(near.owner)
    (call,) = of(turn.log.read(), ToolCalled)
    seen = await third.engine.find(turn.id, LOCAL_ADMIN)
    answering_it = asyncio.create_task(seen.answer([Answer(call.call.id, "red")]))
    await settle()
    assert shelves.shelf.words == []
    await near.engine.adopt(record)
    await answering_it
    events = await heard(await near.engine.find(turn.id, LOCAL_ADMIN))
    (returned,) = of(events, ToolReturned)
    await seen.finished()
    assert (returned.result.output, events[-1]) == ("red", seen.ending)
    assert seen.ending.status == "completed"
    await near.engine.close()
    await third.engine.close()
