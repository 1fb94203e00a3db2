"""We are the server: a turn's events into the events of this language. `requests_in` reads a client's request.

Nothing is refused. Only calls that the client is to carry out are told; what else is left out is in `projection`.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
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
    StepEnded,
    StepStarted,
    TextGrew,
    TurnEnded,
    TurnStarted,
)
from parlance.core.parts import Kept, Part, Reasoning, ToolCall
from parlance.core.transcript import standing_parts
from parlance.dialects.anthropic_messages.accounts import encode_usage
from parlance.dialects.anthropic_messages.faults import encode_stream_fault
from parlance.dialects.anthropic_messages.finishes import encode_finish
from parlance.dialects.anthropic_messages.names import encode_name
from parlance.dialects.anthropic_messages.proofs import additions_of, encode_rider
from parlance.dialects.anthropic_messages.requests_in import MessagesAsk as MessagesAsk
from parlance.dialects.anthropic_messages.requests_in import decode_request as decode_request
from parlance.dialects.anthropic_messages.wire import FAMILY
from parlance.dialects.foreign import wrap_signature
from parlance.dialects.mend import encode_json

_PartEvent = PartOpened | PartClosed | PartAnnotated | TextGrew | ReasoningGrew | RefusalGrew | ArgumentsGrew
_CANCELLED: Final = Fault("cancelled", "The turn was cancelled before the answer was whole.")
_TEXT: Final = b'{"type":"text","text":""}'
_THINKING: Final = b'{"type":"thinking","thinking":"","signature":""}'
_STOP: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class TurnBlocks:
    """Folds the events of one turn into blocks, framed for SSE.

    Blocks come one after the other: what opens beside an open one waits until that is closed. A block of prose begins
    with its first word, since an empty one would be refused when it comes back.
    """

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._begun = False
        self._raw: str | None = None
        self._step: StepEnded | None = None
        self._held: ToolCall | None = None
        self._index = -1
        self._part: int | None = None
        self._told = False
        self._freeform = False
        self._ridden = False
        self._hidden: set[int] = set()
        self._head = b""
        self._tail = b""
        self._waiting: list[Event] = []

    def encode(self, events: Iterable[Event]) -> bytes:
        """The frames that tell these events; empty when there are none."""
        frames: list[bytes] = []
        for event in events:
            if type(event) is TextGrew and event.part == self._part and self._told:
                frames.append(b"%b%b%b" % (self._head, encode_json(event.text), self._tail))
            else:
                self._take(event, frames)
        return b"".join(frames)

    def _take(self, event: Event, frames: list[bytes]) -> None:
        match event:
            case TurnStarted(turn=turn, model=model):
                self._id, self._model = f"msg_{turn}", model
            case StepStarted(origin=origin):
                self._step = None
                self._begin(origin.model or self._model, frames)
            case StepEnded(raw=raw):
                self._raw, self._step = raw, event
                if self._held is not None and self._part is not None:
                    self._close(self._part, self._held, frames)
            case TurnEnded():
                self._end(event, frames)
            case PartOpened() | PartClosed() | PartAnnotated():
                self._take_in_turn(event, frames)
            case TextGrew() | ReasoningGrew() | RefusalGrew() | ArgumentsGrew():
                self._take_in_turn(event, frames)
            case _:
                pass

    def _begin(self, model: str, frames: list[bytes]) -> None:
        if self._begun:
            return
        self._begun = True
        message: dict[str, object] = {
            "id": self._id, "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": encode_usage(None),
        }  # fmt: skip
        _tell("message_start", {"message": message}, frames)

    def _take_in_turn(self, event: _PartEvent, frames: list[bytes]) -> None:
        if self._part not in (None, event.part):
            self._waiting.append(event)
            return
        match event:
            case PartOpened(part=part, what=what):
                self._part, self._told = part, False
                if isinstance(what, ToolCall):
                    self._open_call(event, what, frames)
            case PartClosed(part=part, what=what):
                self._close(part, what, frames)
            case PartAnnotated(annotation=annotation):
                if annotation.family == FAMILY:
                    self._open_prose(_TEXT, b"text", frames)
                    self._grow(b'"citations_delta","citation":%b' % _one_line(annotation.data), frames)
            case TextGrew(text=text) | RefusalGrew(text=text):
                self._open_prose(_TEXT, b"text", frames)
                frames.append(b"%b%b%b" % (self._head, encode_json(text), self._tail))
            case ReasoningGrew(text=text):
                self._open_prose(_THINKING, b"thinking", frames)
                frames.append(b"%b%b%b" % (self._head, encode_json(text), self._tail))
            case ArgumentsGrew(part=part, text=text) if part not in self._hidden:
                self._grow_input(encode_json(text)[1:-1].decode() if self._freeform else text, frames)
            case ArgumentsGrew():
                pass

    def _open_prose(self, block: bytes, field: bytes, frames: list[bytes]) -> None:
        if self._told:
            return
        self._open(block, frames)
        delta = b'"delta":{"type":"%b_delta","%b":' % (field, field)
        self._head = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,%b' % (
            self._index,
            delta,
        )
        self._tail = b"}}\n\n"

    def _open(self, block: bytes, frames: list[bytes]) -> None:
        self._told = True
        self._index += 1
        start = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
        frames.append(start % (self._index, block))

    def _grow(self, delta: bytes, frames: list[bytes]) -> None:
        grown = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b}}\n\n'
        frames.append(grown % (self._index, delta))

    def _stop(self, frames: list[bytes]) -> None:
        if self._told:
            self._told = False
            stop = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
            frames.append(stop % self._index)

    def _open_call(self, opened: PartOpened, call: ToolCall, frames: list[bytes]) -> None:
        if opened.runner != "client":
            self._hidden.add(opened.part)
            return
        added = additions_of(call)
        self._ridden = call.signature is not None
        if not added:
            self._tell_rider(call, frames)
        block = {"type": "tool_use", "id": call.id, "name": encode_name(call.name), "input": {}} | added
        self._open(_one_line(Raw(encode_json(block))), frames)
        self._freeform = call.freeform
        if call.freeform:
            self._grow_input('{"input":"', frames)

    def _tell_rider(self, call: ToolCall, frames: list[bytes]) -> None:
        if call.signature is not None:
            self._tell_whole({"type": "redacted_thinking", "data": encode_rider(call, call.signature)}, frames)

    def _tell_whole(self, block: object, frames: list[bytes]) -> None:
        self._open(encode_json(block), frames)
        self._stop(frames)

    def _grow_input(self, text: str, frames: list[bytes]) -> None:
        if text:
            self._grow(b'"input_json_delta","partial_json":%b' % encode_json(text), frames)

    def _close(self, part: int, what: Part, frames: list[bytes]) -> None:
        match what:
            case Reasoning(signature=signature, redacted=redacted, text=text) if signature is not None:
                value = wrap_signature(signature, family=FAMILY)
                if redacted and not text:
                    self._tell_whole({"type": "redacted_thinking", "data": value}, frames)
                else:
                    self._open_prose(_THINKING, b"thinking", frames)
                    self._grow(b'"signature_delta","signature":%b' % encode_json(value), frames)
            case ToolCall(freeform=True) if self._step is None and part not in self._hidden:
                # Its text is closed as JSON only when it is known to be whole.
                self._held = what
                return
            case ToolCall() if part not in self._hidden:
                self._close_call(what, frames)
            case Kept(family=family, data=data) if family == FAMILY:
                self._open(_one_line(data), frames)
            case _:
                pass
        self._stop(frames)
        self._go_on(frames)

    def _close_call(self, call: ToolCall, frames: list[bytes]) -> None:
        self._held = None
        if call.freeform and self._step is not None and standing_parts([call], self._step.finish):
            self._grow_input('"}', frames)
        self._stop(frames)
        # Known only now, it rides behind.
        if not self._ridden:
            self._tell_rider(call, frames)

    def _go_on(self, frames: list[bytes]) -> None:
        self._part = None
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._take(event, frames)

    def _end(self, ended: TurnEnded, frames: list[bytes]) -> None:
        if ended.status != "completed":
            # Without `message_stop` behind it no client takes the cut answer for a whole one.
            frames.append(b"event: error\ndata: %b\n\n" % encode_stream_fault(ended.fault or _CANCELLED))
            return
        self._begin(self._model, frames)
        delta = {"stop_reason": encode_finish(ended.finish, self._raw), "stop_sequence": None}
        _tell("message_delta", {"delta": delta, "usage": encode_usage(ended.usage)}, frames)
        frames.append(_STOP)


def _tell(event: str, fields: dict[str, object], frames: list[bytes]) -> None:
    frames.append(b"event: %b\ndata: %b\n\n" % (event.encode(), encode_json({"type": event} | fields)))


def _one_line(raw: Raw) -> bytes:
    """JSON that came from elsewhere may hold line ends, which would cut a frame."""
    text = bytes(raw)
    return msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text


def encode_ping() -> bytes:
    """An event that clients skip: proxies close connections that are silent for long."""
    return b'event: ping\ndata: {"type":"ping"}\n\n'
