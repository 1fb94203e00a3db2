"""Turns of stored chats: what is kept when, on which history they begin, and who waits for whom."""

import asyncio

import pytest
from msgspec import structs

from parlance.core.errors import (
    ChatBusy,
    ChatNotFound,
    ChatQueueFull,
    IdempotencyKeyReused,
    StorageUnavailable,
    TurnNotFound,
)
from parlance.core.events import Event, ToolCalled, ToolReturned, TurnEnded
from parlance.core.ids import ChatId, KeyId, new_chat_id, new_owner_id
from parlance.core.journal import Cursor
from parlance.core.principal import DEFAULT_SUBTENANT, LOCAL_ADMIN, Principal
from parlance.core.requests import Request
from parlance.core.stores import Page
from parlance.core.stores.assistants import AssistantChange
from parlance.core.stores.chats import ChatChange, NewChat
from parlance.core.tool import Answer
from parlance.engine.ask import ChatAsk
from parlance.engine.chat_turns import ChatOptions
from parlance.engine.idempotency import Idempotency
from parlance.engine.view import TurnView
from parlance.testing.clock import settle
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.turns.chat_stage import ChatStage, Shelves, heard
from tests.turns.laws import broken_laws
from tests.turns.stage import ending, here, of, until

STRANGER = Principal("subtenant", KeyId("stranger"), "elsewhere")


def said(request: Request) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in request.messages]


async def test_a_turn_ends_with_its_messages_in_the_chat() -> None:
    shelves = await Shelves().opened()
    stage, chat = ChatStage(shelves), await shelves.chat()
    events = await heard(await stage.send(chat))
    assert isinstance(events[-1], TurnEnded)
    stored = await shelves.messages.all(chat, None)
    assert [(one.message.role, one.message.text, one.status) for one in stored] == [
        ("user", "Hello", "completed"),
        ("assistant", "Hello there!", "completed"),
    ]
    (record,) = await shelves.turns.list(chat, Page(), None)
    assert [event for _, event in (await shelves.turns.events(record.id)).events] == events
    assert stage.watcher.seen[0] == events[0]
    assert stage.watcher.seen[-1] == events[-1]
    await stage.engine.close()


async def test_a_chat_may_be_made_with_its_first_message() -> None:
    shelves = await Shelves().opened()
    stage, chat = ChatStage(shelves), new_chat_id()
    turn = await stage.send(chat, asked=ChatAsk(id=chat, new=NewChat(id=chat, subtenant_id=DEFAULT_SUBTENANT)))
    await heard(turn)
    assert turn.facts.chat == chat
    assert len(await shelves.messages.all(chat, None)) == 2
    await stage.engine.close()


async def test_the_next_turn_is_asked_with_all_that_was_said() -> None:
    shelves = await Shelves().opened()
    provider = ScriptedProvider(answering("One"), answering("Two"))
    stage = ChatStage(shelves, provider)
    assistant = await shelves.assistants.create(None, AssistantChange(name="Poet", system_prompt="Rhyme."), None)
    new = NewChat(
        id=new_chat_id(), subtenant_id=DEFAULT_SUBTENANT, system_message="Be short.", assistant_id=assistant.id
    )
    chat = (await shelves.chats.create(new, None)).id
    await shelves.memories.create(DEFAULT_SUBTENANT, "name", "Ada", None)
    await heard(await stage.send(chat, "first"))
    await heard(await stage.send(chat, "second", asked=ChatAsk(id=chat, include_memories=True)))
    assert said(provider.requests[0]) == [("system", "Rhyme.\n\nBe short."), ("user", "first")]
    (role, system), *rest = said(provider.requests[1])
    assert role == "system"
    assert system.startswith("Rhyme.\n\nBe short.\n\n")
    assert "name: Ada" in system
    assert rest == [("user", "first"), ("assistant", "One"), ("user", "second")]
    await stage.engine.close()


async def test_of_a_failed_turn_only_the_users_message_is_history() -> None:
    shelves = await Shelves().opened()
    provider = ScriptedProvider([*answering("Half")[:-1], ZeroDivisionError()], answering("Whole"))
    stage, chat = ChatStage(shelves, provider), await shelves.chat()
    assert (await heard(await stage.send(chat, "first")))[-1] == (await shelves_ending(shelves, chat))
    await heard(await stage.send(chat, "again"))
    assert said(provider.requests[1]) == [("user", "first"), ("user", "again")]
    await stage.engine.close()


async def shelves_ending(shelves: Shelves, chat: str) -> object:
    record = (await shelves.turns.list(chat, Page(), None))[-1]  # type: ignore[arg-type]  # a chat's id
    return (await shelves.turns.events(record.id)).events[-1][1]


