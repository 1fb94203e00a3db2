"""We are the server: a client's request into ours, a turn's events into the events of a response.

Nothing is refused. Only calls that the client is to carry out are told; what else is left out is in `projection`.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Raw

from parlance.core.errors import Fault
from parlance.core.events import (
    ArgumentsGrew,
    Event,
    PartAnnotated,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    RefusalGrew,
    StepDropped,
    StepStarted,
    TextGrew,
    ToolCalled,
    TurnEnded,
    TurnStarted,
)
from parlance.core.parts import Kept, Part, Reasoning, Refusal, Text, ToolCall
from parlance.dialects.mend import encode_json
from parlance.dialects.openai_responses.channels import CALLS, INDEXES, TAILS, Told, channel_of, tell_part, text_of
from parlance.dialects.openai_responses.endings import tell_reason
from parlance.dialects.openai_responses.requests_in import ResponsesAsk as ResponsesAsk
from parlance.dialects.openai_responses.requests_in import decode_request as decode_request
from parlance.dialects.openai_responses.told import Answer, tell_content, tell_item, tell_summary
from parlance.dialects.openai_responses.wire import FAMILY

_DONE: Final = b"data: [DONE]\n\n"
_CANCELLED: Final = Fault("cancelled", "The turn was cancelled before the answer was whole.")


class TurnFrames:
    """Folds the events of one turn into frames for SSE, numbered from 0. Each part is an item of its own.

    `echo` is what the response shows of its request (`ResponsesAsk.echo`), `created` in seconds since 1970.
    """

    def __init__(self, *, created: int, echo: Mapping[str, Raw]) -> None:
        self._answer = Answer(created=created, echo=echo)
        self._number = 0
        self._begun = False
        self._turn = ""
        self._index = 0
        self._open: dict[int, Told] = {}
        self._of_step: list[int] = []
        self._called: set[str] = set()

    @property
    def answer(self) -> Answer:
        """The response as far as it has been told."""
        return self._answer

    def encode(self, events: Iterable[Event]) -> bytes:
        """The frames that tell these events; empty when there are none."""
        frames: list[bytes] = []
        for event in events:
            if isinstance(event, (TextGrew, ArgumentsGrew, ReasoningGrew, RefusalGrew)):
                told = self._open.get(event.part)
                if told is not None:
                    self._grow(told, event.text, frames)
            else:
                self._take(event, frames)
        return b"".join(frames)

    def _grow(self, told: Told, text: str, frames: list[bytes]) -> None:
        if not told.begun:
            self._begin_content(told, frames)
        told.grown = True
        frames.append(b"%b%d%b%b%b" % (told.head, self._number, told.place, encode_json(text), TAILS[told.channel]))
        self._number += 1

    def _take(self, event: Event, frames: list[bytes]) -> None:
        match event:
            case TurnStarted(turn=turn, model=model):
                self._turn, self._answer.id, self._answer.model = turn, f"resp_{turn}", model
            case StepStarted(origin=origin):
                self._of_step = []
                self._begin(origin.model, frames)
            case PartOpened() | PartAnnotated() | PartClosed():
                self._take_part(event, frames)
            case ToolCalled(call=call, runner="client") if call.id not in self._called:
                # The log was trimmed: of what is long past it has the whole alone.
                self._take_whole(-1, call, frames)
            case StepDropped():
                for index in self._of_step:
                    self._answer.items.pop(index, None)
            case TurnEnded():
                self._end(event, frames)
            case _:
                pass

    def _take_part(self, event: PartOpened | PartAnnotated | PartClosed, frames: list[bytes]) -> None:
        match event:
            case PartOpened(part=part, what=what, runner=runner):
                if not isinstance(what, ToolCall) or runner == "client":
                    self._open_part(part, what, frames)
            case PartAnnotated(part=part, annotation=annotation) if annotation.family == FAMILY:
                if part in self._open:
                    self._annotate(self._open[part], annotation.data, frames)
            case PartClosed(part=part, what=what):
                if part in self._open:
                    self._close_part(self._open.pop(part), what, frames)
                elif not isinstance(what, ToolCall):
                    self._take_whole(part, what, frames)
            case _:
                pass

    def _tell(self, kind: str, fields: Mapping[str, object], frames: list[bytes]) -> None:
        data = encode_json({"type": kind, "sequence_number": self._number, **fields})
        frames.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))
        self._number += 1

    def _begin(self, model: str, frames: list[bytes]) -> None:
        if not self._begun:
            self._begun = True
            self._answer.model = model or self._answer.model
            response = {"response": self._answer.tell("in_progress")}
            self._tell("response.created", response, frames)
            self._tell("response.in_progress", response, frames)

    def _open_part(self, part: int, what: Part, frames: list[bytes]) -> None:
        channel = channel_of(what)
        if channel is None:
            return
        index, self._index = self._index, self._index + 1
        self._of_step.append(index)
        told = self._open[part] = tell_part(index, channel, turn=self._turn)
        self._tell(
            "response.output_item.added",
            {"output_index": index, "item": tell_item(what, told.id, done=False)},
            frames,
        )
        if isinstance(what, Kept):
            self._finish_item(told, what, frames)
            return
        if isinstance(what, ToolCall):
            self._called.add(what.id)
        if not (isinstance(what, Reasoning) and what.redacted):
            self._begin_content(told, frames)
        if text := text_of(what):
            self._grow(told, text, frames)

    def _take_whole(self, part: int, what: Part, frames: list[bytes]) -> None:
        self._open_part(part, what, frames)
        if part in self._open:
            self._close_part(self._open.pop(part), what, frames)

    def _begin_content(self, told: Told, frames: list[bytes]) -> None:
        told.begun = True
        match told.channel:
            case "output_text":
                self._tell_content(told, "response.content_part.added", {"part": tell_content(Text(""))}, frames)
            case "refusal":
                self._tell_content(told, "response.content_part.added", {"part": tell_content(Refusal(""))}, frames)
            case "reasoning_summary_text":
                self._tell_content(told, "response.reasoning_summary_part.added", {"part": tell_summary("")}, frames)
            case _:
                pass

    def _tell_content(self, told: Told, kind: str, fields: Mapping[str, object], frames: list[bytes]) -> None:
        place = {} if told.channel in CALLS else {INDEXES[told.channel]: 0}
        self._tell(kind, {"item_id": told.id, "output_index": told.index, **place, **fields}, frames)

    def _annotate(self, told: Told, data: Raw, frames: list[bytes]) -> None:
        fields = {"annotation_index": told.annotated, "annotation": data}
        self._tell_content(told, "response.output_text.annotation.added", fields, frames)
        told.annotated += 1

    def _close_part(self, told: Told, what: Part, frames: list[bytes]) -> None:
        if isinstance(what, Kept):
            return
        text = text_of(what)
        if text and not told.grown:
            self._grow(told, text, frames)
        if told.begun:
            self._close_content(told, what, text, frames)
        self._finish_item(told, what, frames)

    def _close_content(self, told: Told, what: Part, text: str, frames: list[bytes]) -> None:
        done = f"response.{told.channel}.done"
        match what:
            case Text():
                self._tell_content(told, done, {"text": text, "logprobs": []}, frames)
                self._tell_content(told, "response.content_part.done", {"part": tell_content(what)}, frames)
            case Refusal():
                self._tell_content(told, done, {"refusal": text}, frames)
                self._tell_content(told, "response.content_part.done", {"part": tell_content(what)}, frames)
            case Reasoning():
                self._tell_content(told, done, {"text": text}, frames)
                self._tell_content(told, "response.reasoning_summary_part.done", {"part": tell_summary(text)}, frames)
            case ToolCall(freeform=freeform):
                self._tell_content(told, done, {"input" if freeform else "arguments": text}, frames)
            case _:
                pass

    def _finish_item(self, told: Told, what: Part, frames: list[bytes]) -> None:
        item = tell_item(what, told.id, done=True)
        self._answer.items[told.index] = encode_json(item)
        self._tell("response.output_item.done", {"output_index": told.index, "item": item}, frames)

    def _end(self, ended: TurnEnded, frames: list[bytes]) -> None:
        self._begin(self._answer.model, frames)
        if ended.status == "completed":
            reason = tell_reason(ended.finish)
            status = "completed" if reason is None else "incomplete"
            response = self._answer.tell(status, reason=reason, usage=ended.usage)
        else:
            status, fault = "failed", ended.fault or _CANCELLED
            self._tell("error", {"code": fault.code, "message": fault.message, "param": None}, frames)
            response = self._answer.tell(status, fault=fault, usage=ended.usage)
        self._tell(f"response.{status}", {"response": response}, frames)
        frames.append(_DONE)


def encode_answer(events: Iterable[Event], *, created: int, echo: Mapping[str, Raw]) -> bytes:
    """The response of a turn that is completed; of any other, tell its fault instead."""
    ended = TurnEnded("completed")
    fold = TurnFrames(created=created, echo=echo)
    for event in events:
        if isinstance(event, TurnEnded):
            ended = event
        else:
            fold.encode((event,))
    reason = tell_reason(ended.finish)
    return bytes(fold.answer.tell("completed" if reason is None else "incomplete", reason=reason, usage=ended.usage))


def encode_keepalive() -> bytes:
    """A comment, which clients skip: proxies close connections that are silent for long."""
    return b": keep-alive\n\n"
