"""All that a turn has shown so far, for a follower whose cursor can't be served any more."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from parlance.core.events import (
    Event,
    Growth,
    PartClosed,
    PartOpened,
    StepDropped,
    StepStarted,
    ToolReturned,
    TurnEnded,
)
from parlance.core.parts import Part, Prose, ToolCall


class Snapshot(Struct, frozen=True):
    """`parts` in the order they were shown, one that is still open with what has grown of it.

    `status` is `running` until the end.
    """

    parts: tuple[Part, ...]
    status: str


class _Shown(Struct):
    step: int
    what: Part
    growth: list[str]


def fold_snapshot(events: Iterable[Event]) -> Snapshot:
    shown: dict[int | str, _Shown] = {}
    step, status = 0, "running"
    for event in events:
        match event:
            case StepStarted(step=number):
                step = number
            case PartOpened(part=part, what=what):
                shown[part] = _Shown(step, what, [])
            case PartClosed(part=part, what=what):
                shown[part] = _Shown(step, what, [])
            case StepDropped(step=number):
                shown = {part: one for part, one in shown.items() if one.step != number}
            case ToolReturned(result=result):
                shown[result.call_id] = _Shown(step, result, [])
            case TurnEnded(status=ending):
                status = ending
            case _ if isinstance(event, Growth):
                shown[event.part].growth.append(event.text)
            case _:
                pass
    return Snapshot(tuple(_grown(one) for one in shown.values()), status)


def _grown(shown: _Shown) -> Part:
    grown = "".join(shown.growth)
    match shown.what:
        case ToolCall(arguments=arguments):
            return msgspec.structs.replace(shown.what, arguments=arguments + grown)
        case part if isinstance(part, Prose):
            return msgspec.structs.replace(part, text=part.text + grown)
        case part:
            return part
