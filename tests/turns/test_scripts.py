"""Each scripted turn keeps the laws, ends as it must, and leaves the history that it must."""

import msgspec
import pytest

from parlance.core.events import Event, Growth, PartOpened, StepEnded, ToolCalled, ToolReturned
from parlance.core.messages import Message
from parlance.core.parts import ToolCall, ToolResult
from parlance.core.snapshot import fold_snapshot
from parlance.core.transcript import fold_history, fold_messages
from parlance.core.usage import Usage, add_usage
from tests.turns.scripts import TURNS, ScriptedTurn, play
from tests.turns.stage import asked, ending, of

EACH = pytest.mark.parametrize("script", TURNS, ids=lambda script: script.name)


def told(messages: tuple[Message, ...]) -> list[object]:
    """Messages without the ids that are made anew with each fold."""
    return [(message.role, message.parts) for message in messages]


@EACH
async def test_a_turn_ends_as_it_must(script: ScriptedTurn) -> None:
    last = ending((await play(script))[0])
    assert last.status == script.status
    assert (last.fault.code if last.fault else None) == script.code
    assert "secret" not in str(last)


@EACH
async def test_a_turn_leaves_the_history_that_it_must(script: ScriptedTurn) -> None:
    events, _ = await play(script)
    assert [message.text for message in fold_history(events)] == ["Hi", *script.text]


@EACH
async def test_every_call_in_history_has_one_result_behind_it(script: ScriptedTurn) -> None:
    open_calls: list[str] = []
    for message in fold_history((await play(script))[0]):
        for part in message.parts:
            if isinstance(part, ToolResult):
                open_calls.remove(part.call_id)
            elif isinstance(part, ToolCall):
                open_calls.append(part.id)
            else:
                assert not open_calls
    assert not open_calls


@EACH
async def test_each_request_is_the_history_so_far(script: ScriptedTurn) -> None:
    """What the next step was sent is what the events fold to: nobody who reads the log sees another conversation."""
    events, provider = await play(script)
    ends = [number for number, event in enumerate(events) if isinstance(event, StepEnded)]
    for step, request in enumerate(provider.requests[1:], 2):
        before = ends[step - 1] if step <= len(ends) else len(events)
        so_far = told(fold_messages(events[:before]))
        sent = told(request.messages[1:])
        assert sorted(map(repr, sent)) == sorted(map(repr, so_far))


@EACH
async def test_a_trimmed_log_says_the_same(script: ScriptedTurn) -> None:
    events, _ = await play(script)
    trimmed = [event for event in events if not isinstance(event, Growth | PartOpened)]
    assert told(fold_history(trimmed)) == told(fold_history(events))
    assert fold_snapshot(trimmed) == fold_snapshot(events)


@EACH
async def test_events_survive_being_written_down(script: ScriptedTurn) -> None:
    events, _ = await play(script)
    assert msgspec.json.decode(msgspec.json.encode(events), type=list[Event]) == events


@EACH
async def test_usage_of_the_turn_is_the_sum_of_its_steps(script: ScriptedTurn) -> None:
    events, _ = await play(script)
    total: Usage | None = None
    for step in of(events, StepEnded):
        total = add_usage(total, step.usage)
    assert ending(events).usage == total


@EACH
async def test_every_call_that_was_made_returned(script: ScriptedTurn) -> None:
    events, _ = await play(script)
    made = [event.call.id for event in of(events, ToolCalled)]
    assert set(made) <= {event.result.call_id for event in of(events, ToolReturned)}


@EACH
async def test_every_stream_is_closed(script: ScriptedTurn) -> None:
    _, provider = await play(script)
    assert provider.opened == provider.closed
    assert asked(provider, 1).messages[-1].text == "Hi"


def test_names_are_told_apart() -> None:
    names = [script.name for script in TURNS]
    assert len(names) == len(set(names))