async def states(shelves: Shelves, chat: ChatId) -> list[str]:
    return [record.state for record in await shelves.turns.list(chat, Page(), None)]


async def test_messages_wait_for_the_one_before_and_see_its_answer() -> None:
    shelves = await Shelves().opened()
    go, go_on = asyncio.Event(), asyncio.Event()
    provider = ScriptedProvider([go, *answering("One")], [go_on, *answering("Two")])
    stage, chat = ChatStage(shelves, provider), await shelves.chat()
    first = await stage.send(chat, "first")
    second = await stage.send(chat, "second")
    await settle()
    assert len(provider.requests) == 1
    assert await states(shelves, chat) == ["running", "queued"]
    go.set()
    await heard(first)
    await settle()
    assert await states(shelves, chat) == ["completed", "running"]
    go_on.set()
    await heard(second)
    assert said(provider.requests[1]) == [("user", "first"), ("assistant", "One"), ("user", "second")]
    await stage.engine.close()


async def test_a_policy_refuses_or_interrupts_and_a_queue_has_an_end() -> None:
    shelves = await Shelves().opened()
    never = asyncio.Event()
    stage = ChatStage(shelves, ScriptedProvider([never], answering("Two")), options=ChatOptions(queue=1))
    chat = await shelves.chat()
    first = await stage.send(chat)
    with pytest.raises(ChatBusy):
        await stage.send(chat, policy="reject")
    await stage.send(chat)
    with pytest.raises(ChatQueueFull):
        await stage.send(chat)
    await first.finished(0.0)
    last = await stage.send(await shelves.chat(), policy="interrupt")
    await heard(last)
    await stage.engine.close()
    assert len(await shelves.messages.all(chat, None)) == 2


async def test_an_interrupting_message_ends_what_runs() -> None:
    shelves = await Shelves().opened()
    stage = ChatStage(shelves, ScriptedProvider([asyncio.Event()], answering("Two")))
    chat = await shelves.chat()
    first = await stage.send(chat)
    await settle()
    second = await stage.send(chat, policy="interrupt")
    assert (await heard(first))[-1] == TurnEnded("cancelled")
    assert isinstance((await heard(second))[-1], TurnEnded)
    assert second.ending.status == "completed"
    await stage.engine.close()


async def test_a_new_message_ends_a_wait_for_the_caller() -> None:
    shelves = await Shelves().opened()
    provider = ScriptedProvider(calling(("pick", "{}")), answering("Never mind"))
    stage, chat = ChatStage(shelves, provider), await shelves.chat()
    first = await stage.send(chat, callers_tools=("pick",))
    await until(here(first), lambda event: isinstance(event, ToolCalled))
    await settle()
    assert (await shelves.turns.find(first.id, None)).state == "waiting"
    second = await stage.send(chat, "Forget it", policy="reject")
    await heard(second)
    assert first.ending.status == "incomplete"
    assert first.ending.fault is not None
    assert first.ending.fault.code == "superseded"
    assert [role for role, _ in said(provider.requests[1])] == ["user", "assistant", "tool", "user"]
    await stage.engine.close()


async def test_the_same_request_again_is_the_turn_it_began() -> None:
    shelves = await Shelves().opened()
    provider = ScriptedProvider(answering("Once"))
    stage, chat = ChatStage(shelves, provider), await shelves.chat()
    key = Idempotency.of("key", b"asked")
    turns = await asyncio.gather(*(stage.send(chat, idempotency=key) for _ in range(20)))
    assert len({turn.id for turn in turns}) == 1
    for turn in turns:
        assert [*turn.log.read()] == [*turns[0].log.read()]
    assert len(provider.requests) == 1
    with pytest.raises(IdempotencyKeyReused):
        await stage.send(chat, idempotency=Idempotency.of("key", b"something else"))
    other = await stage.send(await shelves.chat(), idempotency=key)
    assert other.id != turns[0].id
    await heard(other)
    await stage.engine.close()


async def test_another_process_finds_what_has_ended() -> None:
    shelves = await Shelves().opened()
    stage, chat = ChatStage(shelves), await shelves.chat()
    turn = await stage.send(chat)
    events = await heard(turn)
    await stage.engine.close()
    other = ChatStage(shelves)
    found = await other.engine.find(turn.id, Principal("admin", KeyId("k")))
    assert await heard(found) == events
    assert (found.id, found.ended, found.ending, found.log.epoch) == (turn.id, True, events[-1], turn.log.epoch)
    assert not found.stop("cancelled")
    with pytest.raises(TurnNotFound):
        await other.engine.find(turn.id, STRANGER)
    with pytest.raises(ChatNotFound):
        await other.send(chat, principal=STRANGER)
    await other.engine.close()


