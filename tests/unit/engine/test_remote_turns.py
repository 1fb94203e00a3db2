"""Turns that another process runs: told here from what is kept of them, however many look, and whoever goes on."""

import asyncio
from collections.abc import Sequence
from copy import copy

import pytest

from parlance.core.errors import CallNotWaiting, ChatNotFound, CursorExpired, StorageUnavailable
from parlance.core.events import TextGrew, ToolCalled, ToolReturned
from parlance.core.ids import ChatId, TurnId
from parlance.core.journal import Cursor
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.stores import Page, Reach
from parlance.core.stores.turns import Ending, KeptEvents, Piece, SendPolicy, TurnRecord
from parlance.core.tool import Answer
from parlance.engine import chat_turns
from parlance.store.in_memory.chats import InMemoryChats
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.testing.clock import settle
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.turns.chat_stage import ChatStage, Shelves, heard
from tests.turns.laws import broken_laws
from tests.turns.stage import ending, here, of, until


class DistantTurns(InMemoryTurns):
    """What is read is on its way for a while."""

    async def events(self, turn: TurnId, after: int = 0) -> KeptEvents:
        kept = await super().events(turn, after)
        await settle()
        return kept


async def test_what_many_take_up_at_once_is_told_once() -> None:
    shelves = await Shelves().opened()
    shelves.turns = DistantTurns(shelves.shelf)
    go = asyncio.Event()
    near, far = (
        ChatStage(shelves, ScriptedProvider([*answering("a", "b")[:-1], go, *answering("c")])),
        ChatStage(shelves),
    )
    turn = await near.send(await shelves.chat())
    seen = await far.engine.find(turn.id, LOCAL_ADMIN)
    following = [asyncio.create_task(heard(seen)) for _ in range(5)]
    await settle()
    go.set()
    looked = await asyncio.gather(*(far.engine.find(turn.id, LOCAL_ADMIN) for _ in range(20)))
    assert {id(one) for one in looked} == {id(seen)}
    events = await heard(turn)
    assert all([await one == events for one in following])
    await near.engine.close()
    await far.engine.close()


class VanishingTurns(InMemoryTurns):
    """Somebody deletes a chat as soon as its turns have been listed."""

    async def list(self, chat: ChatId, page: Page, reach: Reach, *, open_only: bool = False) -> tuple[TurnRecord, ...]:
        listed = await super().list(chat, page, reach, open_only=open_only)
        await InMemoryChats(self._shelf).delete(chat, reach)
        return listed


async def test_turns_that_vanish_behind_their_listing_are_left_out() -> None:
    shelves = await Shelves().opened()
    near, chat = ChatStage(shelves, ScriptedProvider([asyncio.Event()])), await shelves.chat()
    await near.send(chat)
    assert len(await near.engine.open_turns(chat, LOCAL_ADMIN)) == 1
    shelves.turns = VanishingTurns(shelves.shelf)
    far = ChatStage(shelves)
    assert await far.engine.open_turns(chat, LOCAL_ADMIN) == []
    with pytest.raises(ChatNotFound):
        await far.engine.open_turns(chat, LOCAL_ADMIN)
    await near.engine.close()
    await far.engine.close()


class AwayTurns(InMemoryTurns):
    """A process that reaches its database no more, once `away` is set."""

    away = False

    async def keep(self, pieces: Sequence[Piece]) -> frozenset[TurnId]:
        self._check()
        return await super().keep(pieces)

    async def end(self, ending: Ending) -> TurnRecord:
        self._check()
        return await super().end(ending)

    def _check(self) -> None:
        if self.away:
            raise StorageUnavailable("The database is away.")


