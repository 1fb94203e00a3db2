"""All that a turn has shown so far, for a follower whose cursor can't be served any more."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from parlance.core.events import (
    Event,
    Growth,
    PartAnnotated,
    PartClosed,
    PartOpened,
    StepDropped,
    StepStarted,
    ToolReturned,
    TurnEnded,
)
from parlance.core.parts import Annotation, Kept, Part, Reasoning, Refusal, Text, ToolCall


class Snapshot(Struct, frozen=True):
    """`parts` in the order they were shown, one that is still open with what has grown of it.

    `status` is `running` until the end.
    """

    parts: tuple[Part, ...]
    status: str

    def told(self, *, thoughts: bool) -> "Snapshot":
        """As a client may see it: without proofs and blocks that are a host's own, with thoughts if it asked for
        them.
        """
        parts = (_without_proof(part) for part in self.parts if not isinstance(part, Kept))
        return Snapshot(tuple(part for part in parts if thoughts or not isinstance(part, Reasoning)), self.status)


class _Shown(Struct):
    step: int
    what: Part
    growth: list[str] = []
    annotations: list[Annotation] = []

    def grown(self) -> Part:
        grown = grown_part(self.what, "".join(self.growth))
        if isinstance(grown, Text) and self.annotations:
            return msgspec.structs.replace(grown, annotations=(*grown.annotations, *self.annotations))
        return grown


def grown_part(part: Part, growth: str) -> Part:
    """The part with more of what grows in its kind."""
    match part:
        case ToolCall(arguments=arguments):
            return msgspec.structs.replace(part, arguments=arguments + growth)
        case Text(text=text) | Refusal(text=text) | Reasoning(text=text):
            return msgspec.structs.replace(part, text=text + growth)
        case whole:
            return whole


def fold_snapshot(events: Iterable[Event]) -> Snapshot:
    shown: dict[int | str, _Shown] = {}
    step, status = 0, "running"
    for event in events:
        match event:
            case StepStarted(step=number):
                step = number
            case PartOpened(part=part, what=what) | PartClosed(part=part, what=what):
                shown[part] = _Shown(step, what)
            case StepDropped(step=number):
                shown = {part: one for part, one in shown.items() if one.step != number}
            case ToolReturned(result=result):
                shown[result.call_id] = _Shown(step, result)
            case TurnEnded(status=ending):
                status = ending
            case PartAnnotated(part=part, annotation=annotation) if part in shown:
                shown[part].annotations.append(annotation)
            case _ if isinstance(event, Growth):
                shown[event.part].growth.append(event.text)
            case _:
                pass
    # A log that was trimmed tells of closings alone: the order of the openings is in the numbers.
    placed = sorted(shown.items(), key=lambda item: (item[1].step, isinstance(item[0], str), _number(item[0])))
    return Snapshot(tuple(one.grown() for _, one in placed), status)


def _number(key: int | str) -> int:
    """Results have none, and stay in the order they came."""
    return key if isinstance(key, int) else 0


def _without_proof(part: Part) -> Part:
    if isinstance(part, Text | Reasoning | ToolCall) and part.signature is not None:
        return msgspec.structs.replace(part, signature=None)
    return part