async def test_another_process_follows_answers_and_stops_what_runs_here() -> None:
    shelves = await Shelves().opened()
    near, far = ChatStage(shelves, ScriptedProvider(calling(("pick", "{}")), answering("Red"))), ChatStage(shelves)
    chat = await shelves.chat()
    turn = await near.send(chat, callers_tools=("pick",))
    await until(here(turn), lambda event: isinstance(event, ToolCalled))
    await settle()
    seen = await far.engine.find(turn.id, Principal("admin", KeyId("k")))
    assert seen.waiting
    following = asyncio.create_task(heard(seen))
    await settle()
    (call,) = of(turn.log.read(), ToolCalled)
    await seen.answer([Answer(call.call.id, "red")])
    assert await following == await heard(turn)
    assert seen.ending.status == "completed"
    await near.engine.close()
    await far.engine.close()


async def test_a_turn_of_a_chat_that_is_cleared_is_cancelled() -> None:
    shelves = await Shelves().opened()
    stage = ChatStage(shelves, ScriptedProvider([asyncio.Event()]))
    chat = await shelves.chat()
    turn = await stage.send(chat)
    await settle()
    await stage.engine.clear(DEFAULT_SUBTENANT, chat)
    assert turn.ending.status == "cancelled"
    await shelves.chats.delete(chat, None)
    with pytest.raises(ChatNotFound):
        await shelves.messages.all(chat, None)
    await stage.engine.close()


async def test_what_was_deleted_with_its_chat_is_not_told_from_memory() -> None:
    shelves = await Shelves().opened()
    stage, chat = ChatStage(shelves), await shelves.chat()
    turn = await stage.send(chat)
    await heard(turn)
    assert await stage.engine.find(turn.id, LOCAL_ADMIN) is turn
    # As another process does it, of which this one hears nothing.
    await shelves.chats.delete(chat, None)
    for _ in range(2):
        with pytest.raises(TurnNotFound):
            await stage.engine.find(turn.id, LOCAL_ADMIN)
    await stage.engine.close()


async def test_a_stored_turn_goes_on_though_nobody_follows_and_ends_incomplete_at_a_stop() -> None:
    shelves = await Shelves().opened()
    stage = ChatStage(shelves, ScriptedProvider([*answering("So")[:-1], asyncio.Event()]))
    chat = await shelves.chat()
    turn = await stage.send(chat)
    await settle()
    await stage.engine.close()
    assert turn.ending.status == "incomplete"
    stored = await shelves.messages.all(chat, None)
    assert [(one.message.role, one.status) for one in stored] == [("user", "incomplete"), ("assistant", "incomplete")]


async def test_what_a_chat_selects_is_what_the_model_is_offered() -> None:
    shelves = await Shelves().opened()
    stage, chat = ChatStage(shelves), await shelves.chat()
    await shelves.chats.change(chat, ChatChange(enabled_functions=()), None)
    await heard(await stage.send(chat))
    assert isinstance(stage.provider, ScriptedProvider)
    assert stage.provider.requests[0].tools == ()
    await stage.engine.close()


async def left_waiting(shelves: Shelves, *calls: tuple[str, str], callers: tuple[str, ...]) -> TurnView:
    """A turn that waits for its caller in a process that stops."""
    stage, chat = ChatStage(shelves, ScriptedProvider(calling(*calls))), await shelves.chat()
    await shelves.leases.hold(stage.owner, 60)
    turn = await stage.send(chat, callers_tools=callers)
    await until(here(turn), lambda event: isinstance(event, ToolCalled))
    await settle()
    await stage.engine.close(grace=60.0)
    assert not turn.ended
    await shelves.leases.release(stage.owner)
    return turn


async def test_a_call_that_waits_for_its_caller_survives_the_process() -> None:
    shelves = await Shelves().opened()
    left = await left_waiting(shelves, ("pick", "{}"), callers=("pick",))
    provider = ScriptedProvider(answering("It is red"))
    other = ChatStage(shelves, provider)
    (record,) = await shelves.leases.adopt(other.owner)
    await other.engine.adopt(record)
    turn = await other.engine.find(left.id, LOCAL_ADMIN)
    assert record.epoch != left.log.epoch
    assert turn.log.check(Cursor(left.log.epoch, left.log.head)) == left.log.head
    await until(here(turn), lambda event: isinstance(event, ToolCalled))
    await settle()
    (call,) = of(turn.log.read(), ToolCalled)
    await turn.answer([Answer(call.call.id, "red")])
    events = await heard(turn)
    assert broken_laws(events) == []
    assert turn.ending.status == "completed"
    assert said(provider.requests[0])[0] == ("user", "Hello")
    assert [message.role for message in provider.requests[0].messages] == ["user", "assistant", "tool"]
    assert [tool.name for tool in provider.requests[0].tools] == ["pick"]
    stored = await shelves.messages.all(record.chat, None)
    assert [one.message.role for one in stored] == ["user", "assistant", "tool", "assistant"]
    await other.engine.close()


