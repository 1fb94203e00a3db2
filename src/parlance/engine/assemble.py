"""Deltas become parts: the one place where openings, closings and wholes are made. Pure; knows no wire and no tool."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar

import msgspec

from parlance.core.deltas import (
    Annotated,
    ArgumentsDelta,
    Began,
    Delta,
    Done,
    Finished,
    Key,
    Noted,
    Opened,
    ReasoningDelta,
    RefusalDelta,
    Restarted,
    Signed,
    TextDelta,
    Unknown,
    UsageReported,
)
from parlance.core.events import (
    Event,
    PartAnnotated,
    Runner,
    StepDropped,
    StepEnded,
    StepStarted,
    TextGrew,
    Warned,
)
from parlance.core.ids import CallId, MessageId
from parlance.core.messages import Message, Origin
from parlance.core.parts import Kept, Part, Reasoning, Refusal, Text, ToolCall
from parlance.core.transcript import standing_parts
from parlance.core.usage import Finish, Usage
from parlance.engine.open_part import OpenPart, clean

RunnerOf = Callable[[str], Runner]
"""Who runs the tool of this name."""


class Assembler:
    """Folds the deltas of one model call.

    `feed` as they come, then on every path `close` and `end`, once. `origin` stands in for what `Began` leaves out.
    `first_part` and `step` continue the turn's numbering; `next_part` and `step` say where it stands. `taken` are the
    ids of the turn's earlier calls: a host that gives one of them again gets another id from us, since an answer must
    never reach the wrong call.
    """

    def __init__(
        self,
        *,
        step: int,
        origin: Origin,
        first_part: int,
        runner_of: RunnerOf,
        taken: Collection[CallId] = (),
    ) -> None:
        self.step = step
        self.next_part = first_part
        self.finish: Finish | None = None
        self.usage: Usage | None = None
        self.parts: list[Part] = []
        self._origin = origin
        self._runner_of = runner_of
        self._taken = set(taken)
        self._raw: str | None = None
        self._started = False
        self._open: dict[Key, OpenPart] = {}
        self._implicit: Key | None = None
        self._closed: dict[int, Part] = {}
        self._warned: set[str] = set()

    @property
    def origin(self) -> Origin:
        return self._origin

    @property
    def shown(self) -> bool:
        """Whether any part of this step has been told."""
        return bool(self._open or self._closed)

    def feed(self, deltas: Iterable[Delta]) -> list[Event]:
        events: list[Event] = []
        for delta in deltas:
            # Nearly all of them are text for the part that is open, and nothing else is to be closed by it.
            grown = self.grow(delta) if type(delta) is TextDelta else None
            if grown is None:
                self._take(delta, events)
            else:
                events.append(grown)
        return events

    def grow(self, delta: TextDelta) -> TextGrew | None:
        """More of a text that is open, where that is all it is; None where it means more, and was not taken."""
        text = delta.text
        open_part = self._open.get(delta.key)
        if not text or open_part is None or type(open_part.what) is not Text:
            return None
        if self._implicit is not None and delta.key != self._implicit:
            return None
        if not text.isascii() or "\0" in text:
            text = clean(text)
        open_part.add(text)
        return TextGrew(open_part.number, text)

    def close(self) -> list[Event]:
        """Close what is open. `parts` is complete then; `usage` may still be set."""
        events: list[Event] = []
        self._close_all(events)
        self.parts = [self._closed[number] for number in sorted(self._closed)]
        return events

    def end(self, message_id: MessageId) -> list[Event]:
        """End the step, if it had begun. Once, after `close`."""
        if not self._started:
            return []
        return [StepEnded(self.step, self.finish, message_id, self._raw, self.usage)]

    def message(self, message_id: MessageId) -> Message:
        """The step as a message; after `end`. Calls that may be half there are left out."""
        parts = standing_parts(self.parts, self.finish)
        return Message(message_id, "assistant", parts, self._origin, self.finish, self.usage)

    def _take(self, delta: Delta, events: list[Event]) -> None:
        if self.finish is not None and type(delta) is not UsageReported:
            self._warn_once("stray_growth", f"{self._origin.host} went on after it had finished: left out.", events)
            return
        self._TAKE[type(delta)](self, delta, events)

    def _take_prose(self, delta: TextDelta | ReasoningDelta | RefusalDelta, events: list[Event]) -> None:
        self._grow(delta.key, delta.text, _PROSE[type(delta)], events)

    def _take_arguments(self, delta: ArgumentsDelta, events: list[Event]) -> None:
        grown = self._open.get(delta.key)
        if grown is None or not isinstance(grown.what, ToolCall):
            self._warn_once("stray_growth", "Arguments came for no tool call: left out.", events)
        elif delta.text:
            events.append(grown.grow(clean(delta.text)))

    def _take_opened(self, delta: Opened, events: list[Event]) -> None:
        self._begin(events)
        self._open_part(delta.key, delta.part, events)

    def _take_usage(self, delta: UsageReported, events: list[Event]) -> None:
        self.usage = delta.usage

    def _take_noted(self, delta: Noted, events: list[Event]) -> None:
        events.append(Warned(delta.code, delta.message))

    def _take_unknown(self, delta: Unknown, events: list[Event]) -> None:
        self._warn_once("unknown_upstream_event", f"{self._origin.host} sent {delta.type!r}: left out.", events)

    def _take_began(self, began: Began, events: list[Event]) -> None:
        if self._started:
            return
        known = self._origin
        model = clean(began.model or known.model)
        self._origin = Origin(began.host or known.host, model, began.family or known.family)
        self._begin(events)

    def _begin(self, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(StepStarted(self.step, self._origin))

    def _take_finished(self, delta: Finished, events: list[Event]) -> None:
        self._begin(events)
        self._close_all(events)
        # Three languages say `stop` where they mean "now run these": said right here, not in each of their speakers.
        called = delta.reason == "stop" and any(isinstance(part, ToolCall) for part in self._closed.values())
        self.finish = "tool_calls" if called else delta.reason
        self._raw = None if delta.raw is None else clean(delta.raw)

    def _take_restarted(self, delta: Restarted, events: list[Event]) -> None:
        if not self._started:
            return
        self._close_all(events)
        self._closed.clear()
        events.append(StepDropped(self.step, delta.reason))
        self.step += 1
        self._started = False
        self.usage = None

    def _grow(self, key: Key, text: str, kind: type[Text | Reasoning | Refusal], events: list[Event]) -> None:
        if not text:
            return
        self._begin(events)
        grown = self._open.get(key)
        if grown is not None and not isinstance(grown.what, kind):
            if not grown.implicit:
                self._warn_once("stray_growth", f"{kind.__name__} grew inside another part: left out.", events)
                return
            grown = None
        if key != self._implicit or grown is None:
            self._close_implicit(events)
        if grown is None:
            grown = self._open_implicit(key, kind(""), events)
        events.append(grown.grow(clean(text)))

    def _open_implicit(self, key: Key, skeleton: Text | Reasoning | Refusal, events: list[Event]) -> OpenPart:
        opened = OpenPart(self._number(), skeleton, implicit=True)
        self._open[key] = opened
        self._implicit = key
        events.append(opened.opening())
        return opened

    def _number(self) -> int:
        number = self.next_part
        self.next_part += 1
        return number

    def _open_part(self, key: Key, part: Part, events: list[Event]) -> None:
        self._close_implicit(events)
        if key in self._open:
            self._close(key, events)
        if isinstance(part, Kept):
            # Told whole when it is done; its number is given then, so that numbers rise in the order of the openings.
            self._open[key] = OpenPart(0, part, implicit=False)
            return
        number = self._number()
        runner = None
        if isinstance(part, ToolCall):
            part = self._own_call(part, number)
            runner = self._runner_of(part.name)
        opened = self._open[key] = OpenPart(number, part, implicit=False, runner=runner)
        events.append(opened.opening())
        events.extend(opened.show_content())

    def _own_call(self, call: ToolCall, number: int) -> ToolCall:
        """The call with a name and an id that every wire takes, and an id that is no other call's."""
        name, own = clean(call.name), CallId(clean(call.id))
        while not own or own in self._taken:
            own = CallId(f"{own or 'call'}_{number}")
        self._taken.add(own)
        given = None if own == call.id else clean(call.id) or None
        return msgspec.structs.replace(call, id=own, name=name, upstream_id=call.upstream_id or given)

    def _take_done(self, delta: Done, events: list[Event]) -> None:
        key, whole = delta.key, delta.part
        if key not in self._open:
            if whole is None:
                return
            self._begin(events)
            self._open_part(key, whole, events)
        elif whole is not None:
            events.extend(self._open[key].complete(whole))
        self._close(key, events)

    def _take_signed(self, delta: Signed, events: list[Event]) -> None:
        self._begin(events)
        opened = self._open.get(delta.key)
        if opened is None:
            # A proof without words: the model thought and shows nothing of it, but wants it back.
            self._open_part(delta.key, Reasoning("", redacted=True), events)
            opened = self._open[delta.key]
            opened.implicit = True
        opened.sign(delta.signature)
        if opened.implicit:
            # A signature seals: what grows behind it must not be paired with a proof that is not its own.
            self._close(delta.key, events)

    def _take_annotated(self, delta: Annotated, events: list[Event]) -> None:
        self._begin(events)
        opened = self._open.get(delta.key)
        if opened is None:
            self._close_implicit(events)
            opened = self._open_implicit(delta.key, Text(""), events)
        if isinstance(opened.what, Text):
            opened.annotations.append(delta.annotation)
            events.append(PartAnnotated(opened.number, delta.annotation))

    def _close_implicit(self, events: list[Event]) -> None:
        if self._implicit is not None:
            self._close(self._implicit, events)

    def _close_all(self, events: list[Event]) -> None:
        for key in tuple(self._open):
            self._close(key, events)

    def _close(self, key: Key, events: list[Event]) -> None:
        opened = self._open.pop(key)
        if key == self._implicit:
            self._implicit = None
        if isinstance(opened.what, Kept):
            opened.number = self._number()
            events.append(opened.opening())
        closed = opened.closing()
        self._closed[opened.number] = closed.what
        events.append(closed)

    def _warn_once(self, code: str, message: str, events: list[Event]) -> None:
        if message not in self._warned:
            self._warned.add(message)
            events.append(Warned(code, message))

    _TAKE: ClassVar[dict[type[Delta], Callable[["Assembler", Any, list[Event]], None]]] = {
        TextDelta: _take_prose,
        ReasoningDelta: _take_prose,
        RefusalDelta: _take_prose,
        ArgumentsDelta: _take_arguments,
        Opened: _take_opened,
        Done: _take_done,
        Signed: _take_signed,
        Annotated: _take_annotated,
        UsageReported: _take_usage,
        Began: _take_began,
        Finished: _take_finished,
        Restarted: _take_restarted,
        Noted: _take_noted,
        Unknown: _take_unknown,
    }


_PROSE: dict[type[Delta], type[Text | Reasoning | Refusal]] = {
    TextDelta: Text,
    ReasoningDelta: Reasoning,
    RefusalDelta: Refusal,
}


def whole_calls(parts: Sequence[Part]) -> tuple[ToolCall, ...]:
    """The calls among the parts, in order. No arguments at all mean none are needed."""
    return tuple(
        part if part.arguments or part.freeform else msgspec.structs.replace(part, arguments="{}")
        for part in parts
        if isinstance(part, ToolCall)
    )
