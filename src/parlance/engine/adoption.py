"""A turn that waited for its caller when the process that ran it stopped: what it had come to, and how it goes on."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from parlance.core.events import Event, PartClosed, PartOpened, StepEnded, ToolCalled, ToolReturned
from parlance.core.messages import Message
from parlance.core.parts import ToolCall, ToolResult
from parlance.core.transcript import fold_messages, tool_message
from parlance.core.usage import Usage, add_usage
from parlance.engine.assemble import whole_calls
from parlance.engine.turn_state import Turn

UNKNOWN = "The server stopped while this tool ran: whether it took effect is not known."


class Past(Struct, frozen=True):
    """What the turn has said, up to the step whose `calls` were made. `returned` are the results that came, `due` says
    until when a caller may answer.
    """

    messages: tuple[Message, ...]
    calls: tuple[ToolCall, ...]
    returned: Mapping[str, ToolResult]
    due: Mapping[str, str]
    steps: int
    next_part: int
    usage: Usage | None


def past_of(events: Sequence[Event]) -> Past | None:
    """None for a turn that was doing something else than waiting for the results of a step's calls."""
    messages = fold_messages(events)
    last = max((index for index, message in enumerate(messages) if message.role == "assistant"), default=None)
    if last is None or messages[last].finish != "tool_calls":
        return None
    steps = [event for event in events if isinstance(event, StepEnded)]
    usage: Usage | None = None
    for step in steps:
        usage = add_usage(usage, step.usage)
    return Past(
        messages=messages[: last + 1],
        calls=tuple(whole_calls(messages[last].parts)),
        returned={event.result.call_id: event.result for event in events if isinstance(event, ToolReturned)},
        due={event.call.id: event.expires_at or "" for event in events if isinstance(event, ToolCalled)},
        steps=max(step.step for step in steps),
        next_part=1 + max(event.part for event in events if isinstance(event, PartOpened | PartClosed)),
        usage=usage,
    )


Waiting = Mapping[str, tuple[ToolCall, "asyncio.Future[ToolResult]", float]]
"""The calls that may be answered, by their ids; and for how many seconds yet."""


def take_up(turn: Turn, past: Past) -> Waiting:
    """Makes a turn that was opened anew what it was. From now on its calls may be answered."""
    turn.messages = list(past.messages)
    turn.next_step = past.steps + 1
    turn.next_part = past.next_part
    turn.usage = past.usage
    return {
        call.id: (call, turn.pending.ask(call), _left(past.due.get(call.id, "")))
        for call in past.calls
        if call.id not in past.returned and turn.runner_of(call.name) == "client"
    }


async def finish_calls(turn: Turn, past: Past, waiting: Waiting) -> list[Message]:
    """The results of all calls, in their order: those that came before, and those that callers give now."""
    lost = [call for call in past.calls if call.id not in past.returned and call.id not in waiting]
    results = dict(past.returned)
    for call in lost:
        results[call.id] = ToolResult(call.id, call.name, UNKNOWN, is_error=True, outcome_unknown=True)
    turn.tell([ToolReturned(results[call.id]) for call in lost])

    async def answered(call: ToolCall, future: "asyncio.Future[ToolResult]", left: float) -> None:
        results[call.id] = await turn.pending.wait(call, future, left)

    async with asyncio.TaskGroup() as group:
        for one in waiting.values():
            group.create_task(answered(*one))
    return [tool_message(results[call.id]) for call in past.calls]


def _left(due: str) -> float:
    """Seconds that are left until then."""
    try:
        return max(0.0, (datetime.fromisoformat(due) - datetime.now(UTC)).total_seconds())
    except ValueError:
        return 0.0
