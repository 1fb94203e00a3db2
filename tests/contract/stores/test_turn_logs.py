"""What every store of turns promises of what it tells again: logs, trimmed ones too, and history."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import Raw

from parlance.core.errors import HostFailed
from parlance.core.events import (
    GROWTH,
    Event,
    PartAnnotated,
    PartClosed,
    PartOpened,
    StepEnded,
    StepStarted,
    TextGrew,
    ToolCalled,
    ToolReturned,
    TurnEnded,
)
from parlance.core.ids import CallId, new_message_id
from parlance.core.parts import Annotation, Kept, Text, ToolCall, ToolResult
from parlance.core.stores.turns import TurnRecord
from parlance.core.transcript import NOT_ANSWERED
from tests.contract.stores.turn_world import (
    ORIGIN,
    Keepers,
    a_new_turn,
    a_piece,
    a_step,
    an_ending,
    said_by,
)
from tests.contract.stores.turn_world import keepers as keepers

CALL = ToolCall(CallId("call_1"), "look", '{"n": 1.0}')
LATER = timedelta(hours=1)


def a_step_that_calls(number: int) -> list[Event]:
    return [
        StepStarted(number, ORIGIN),
        PartOpened(number, CALL, "client"),
        PartClosed(number, CALL),
        StepEnded(number, "tool_calls", new_message_id()),
        ToolCalled(CALL, "client", "2030-01-01T00:00:00Z"),
    ]


async def log_of(keepers: Keepers, turn: TurnRecord, after: int = 0) -> list[tuple[int, Event]]:
    return list((await keepers.turns.events(turn.id, after)).events)


async def test_events_of_every_kind_are_told_as_they_were(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    odd: list[Event] = [
        StepStarted(1, ORIGIN),
        PartOpened(1, Text("")),
        TextGrew(1, "\u2028 🔑 ]]>"),
        PartAnnotated(1, Annotation("gemini", "cited", Raw(b'{"b":1.0,"a":[1e400]}'))),
        PartClosed(1, Kept("anthropic", "block", Raw(b'{"z":0}'))),
        StepEnded(1, "unknown", new_message_id(), raw="odd"),
        ToolReturned(ToolResult(CallId("call_1"), "look", (Text("a"),), is_error=True)),
    ]
    await keepers.turns.keep([a_piece(turn, odd)])
    assert [event for _, event in (await log_of(keepers, turn))[1:]] == odd


@pytest.mark.requirement("stores:turns:logs")
async def test_a_log_is_told_from_any_number(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    step = a_step("one two three four five")
    for first in range(2, len(step) + 2, 3):
        await keepers.turns.keep([a_piece(turn, step[first - 2 : first + 1], first)])
    whole = await log_of(keepers, turn)
    assert len(whole) == len(step) + 1
    for after in range(len(whole) + 2):
        assert await log_of(keepers, turn, after) == whole[after:]


@pytest.mark.requirement("stores:turns:trimmed")
async def test_the_logs_of_old_turns_lose_openings_and_growth_and_nothing_else(keepers: Keepers) -> None:
    chat = await keepers.chat()
    turn = (await keepers.accept(chat)).turn
    step = a_step("one two three")
    await keepers.turns.keep([a_piece(turn, step[:3])])
    await keepers.turns.end(an_ending(turn, step[3:], first=5, before=tuple(step[:3])))
    running = (await keepers.accept(chat)).turn
    await keepers.turns.keep([a_piece(running, step[:3])])
    before, messages = await log_of(keepers, turn), await keepers.messages.all(chat, None)
    assert await keepers.leases.trim(datetime.now(UTC) - LATER) == 0
    assert await keepers.leases.trim(datetime.now(UTC) + LATER) == 1
    assert await keepers.leases.trim(datetime.now(UTC) + LATER) == 0
    kept = await keepers.turns.events(turn.id)
    assert list(kept.events) == [one for one in before if not isinstance(one[1], (PartOpened, *GROWTH))]
    assert kept.lost == 6
    assert kept.epochs == ((len(before), turn.epoch),)
    assert await log_of(keepers, turn, 3) == [one for one in kept.events if one[0] > 3]
    assert (await keepers.turns.find(turn.id, None)).head == len(before)
    assert len(await log_of(keepers, running)) == 4
    assert await keepers.messages.all(chat, None) == messages


@pytest.mark.requirement("stores:turns:trimmed")
async def test_every_number_keeps_its_epoch_when_it_is_trimmed(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    await keepers.turns.keep([a_piece(turn, a_step("one two")[:4])])
    await keepers.leases.sweep()
    whole = await keepers.turns.events(turn.id)
    await keepers.leases.trim(datetime.now(UTC) + LATER)
    trimmed = await keepers.turns.events(turn.id)
    assert trimmed.epochs == whole.epochs
    assert [trimmed.epoch_of(number) for number in (0, 1, 5)] == [turn.epoch] * 3
    assert {trimmed.epoch_of(number) for number in range(6, whole.turn.head + 1)} == {whole.turn.epoch}
    assert trimmed.epoch_of(whole.turn.head + 1) is None
    assert trimmed.lost == 5


@pytest.mark.requirement("stores:turns:history")
async def test_history_is_what_earlier_turns_have_said(keepers: Keepers) -> None:
    chat = await keepers.chat()
    await keepers.answered(chat, "one", "first")
    await keepers.answered(chat, "two", "cut", status="cancelled", finish=None)
    await keepers.answered(chat, "three", "broken", status="failed", fault=HostFailed("no", host="h").fault())
    turn = (await keepers.accept(chat, "four")).turn
    await keepers.accept(chat, "five")
    assert said_by(await keepers.turns.history(turn)) == [
        ("user", "one"),
        ("assistant", "first"),
        ("user", "two"),
        ("assistant", "cut"),
        ("user", "three"),
    ]


async def test_a_turn_that_has_not_ended_is_no_history_yet(keepers: Keepers) -> None:
    chat = await keepers.chat()
    await keepers.accept(chat, "one")
    turn = (await keepers.accept(chat, "two")).turn
    assert await keepers.turns.history(turn) == ()


@pytest.mark.requirement("stores:turns:history")
async def test_history_answers_calls_that_nobody_answered(keepers: Keepers) -> None:
    chat = await keepers.chat()
    first = (await keepers.accept(chat, "one")).turn
    ended = an_ending(first, a_step_that_calls(1), status="incomplete", finish=None)
    await keepers.turns.end(ended)
    messages = await keepers.turns.history((await keepers.accept(chat, "two")).turn)
    assert [message.role for message in messages] == ["user", "assistant", "tool"]
    assert messages[1].parts == (CALL,)
    assert [part.output for part in messages[2].parts if isinstance(part, ToolResult)] == [NOT_ANSWERED]


async def test_messages_come_turn_by_turn_however_their_answers_overlapped(keepers: Keepers) -> None:
    chat = await keepers.chat()
    first = (await keepers.accept(chat, "one")).turn
    second = (await keepers.accept(chat, "two")).turn
    await keepers.turns.end(an_ending(second, a_step("late")))
    await keepers.turns.end(an_ending(first, a_step("early")))
    third = (await keepers.accept(chat, "three")).turn
    assert [text for _, text in said_by(await keepers.turns.history(third))] == ["one", "early", "two", "late"]


@pytest.mark.parametrize("size", [1, 1_000_000])
async def test_texts_of_any_size_are_kept(keepers: Keepers, size: int) -> None:
    new = a_new_turn(await keepers.chat(), "x" * size)
    turn = (await keepers.turns.accept(new)).turn
    await keepers.turns.keep([a_piece(turn, [TextGrew(1, "y" * size)])])
    assert (await log_of(keepers, turn))[1] == (2, TextGrew(1, "y" * size))


async def test_a_chat_that_is_gone_has_no_history(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    await keepers.chats.delete(turn.chat, None)
    assert await keepers.turns.history(turn) == ()
    assert await keepers.turns.ended_before(turn)


async def test_an_ended_log_ends_with_the_end(keepers: Keepers) -> None:
    chat = await keepers.chat()
    ended = await keepers.answered(chat, "one", "first")
    number, event = (await log_of(keepers, ended))[-1]
    assert (number, isinstance(event, TurnEnded)) == (ended.head, True)
