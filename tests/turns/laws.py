"""The laws of a turn's events, as one check that any log can be put to. Says what is broken, in words."""

from collections.abc import Iterable, Sequence

import msgspec

from parlance.core.events import (
    Event,
    Growth,
    PartAnnotated,
    PartClosed,
    PartOpened,
    StepDropped,
    StepEnded,
    StepStarted,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    TurnStarted,
)
from parlance.core.parts import Kept, Part, Reasoning, Refusal, Text, ToolCall


def broken_laws(events: Sequence[Event]) -> list[str]:
    """What a whole turn's events break; empty when all is well."""
    broken = []
    if [type(event) for event in events].count(TurnStarted) != 1 or type(events[0]) is not TurnStarted:
        broken.append("TurnStarted is not first, once")
    if [type(event) for event in events].count(TurnEnded) != 1 or type(events[-1]) is not TurnEnded:
        broken.append("TurnEnded is not last, once")
    return broken + broken_steps(events)


def broken_steps(events: Iterable[Event]) -> list[str]:
    """What the events break of the laws of steps, parts and calls."""
    checker = _Checker()
    for event in events:
        checker.take(event)
    if checker.step:
        checker.broken.append(f"step {checker.step} never ended")
    return checker.broken


class _Checker:
    def __init__(self) -> None:
        self.broken: list[str] = []
        self.step = 0
        self._last_step = 0
        self._last_part = 0
        self._open: dict[int, list[Event]] = {}
        self._closed: dict[int, Part] = {}
        self._callable: set[str] = set()
        self._asked: set[str] = set()
        self._answered: set[str] = set()

    def take(self, event: Event) -> None:
        try:
            msgspec.json.encode(event)
        except UnicodeEncodeError:
            self._expect(False, f"{event} can't be encoded")
        match event:
            case StepStarted() | StepEnded() | StepDropped():
                self._take_step(event)
            case PartOpened() | PartAnnotated() | PartClosed():
                self._take_part(event)
            case ToolCalled() | ToolReturned():
                self._take_call(event)
            case _ if isinstance(event, Growth):
                self._expect(event.part in self._open, f"growth of part {event.part}, which is not open")
                self._expect(bool(event.text), f"part {event.part} grew by nothing")
                self._expect("\0" not in event.text, f"NUL in part {event.part}")
                self._open.get(event.part, []).append(event)
            case _:
                pass

    def _take_step(self, event: StepStarted | StepEnded | StepDropped) -> None:
        if isinstance(event, StepStarted):
            self._expect(not self.step, f"step {event.step} inside step {self.step}")
            self._expect(event.step > self._last_step, f"step {event.step} behind {self._last_step}")
            self.step = self._last_step = event.step
            self._closed = {}
            return
        self._expect(event.step == self.step, f"step {event.step} ends, {self.step} is open")
        self._expect(not self._open, f"parts {sorted(self._open)} outlive their step")
        self.step = 0
        if isinstance(event, StepEnded):
            calls = [part for part in self._closed.values() if isinstance(part, ToolCall)]
            self._expect(not (calls and event.finish == "stop"), "stop, with calls")
            self._callable |= {call.id for call in calls if event.finish is not None}

    def _take_part(self, event: PartOpened | PartAnnotated | PartClosed) -> None:
        self._expect(bool(self.step), f"part {event.part} outside any step")
        if isinstance(event, PartOpened):
            self._expect(event.part > self._last_part, f"part {event.part} opened behind {self._last_part}")
            self._expect((event.runner is not None) == isinstance(event.what, ToolCall), "a runner without a call")
            self._last_part = event.part
            self._open[event.part] = [event]
            return
        self._expect(event.part in self._open, f"part {event.part} is not open")
        if isinstance(event, PartClosed):
            self._expect(event.part not in self._closed, f"part {event.part} closed twice")
            self._expect(_is_joined(event.what, self._open.pop(event.part, [])), f"{event.what} is not what was shown")
            self._closed[event.part] = event.what
        else:
            self._open.get(event.part, []).append(event)

    def _take_call(self, event: ToolCalled | ToolReturned) -> None:
        self._expect(not self.step, "a call is made inside a step")
        if isinstance(event, ToolCalled):
            call = event.call
            self._expect(call.id in self._callable, f"{call.id} is of no step that ended")
            self._expect(call.id not in self._asked, f"{call.id} is made twice")
            self._expect(call.freeform or _is_object(call.arguments), f"{call.arguments!r} is no JSON object")
            self._asked.add(call.id)
        else:
            self._expect(event.result.call_id in self._callable, f"{event.result.call_id} returns to nobody")
            self._expect(event.result.call_id not in self._answered, f"{event.result.call_id} returns twice")
            self._answered.add(event.result.call_id)

    def _expect(self, right: bool, otherwise: str) -> None:
        if not right:
            self.broken.append(otherwise)


def _is_joined(whole: Part, told: Sequence[Event]) -> bool:
    opened = told[0].what if told and isinstance(told[0], PartOpened) else None
    if opened is None or type(opened) is not type(whole):
        return False
    grown = "".join(event.text for event in told if isinstance(event, Growth))
    match whole:
        case ToolCall(arguments=arguments):
            return arguments == grown and isinstance(opened, ToolCall) and opened.name == whole.name
        case Text(text=text) | Reasoning(text=text) | Refusal(text=text):
            return text == grown
        case Kept():
            return whole == opened
        case _:
            return True


def _is_object(arguments: str) -> bool:
    try:
        msgspec.json.decode(arguments, type=dict[str, object])
    except msgspec.DecodeError:
        return False
    return True