async def test_a_cursor_of_what_was_shown_and_never_kept_is_refused_though_the_numbers_went_on() -> None:
    shelves = await Shelves().opened()
    cut_off = copy(shelves)
    cut_off.turns = turns = AwayTurns(shelves.shelf)
    go, never = asyncio.Event(), asyncio.Event()
    near = ChatStage(cut_off, ScriptedProvider([*answering("kept")[:-1], go, *answering("s", "h", "own")[:-1], never]))
    far = ChatStage(shelves)
    await shelves.leases.hold(near.owner, 60)
    turn = await near.send(await shelves.chat())
    await until(here(turn), lambda event: isinstance(event, TextGrew))
    await settle()
    seen = await far.engine.find(turn.id, LOCAL_ADMIN)
    following = asyncio.create_task(heard(seen))
    await settle()
    kept, turns.away = seen.log.head, True
    go.set()
    await settle()
    shown = turn.log.head
    assert kept == seen.log.head < shown
    await shelves.leases.release(near.owner)
    assert await shelves.leases.sweep() == (turn.id,)
    told = await following
    assert broken_laws(told) == []
    assert ending(told).status == "incomplete"
    assert len(told) >= shown
    assert seen.log.check(Cursor(turn.log.epoch, kept)) == kept
    for number in range(kept + 1, shown + 1):
        with pytest.raises(CursorExpired):
            seen.log.check(Cursor(turn.log.epoch, number))
    assert seen.log.check(Cursor(seen.log.epoch, seen.log.head)) == len(told)
    await near.engine.close()
    await far.engine.close()


async def test_of_two_who_answer_a_call_from_elsewhere_one_is_told_that_it_was_too_late() -> None:
    shelves = await Shelves().opened()
    near, far = ChatStage(shelves, ScriptedProvider(calling(("pick", "{}")), answering("Red"))), ChatStage(shelves)
    turn = await near.send(await shelves.chat(), callers_tools=("pick",))
    await until(here(turn), lambda event: isinstance(event, ToolCalled))
    await settle()
    (call,) = of(turn.log.read(), ToolCalled)
    seen = await far.engine.find(turn.id, LOCAL_ADMIN)
    given = [seen.answer([Answer(call.call.id, colour)]) for colour in ("red", "blue")]
    outcomes = await asyncio.gather(*given, return_exceptions=True)
    (returned,) = of(await heard(turn), ToolReturned)
    assert returned.result.output == "red"
    assert outcomes[0] is None
    assert isinstance(outcomes[1], CallNotWaiting)
    await near.engine.close()
    await far.engine.close()


@pytest.mark.parametrize(("policy", "status"), [("queue", "superseded"), ("interrupt", None)])
async def test_a_message_elsewhere_makes_room_as_one_here_does(policy: SendPolicy, status: str | None) -> None:
    """What waits for its caller is superseded; what speaks is cancelled, where the policy says so."""
    shelves = await Shelves().opened()
    speaks = ScriptedProvider([*answering("So")[:-1], asyncio.Event()])
    near = ChatStage(shelves, ScriptedProvider(calling(("pick", "{}"))) if status else speaks)
    far, chat = ChatStage(shelves), await shelves.chat()
    turn = await near.send(chat, callers_tools=("pick",))
    await until(here(turn), lambda event: isinstance(event, ToolCalled | TextGrew))
    await settle()
    after = await far.send(chat, "Never mind", policy=policy)
    assert ending(await heard(after)).status == "completed"
    ended = ending(await heard(turn))
    assert (ended.status, ended.fault.code if ended.fault else None) == (
        "incomplete" if status else "cancelled",
        status,
    )
    await near.engine.close()
    await far.engine.close()


@pytest.mark.parametrize(
    ("waits", "grace", "status"),
    [("when it came", -1.0, "incomplete"), ("later", 60.0, "incomplete"), ("later", -1.0, "completed")],
)
async def test_a_message_ends_a_wait_of_another_process_that_was_there_when_it_came(
    waits: str, grace: float, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that its process had not kept yet, for which there is a grace."""
    monkeypatch.setattr(chat_turns, "LOOK", 0.0)
    monkeypatch.setattr(chat_turns, "WAITED_BEFORE", grace)
    shelves, gate = await Shelves().opened(), asyncio.Event()
    near = ChatStage(shelves, ScriptedProvider([gate, *calling(("pick", "{}"))], answering("Red")))
    far = ChatStage(shelves, ScriptedProvider(answering("Two")))
    chat = await shelves.chat()
    first = await near.send(chat, callers_tools=("pick",))
    second = await far.send(chat, "second") if waits == "later" else None
    gate.set()
    await until(here(first), lambda event: isinstance(event, ToolCalled))
    await settle()
    second = second or await far.send(chat, "second")
    await settle()
    if status == "completed":
        assert first.waiting
        (call,) = of(first.log.read(), ToolCalled)
        await first.answer([Answer(call.call.id, "red")])
    await heard(second)
    assert (first.ending.status, second.ending.status) == (status, "completed")
    await near.engine.close()
    await far.engine.close()
