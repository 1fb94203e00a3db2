"""What every store of leases promises: the turns of the dead end once, with what was kept of their answers."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import Raw

from parlance.core.events import (
    Event,
    PartAnnotated,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    StepEnded,
    StepStarted,
    TextGrew,
    ToolCalled,
    ToolReturned,
    TurnEnded,
)
from parlance.core.ids import CallId, OwnerId, new_message_id, new_owner_id
from parlance.core.parts import Annotation, Reasoning, Text, ToolCall
from parlance.core.snapshot import fold_snapshot
from parlance.core.stores import Page
from parlance.core.stores.turns import TurnRecord
from tests.contract.stores.turn_world import ORIGIN, Keepers, a_key, a_piece, a_step, an_ending, ids, texts
from tests.contract.stores.turn_world import keepers as keepers

LONG = 3600.0
_ALL = Page()


async def begun(keepers: Keepers, *events: Event, owner: OwnerId | None = None) -> TurnRecord:
    """A running turn that has told these events."""
    turn = (await keepers.accept(owner=owner)).turn
    await keepers.turns.keep([a_piece(turn, list(events))])
    return await keepers.turns.find(turn.id, None)


async def log_of(keepers: Keepers, turn: TurnRecord) -> list[Event]:
    return [event for _, event in (await keepers.turns.events(turn.id)).events]


async def test_the_turns_of_the_living_are_left_alone(keepers: Keepers) -> None:
    owner = new_owner_id()
    await keepers.leases.hold(owner, LONG)
    turn = await begun(keepers, owner=owner)
    assert await keepers.leases.sweep() == ()
    assert await keepers.turns.find(turn.id, None) == turn


async def test_a_lease_is_renewed_and_given_back(keepers: Keepers) -> None:
    owner = new_owner_id()
    await keepers.leases.hold(owner, 0)
    await keepers.leases.hold(owner, LONG)
    turn = await begun(keepers, owner=owner)
    assert await keepers.leases.sweep() == ()
    await keepers.leases.release(owner)
    assert await keepers.leases.sweep() == (turn.id,)
    await keepers.leases.release(owner)


async def test_a_lease_that_ran_out_is_none(keepers: Keepers) -> None:
    dead, alive = new_owner_id(), new_owner_id()
    await keepers.leases.hold(dead, 0)
    await keepers.leases.hold(alive, LONG)
    swept = await begun(keepers, owner=dead)
    kept = await begun(keepers, owner=alive)
    unknown = await begun(keepers)
    assert set(await keepers.leases.sweep()) == {swept.id, unknown.id}
    assert (await keepers.turns.find(kept.id, None)).state == "running"


@pytest.mark.requirement("stores:turns:dead")
async def test_what_was_kept_of_an_answer_stands(keepers: Keepers) -> None:
    turn = await begun(keepers, *a_step("one two three")[:4])
    await keepers.leases.sweep()
    swept = await keepers.turns.find(turn.id, None)
    assert (swept.state, swept.finish) == ("incomplete", None)
    assert swept.fault is not None
    assert swept.fault.code == "interrupted"
    assert await texts(keepers, turn.chat) == [("user", "hello", "incomplete"), ("assistant", "one two", "incomplete")]
    closed, step, ended = (await log_of(keepers, turn))[5:]
    assert closed == PartClosed(1, Text("one two "))
    assert isinstance(step, StepEnded)
    assert (step.step, step.finish) == (1, None)
    assert ended == TurnEnded("incomplete", None, swept.usage, swept.fault)
    assert swept.usage is not None
    assert swept.usage.estimated


@pytest.mark.requirement("stores:turns:dead")
async def test_all_that_is_open_is_closed_as_it_was_shown(keepers: Keepers) -> None:
    note = Annotation("gemini", "cited", Raw(b"{}"))
    call = ToolCall(CallId("call_1"), "look", "")
    turn = await begun(
        keepers,
        StepStarted(1, ORIGIN),
        PartOpened(1, Reasoning("", redacted=True)),
        ReasoningGrew(1, "hm"),
        PartOpened(2, Text("")),
        TextGrew(2, "so"),
        PartAnnotated(2, note),
        PartOpened(3, call, "server"),
    )
    shown = fold_snapshot(await log_of(keepers, turn)).parts
    await keepers.leases.sweep()
    closed = [event.what for event in await log_of(keepers, turn) if isinstance(event, PartClosed)]
    assert closed == [Reasoning("hm"), Text("so", (note,)), call]
    assert [type(part) for part in shown] == [type(part) for part in closed]
    messages = await keepers.messages.all(turn.chat, None)
    assert messages[-1].message.parts == (Reasoning("hm"), Text("so", (note,)))


async def test_nobody_knows_how_a_tool_of_ours_ended_that_ran(keepers: Keepers) -> None:
    call = ToolCall(CallId("call_1"), "look", "{}")
    asked = ToolCall(CallId("call_2"), "ask", "{}")
    turn = await begun(
        keepers,
        StepStarted(1, ORIGIN),
        PartClosed(1, call),
        PartClosed(2, asked),
        StepEnded(1, "tool_calls", new_message_id()),
        ToolCalled(call, "server"),
        ToolCalled(asked, "client", "2030-01-01T00:00:00Z"),
    )
    await keepers.leases.sweep()
    returned = [event.result for event in await log_of(keepers, turn) if isinstance(event, ToolReturned)]
    assert [(one.call_id, one.outcome_unknown, one.is_error) for one in returned] == [("call_1", True, True)]
    roles = [stored.message.role for stored in await keepers.messages.all(turn.chat, None)]
    assert roles == ["user", "assistant", "tool"]


async def test_a_turn_that_only_waited_ends_without_an_answer(keepers: Keepers) -> None:
    first = (await keepers.accept()).turn
    second = (await keepers.accept(first.chat, "later")).turn
    assert await keepers.leases.sweep() == (first.id, second.id)
    assert [state for _, _, state in await texts(keepers, first.chat)] == ["incomplete", "incomplete"]
    assert isinstance((await log_of(keepers, second))[1], TurnEnded)


@pytest.mark.requirement("stores:turns:dead:epoch")
async def test_what_follows_the_kept_events_bears_a_new_epoch(keepers: Keepers) -> None:
    """The owner may have told more than was kept: a cursor from there must not pass for one of the closing."""
    turn = await begun(keepers, *a_step("one two")[:3])
    await keepers.leases.sweep()
    kept = await keepers.turns.events(turn.id)
    assert kept.turn.epoch != turn.epoch
    assert kept.epochs == ((turn.head, turn.epoch), (kept.turn.head, kept.turn.epoch))
    assert kept.epoch_of(turn.head) == turn.epoch
    assert kept.epoch_of(turn.head + 1) == kept.turn.epoch


@pytest.mark.requirement("stores:turns:dead:once")
async def test_a_turn_is_swept_once_however_many_sweep(keepers: Keepers) -> None:
    turns = [await begun(keepers, *a_step("one two")[:4]) for _ in range(30)]
    swept = await asyncio.gather(*(keepers.leases.sweep() for _ in range(4)))
    assert sorted(turn for some in swept for turn in some) == sorted(turn.id for turn in turns)
    for turn in turns:
        log = await log_of(keepers, turn)
        assert sum(isinstance(event, TurnEnded) for event in log) == 1
        assert len(await texts(keepers, turn.chat)) == 2


@pytest.mark.requirement("stores:turns:dead:once")
async def test_an_owner_that_was_taken_for_dead_is_told_how_its_turn_ended(keepers: Keepers) -> None:
    turn = await begun(keepers, *a_step("one two")[:3])
    await keepers.leases.sweep()
    swept = await keepers.turns.find(turn.id, None)
    await keepers.turns.keep([a_piece(turn, [TextGrew(1, "late")], 5)])
    await keepers.turns.state(turn.id, turn.epoch, "waiting")
    late = await keepers.turns.end(an_ending(turn, a_step("one two")[3:], first=5))
    assert late == swept
    assert await keepers.turns.find(turn.id, None) == swept
    assert len(await texts(keepers, turn.chat)) == 2


async def test_turns_that_have_ended_are_nobodys_to_sweep(keepers: Keepers) -> None:
    await keepers.answered(await keepers.chat(), "one", "two")
    assert await keepers.leases.sweep() == ()


async def test_the_next_turn_of_a_chat_may_begin_when_the_dead_one_is_swept(keepers: Keepers) -> None:
    owner = new_owner_id()
    await keepers.leases.hold(owner, LONG)
    dead = (await keepers.accept()).turn
    waiting = (await keepers.accept(dead.chat, owner=owner)).turn
    assert not await keepers.turns.ended_before(waiting)
    assert await keepers.leases.sweep() == (dead.id,)
    assert await keepers.turns.ended_before(waiting)
    assert ids(await keepers.turns.list(dead.chat, _ALL, None, open_only=True)) == [waiting.id]


@pytest.mark.requirement("stores:turns:adopted")
async def test_what_waits_for_its_caller_may_be_adopted(keepers: Keepers) -> None:
    mine, other = new_owner_id(), new_owner_id()
    await keepers.leases.hold(mine, LONG)
    await keepers.leases.hold(other, LONG)
    running = await begun(keepers, *a_step("one two")[:3])
    waiting = await begun(keepers, *a_step("one two"))
    living = await begun(keepers, *a_step("one two"), owner=other)
    for turn in (waiting, living):
        await keepers.turns.state(turn.id, turn.epoch, "waiting")
    # Its process may stop behind somebody's look for those that wait: to sweep must not end it.
    assert await keepers.leases.sweep() == (running.id,)
    (adopted,) = await keepers.leases.adopt(mine)
    assert (adopted.id, adopted.owner, adopted.state, adopted.head) == (waiting.id, mine, "waiting", waiting.head)
    assert adopted.epoch != waiting.epoch
    assert await keepers.turns.find(waiting.id, None) == adopted
    assert await keepers.leases.adopt(mine) == ()


@pytest.mark.requirement("stores:turns:adopted")
async def test_an_adopted_turn_is_its_new_owners_alone(keepers: Keepers) -> None:
    mine = new_owner_id()
    await keepers.leases.hold(mine, LONG)
    before = await begun(keepers, *a_step("one"))
    await keepers.turns.state(before.id, before.epoch, "waiting")
    (turn,) = await keepers.leases.adopt(mine)
    first = turn.head + 1
    await keepers.turns.keep([a_piece(before, [TextGrew(2, "late")], first)])
    assert (await keepers.turns.end(an_ending(before, [], first=first))).state == "waiting"
    await keepers.turns.keep([a_piece(turn, a_step("two", 2), first)])
    ended = await keepers.turns.end(an_ending(turn, [], first=first + 5))
    kept = await keepers.turns.events(turn.id)
    assert kept.epochs == ((turn.head, before.epoch), (ended.head, turn.epoch))
    assert sum(isinstance(event, TurnEnded) for _, event in kept.events) == 1


async def test_old_keys_are_forgotten(keepers: Keepers) -> None:
    chat = await keepers.chat()
    first = (await keepers.accept(chat, key=a_key())).turn
    assert await keepers.leases.forget_keys(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert (await keepers.accept(chat, key=a_key())).repeated
    assert await keepers.leases.forget_keys(datetime.now(UTC) + timedelta(hours=1)) == 1
    again = await keepers.accept(chat, key=a_key())
    assert not again.repeated
    assert ids(again.ahead) == [first.id]


async def test_turns_of_the_dead_that_wait_for_their_callers_are_taken_over_once(keepers: Keepers) -> None:
    us = new_owner_id()
    await keepers.leases.hold(us, LONG)
    waiting, running = await begun(keepers), await begun(keepers)
    alive = await begun(keepers, owner=us)
    for turn in (waiting, alive):
        await keepers.turns.state(turn.id, turn.epoch, "waiting")
    (adopted,) = await keepers.leases.adopt(us)
    assert (adopted.id, adopted.owner, adopted.state, adopted.head) == (waiting.id, us, "waiting", waiting.head)
    assert adopted.epoch != waiting.epoch
    assert await keepers.turns.find(waiting.id, None) == adopted
    assert await keepers.leases.adopt(us) == ()
    assert await keepers.leases.sweep() == (running.id,)
    await keepers.turns.keep([a_piece(adopted, [TextGrew(1, "more")], first=waiting.head + 1)])
    kept = await keepers.turns.events(waiting.id)
    assert kept.epochs == ((waiting.head, waiting.epoch), (waiting.head + 1, adopted.epoch))


async def test_what_a_turn_was_accepted_with_is_kept(keepers: Keepers) -> None:
    turn = (await keepers.accept(asked=b'{"how":"so"}')).turn
    assert await keepers.turns.asked(turn.id) == b'{"how":"so"}'
