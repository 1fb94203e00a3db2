"""A turn's events folded back into messages, and made into history for the next turn."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw, Struct

from parlance.core.events import (
    Event,
    PartClosed,
    StepDropped,
    StepEnded,
    StepStarted,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    TurnStarted,
)
from parlance.core.ids import new_message_id
from parlance.core.messages import Message, Origin
from parlance.core.parts import Part, ToolCall, ToolResult
from parlance.core.usage import Finish

NOT_ANSWERED = "not answered"
"""The result that history gives to a call which never got one: every call must have a result before the next user
message.
"""


_CUT: frozenset[Finish | None] = frozenset({None, "length", "filtered", "error"})
"""How a step ends that broke off inside what it was saying."""


class _Step(Struct):
    number: int
    origin: Origin
    parts: dict[int, Part]


def fold_messages(events: Iterable[Event]) -> tuple[Message, ...]:
    """The messages a turn made: one per step and one per tool result, without its input.

    Of a step that was cut the prose stands; its calls don't where their arguments may be half there.
    """
    messages: list[Message] = []
    step: _Step | None = None
    for event in events:
        match event:
            case StepStarted(step=number, origin=origin):
                step = _Step(number, origin, {})
            case PartClosed(part=part, what=what) if step is not None:
                step.parts[part] = what
            case StepEnded() if step is not None:
                messages.append(_step_message(step, event))
                step = None
            case StepDropped(step=number):
                step = None
            case ToolReturned(result=result):
                messages.append(tool_message(result))
            case _:
                pass
    return tuple(message for message in messages if message.parts)


def _step_message(step: _Step, ended: StepEnded) -> Message:
    parts = standing_parts([step.parts[number] for number in sorted(step.parts)], ended.finish)
    return Message(ended.message_id, "assistant", parts, step.origin, ended.finish, ended.usage)


def standing_parts(parts: Iterable[Part], finish: Finish | None) -> tuple[Part, ...]:
    """The parts of a step that count as said.

    A call of a step that was cut never runs. It doesn't stand at all when nobody can tell that it is whole.
    """
    if finish not in _CUT:
        return tuple(parts)
    return tuple(
        part for part in parts if not isinstance(part, ToolCall) or (finish is not None and _is_whole(part.arguments))
    )


def _is_whole(arguments: str) -> bool:
    try:
        msgspec.json.decode(arguments, type=dict[str, Raw])
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def open_calls(events: Iterable[Event]) -> list[ToolCall]:
    """The calls that a turn's caller was asked for and has not answered."""
    calls: dict[str, ToolCall] = {}
    for event in events:
        match event:
            case ToolCalled(call=call, runner="client"):
                calls[call.id] = call
            case ToolReturned(result=result):
                calls.pop(result.call_id, None)
            case TurnEnded():
                calls.clear()
            case _:
                pass
    return list(calls.values())


def tool_message(result: ToolResult) -> Message:
    return Message(id=new_message_id(), role="tool", parts=(result,))


def fold_history(events: Sequence[Event]) -> tuple[Message, ...]:
    """An ended turn as the next one's history: its input, what was shown, and a result for every call.

    Of a failed turn only the input stays: whoever asks again must not be led on by an answer that broke.
    """
    started = next((event for event in events if isinstance(event, TurnStarted)), None)
    given = (started.input,) if started is not None and started.input is not None else ()
    if events and isinstance(events[-1], TurnEnded) and events[-1].status == "failed":
        return given
    return given + answer_open_calls(fold_messages(events))


def answer_open_calls(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same messages with `NOT_ANSWERED` for each call that has no result, right behind the results of its own
    step.
    """
    done: list[Message] = []
    waiting: dict[str, ToolCall] = {}
    for message in messages:
        if message.role != "tool":
            done += _unanswered(waiting)
            waiting = {part.id: part for part in message.parts if isinstance(part, ToolCall)}
        for part in message.parts:
            if isinstance(part, ToolResult):
                waiting.pop(part.call_id, None)
        done.append(message)
    return tuple(done + _unanswered(waiting))


def _unanswered(calls: dict[str, ToolCall]) -> list[Message]:
    return [tool_message(ToolResult(call.id, call.name, NOT_ANSWERED, is_error=True)) for call in calls.values()]
