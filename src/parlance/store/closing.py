"""The end that is made for a turn whose owner can't make it any more. Pure."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from parlance.core.errors import TurnInterrupted
from parlance.core.estimate import part_tokens
from parlance.core.events import (
    GROWTH,
    Event,
    PartAnnotated,
    PartClosed,
    PartOpened,
    StepDropped,
    StepEnded,
    StepStarted,
    ToolCalled,
    ToolReturned,
    TurnEnded,
)
from parlance.core.ids import CallId, new_epoch, new_message_id
from parlance.core.parts import Annotation, Part, Reasoning, Text, ToolCall, ToolResult
from parlance.core.snapshot import grown_part
from parlance.core.stores.turns import Ending, Piece, TurnRecord
from parlance.core.transcript import fold_messages
from parlance.core.usage import Usage, add_usage

OUTCOME_UNKNOWN = "The server stopped while this ran: nobody knows whether it took effect."


class _Open(Struct):
    what: Part
    growth: list[str]
    annotations: list[Annotation]

    def closed(self) -> Part:
        part = grown_part(self.what, "".join(self.growth))
        match part:
            case Text(annotations=annotations):
                return msgspec.structs.replace(part, annotations=(*annotations, *self.annotations))
            case Reasoning(text=text, redacted=redacted):
                return msgspec.structs.replace(part, redacted=redacted and not text)
            case _:
                return part


class _Cut:
    """Where the log broke off: what was open then."""

    def __init__(self) -> None:
        self.parts: dict[int, _Open] = {}
        self.said: list[Part] = []
        self.step: int | None = None
        self.running: dict[CallId, ToolCall] = {}
        self.usage: Usage | None = None

    def take(self, event: Event) -> None:
        match event:
            case StepStarted(step=step):
                self.step, self.said = step, []
            case PartOpened(part=part, what=what):
                self.parts[part] = _Open(what, [], [])
            case PartAnnotated(part=part, annotation=annotation) if part in self.parts:
                self.parts[part].annotations.append(annotation)
            case PartClosed(part=part, what=what):
                self.parts.pop(part, None)
                self.said.append(what)
            case StepEnded(usage=usage):
                self.step, self.usage = None, add_usage(self.usage, usage)
            case StepDropped():
                self.step = None
            case ToolCalled(call=call, runner="server"):
                self.running[call.id] = call
            case ToolReturned(result=result):
                self.running.pop(result.call_id, None)
            case _ if isinstance(event, GROWTH) and event.part in self.parts:
                self.parts[event.part].growth.append(event.text)
            case _:
                pass


def closing_events(events: Iterable[Event]) -> tuple[Event, ...]:
    """What a log that broke off lacks: its open parts close with what had grown of them, its step ends as cut, tools
    of ours that ran return that nobody knows how they ended, and the turn ends as interrupted.
    """
    cut = _Cut()
    for event in events:
        cut.take(event)
    closings = [PartClosed(part, one.closed()) for part, one in cut.parts.items()]
    missing: list[Event] = [*closings]
    usage = cut.usage
    if cut.step is not None:
        shown = [*cut.said, *(closing.what for closing in closings)]
        guess = Usage(output=sum(map(part_tokens, shown)), estimated=True) if shown else None
        missing.append(StepEnded(cut.step, None, new_message_id(), usage=guess))
        usage = add_usage(usage, guess)
    missing += [ToolReturned(_unknown(call)) for call in cut.running.values()]
    fault = TurnInterrupted("The server that answered stopped before the answer was whole. Ask again.").fault()
    return (*missing, TurnEnded("incomplete", None, usage, fault))


def interrupted_ending(turn: TurnRecord, events: Iterable[Event]) -> Ending:
    """The ending of a turn by somebody else than its owner, who may have told more than `events`, which were kept.

    It bears a new epoch: a cursor from beyond what was kept must not be taken for one of these events.
    """
    kept = tuple(events)
    closing = closing_events(kept)
    ended = closing[-1]
    if not isinstance(ended, TurnEnded):
        raise RuntimeError("A closing ends with the turn's end.")
    piece = Piece(turn.id, new_epoch(), turn.head + 1, closing)
    return Ending(piece, ended, fold_messages((*kept, *closing)))


def _unknown(call: ToolCall) -> ToolResult:
    return ToolResult(call.id, call.name, OUTCOME_UNKNOWN, is_error=True, outcome_unknown=True)
