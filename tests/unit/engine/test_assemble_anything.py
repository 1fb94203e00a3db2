"""Whatever a language says, in whatever order: the laws of events hold."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from parlance.core.deltas import Delta, Finished
from parlance.core.events import Event, PartClosed, StepEnded, StepStarted
from parlance.core.parts import ToolCall
from parlance.core.snapshot import fold_snapshot
from parlance.core.transcript import fold_messages, standing_parts
from tests.turns.laws import broken_steps
from tests.unit.engine.assembling import assemble, finish, new_assembler, trimmed
from tests.unit.engine.deltas import ANYTHING, FINISHES


@settings(max_examples=400)
@given(ANYTHING)
def test_parts_open_and_close_once_within_their_step(deltas: list[Delta]) -> None:
    assert not broken_steps(assemble(deltas))


@given(ANYTHING, FINISHES)
def test_what_is_finished_says_so(deltas: list[Delta], finished: Finished) -> None:
    first = next((delta for delta in deltas if isinstance(delta, Finished)), finished)
    ended = assemble([*deltas, finished])[-1]
    assert isinstance(ended, StepEnded)
    assert ended.finish in {first.reason, "tool_calls"}


@given(ANYTHING)
def test_trimming_the_log_loses_nothing(deltas: list[Delta]) -> None:
    events = assemble(deltas)
    assert fold_messages(trimmed(events)) == fold_messages(events)
    assert fold_snapshot(trimmed(events)) == fold_snapshot(events)


@given(ANYTHING)
def test_the_step_as_a_message_is_what_its_events_fold_to(deltas: list[Delta]) -> None:
    events, message = finish(new_assembler(), deltas)
    assert fold_messages(events) == ((message,) if message.parts else ())


@given(ANYTHING, st.data())
def test_the_same_events_in_any_chunking(deltas: list[Delta], data: st.DataObject) -> None:
    chunked = new_assembler()
    events: list[Event] = []
    rest: Sequence[Delta] = deltas
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        events += chunked.feed(rest[:size])
        rest = rest[size:]
    end, _ = finish(chunked, [])
    assert [*events, *end] == assemble(deltas)


@given(ANYTHING)
def test_a_snapshot_holds_the_parts_shown_so_far(deltas: list[Delta]) -> None:
    """Of the whole step they are its message's parts, and every earlier one has nothing that a later one lacks."""
    events, message = finish(new_assembler(), deltas)
    shown = fold_snapshot(events).parts
    assert standing_parts(shown, message.finish) == message.parts
    for number, event in enumerate(events, 1):
        if isinstance(event, PartClosed):
            assert event.what in fold_snapshot(events[:number]).parts


@given(ANYTHING)
def test_a_step_begins_before_anything_else_of_it(deltas: list[Delta]) -> None:
    events = assemble(deltas)
    ended = [event for event in events if isinstance(event, StepEnded)]
    assert len(ended) <= 1
    assert not ended or any(isinstance(event, StepStarted) for event in events)


@given(ANYTHING)
def test_no_two_calls_have_one_id(deltas: list[Delta]) -> None:
    calls = [
        event.what.id
        for event in assemble(deltas)
        if isinstance(event, PartClosed) and isinstance(event.what, ToolCall)
    ]
    assert len(calls) == len(set(calls))
    assert all(calls)