async def test_a_wait_whose_time_was_over_meanwhile_goes_on_with_an_error_for_the_model() -> None:
    shelves = await Shelves().opened()
    left = await left_waiting(shelves, ("pick", "{}"), callers=("pick",))
    pieces = shelves.shelf.pieces[left.id]
    shelves.shelf.pieces[left.id] = [
        structs.replace(one, events=[overdue(event) for event in one.events]) for one in pieces
    ]
    other = ChatStage(shelves, ScriptedProvider(answering("Never mind")))
    (record,) = await shelves.leases.adopt(other.owner)
    await other.engine.adopt(record)
    events = await heard(await other.engine.find(left.id, LOCAL_ADMIN))
    (returned,) = of(events, ToolReturned)
    assert returned.result.is_error
    assert isinstance(events[-1], TurnEnded)
    assert events[-1].status == "completed"
    await other.engine.close()


@pytest.mark.requirement("stores:turns:owners")
async def test_a_process_that_was_taken_for_dead_lets_go_of_its_turn() -> None:
    """Else it would go on asking models and running tools beside the process that has the turn now."""
    shelves = await Shelves().opened()
    provider = ScriptedProvider(calling(("pick", "{}")), [asyncio.Event()])
    stale = ChatStage(shelves, provider)
    turn = await stale.send(await shelves.chat(), callers_tools=("pick",))
    await until(here(turn), lambda event: isinstance(event, ToolCalled))
    await settle()
    owner = ChatStage(shelves, ScriptedProvider(answering("It is red")))
    await shelves.leases.hold(owner.owner, 60)
    (record,) = await shelves.leases.adopt(owner.owner)
    (call,) = of(turn.log.read(), ToolCalled)
    following = asyncio.create_task(heard(turn))
    with pytest.raises(StorageUnavailable, match="Send them again"):
        await turn.answer([Answer(call.call.id, "blue")])
    told = await following
    assert ending(told).status == "incomplete"
    assert provider.opened == provider.closed
    assert await shelves.turns.find(turn.id, None) == record
    await owner.engine.adopt(record)
    elsewhere = await stale.engine.find(turn.id, LOCAL_ADMIN)
    assert (elsewhere.ended, elsewhere.log.epoch) == (False, record.epoch)
    adopted = await owner.engine.find(turn.id, LOCAL_ADMIN)
    await adopted.answer([Answer(call.call.id, "red")])
    assert ending(await heard(adopted)).status == "completed"
    await stale.engine.close()
    await owner.engine.close()


@pytest.mark.requirement("stores:turns:owners")
async def test_a_turn_that_comes_back_to_a_process_that_was_taken_for_dead_runs_there_once() -> None:
    shelves = await Shelves().opened()
    stage = ChatStage(shelves, ScriptedProvider(calling(("pick", "{}")), answering("It is red")))
    turn = await stage.send(await shelves.chat(), callers_tools=("pick",))
    await until(here(turn), lambda event: isinstance(event, ToolCalled))
    await settle()
    await shelves.leases.adopt(new_owner_id())
    await shelves.leases.hold(stage.owner, 60)
    (record,) = await shelves.leases.adopt(stage.owner)
    await stage.engine.adopt(record)
    assert turn.ended
    again = await stage.engine.find(turn.id, LOCAL_ADMIN)
    assert (again is not turn, stage.engine.running) == (True, 1)
    (call,) = of(again.log.read(), ToolCalled)
    await settle()
    await again.answer([Answer(call.call.id, "red")])
    assert ending(await heard(again)).status == "completed"
    await again.finished()
    assert stage.engine.running == 0
    assert await stage.engine.find(turn.id, LOCAL_ADMIN) is again
    (stored,) = await shelves.turns.list(record.chat, Page(), None)
    assert (stored.state, len(stored.former_epochs)) == ("completed", 2)
    await stage.engine.close()


def overdue(event: Event) -> Event:
    return structs.replace(event, expires_at="2026-01-01T00:00:00Z") if isinstance(event, ToolCalled) else event
