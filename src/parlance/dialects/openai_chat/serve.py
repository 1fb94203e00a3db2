"""We are the server: a client's request into ours, a turn's events into chunks. `whole` has the answer in one piece.

Nothing is refused. Only calls that the client is to carry out are told; what else is left out is in `projection`.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from parlance.core.errors import Fault
from parlance.core.events import (
    ArgumentsGrew,
    Event,
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
from parlance.core.parts import Part, Reasoning, Refusal, Text, ToolCall
from parlance.dialects.openai_chat.faults import encode_stream_fault
from parlance.dialects.openai_chat.requests_in import ChatAsk as ChatAsk
from parlance.dialects.openai_chat.requests_in import decode_request as decode_request
from parlance.dialects.openai_chat.thoughts import encode_signature
from parlance.dialects.openai_chat.told import (
    Head,
    ToldDelta,
    encode,
    tell_annotations,
    tell_call,
    tell_finish,
    tell_proof,
    tell_usage,
)
from parlance.dialects.openai_chat.whole import encode_answer as encode_answer
from parlance.dialects.openai_chat.wire import CallFragment, Custom, Function

_DONE: Final = b"data: [DONE]\n\n"
_CANCELLED: Final = Fault("cancelled", "The turn was cancelled before the answer was whole.")


class _ToldCall(Struct, frozen=True):
    index: int
    freeform: bool


class TurnChunks:
    """Folds the events of one turn into chunks, framed for SSE. `created` is in seconds since 1970.

    A wire with one channel for prose can't go back to an earlier part: what opens beside open prose waits until that
    is closed. Arguments don't wait, for they have an index.
    """

    def __init__(self, *, created: int, include_usage: bool) -> None:
        self._created = created
        self._include_usage = include_usage
        self._id = ""
        self._model = ""
        # Nearly all chunks are growth of text, and in those only the text changes.
        self._head = b""
        self._text_head = b""
        self._rest = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._text_tail = b'},"finish_reason":null}]' + self._rest
        self._raw: str | None = None
        self._prose: int | None = None
        self._calls: dict[int, _ToldCall] = {}
        self._waiting: list[Event] = []

    def encode(self, events: Iterable[Event]) -> bytes:
        """The frames that tell these events; empty when there are none."""
        frames: list[bytes] = []
        for event in events:
            if type(event) is TextGrew and event.part == self._prose:
                frames.append(b"%b%b%b" % (self._text_head, encode(event.text), self._text_tail))
            else:
                self._take(event, frames)
        return b"".join(frames)

    def _take(self, event: Event, frames: list[bytes]) -> None:
        match event:
            case TurnStarted(turn=turn, model=model):
                self._id, self._model = f"chatcmpl-{turn}", model
            case StepStarted(origin=origin):
                self._begin(origin.model or self._model, frames)
            case StepEnded(raw=raw):
                self._raw = raw
            case TurnEnded():
                self._end(event, frames)
            case PartOpened(part=part) | PartClosed(part=part) | TextGrew(part=part):
                self._take_in_turn(part, event, frames)
            case ReasoningGrew(part=part) | RefusalGrew(part=part) | ArgumentsGrew(part=part):
                self._take_in_turn(part, event, frames)
            case _:
                pass

    def _begin(self, model: str, frames: list[bytes]) -> None:
        if not self._head:
            head = encode(Head(self._id, "chat.completion.chunk", self._created, model))
            self._head = b"data: %b" % head[:-1]
            self._text_head = b'%b,"choices":[{"index":0,"delta":{"content":' % self._head
            self._tell(ToldDelta(role="assistant", content=""), frames)

    def _tell(self, delta: ToldDelta, frames: list[bytes], *, finish: str | None = None) -> None:
        choice = b'"delta":%b,"finish_reason":%b' % (encode(delta), encode(finish))
        frames.append(b'%b,"choices":[{"index":0,%b}]%b' % (self._head, choice, self._rest))

    def _take_in_turn(self, part: int, event: Event, frames: list[bytes]) -> None:
        if self._prose not in (None, part) and part not in self._calls:
            self._waiting.append(event)
            return
        match event:
            case PartOpened(what=what):
                self._open(event, what, frames)
            case PartClosed(what=what):
                self._close(part, what, frames)
            case ArgumentsGrew(text=text) if part in self._calls:
                self._tell_call(self._growth(self._calls[part], text), frames)
            case TextGrew(text=text):
                self._tell(ToldDelta(content=text), frames)
            case ReasoningGrew(text=text):
                self._tell(ToldDelta(reasoning_content=text), frames)
            case RefusalGrew(text=text):
                self._tell(ToldDelta(refusal=text), frames)
            case _:
                pass

    def _open(self, opened: PartOpened, what: Part, frames: list[bytes]) -> None:
        if isinstance(what, Text | Reasoning | Refusal):
            self._prose = opened.part
        elif isinstance(what, ToolCall) and opened.runner == "client":
            told = self._calls[opened.part] = _ToldCall(len(self._calls), what.freeform)
            self._tell_call(tell_call(what, index=told.index), frames)

    def _close(self, part: int, what: Part, frames: list[bytes]) -> None:
        match what:
            case ToolCall(signature=signature) if part in self._calls and signature is not None:
                growth = self._growth(self._calls[part], "")
                growth.extra_content = encode_signature(what)
                self._tell_call(growth, frames)
            case Text():
                self._tell_if_any(
                    ToldDelta(annotations=tell_annotations(what), extra_content=encode_signature(what)), frames
                )
            case Reasoning():
                self._tell_if_any(ToldDelta(reasoning_details=tell_proof(what)), frames)
            case _:
                pass
        if part == self._prose:
            self._prose = None
            waiting, self._waiting = self._waiting, []
            for event in waiting:
                self._take(event, frames)

    def _tell_if_any(self, delta: ToldDelta, frames: list[bytes]) -> None:
        if delta != ToldDelta():
            self._tell(delta, frames)

    def _tell_call(self, fragment: CallFragment, frames: list[bytes]) -> None:
        self._tell(ToldDelta(tool_calls=[fragment]), frames)

    def _growth(self, call: _ToldCall, text: str) -> CallFragment:
        if call.freeform:
            return CallFragment(index=call.index, custom=Custom(input=text))
        return CallFragment(index=call.index, function=Function(arguments=text))

    def _end(self, ended: TurnEnded, frames: list[bytes]) -> None:
        if ended.status != "completed":
            # Only this makes official clients raise; a `[DONE]` behind it would make the cut answer look whole.
            frames.append(b"data: %b\n\n" % encode_stream_fault(ended.fault or _CANCELLED))
            return
        self._begin(self._model, frames)
        self._tell(ToldDelta(), frames, finish=tell_finish(ended.finish, self._raw))
        if self._include_usage and ended.usage is not None:
            frames.append(b'%b,"choices":[],"usage":%b}\n\n' % (self._head, encode(tell_usage(ended.usage))))
        frames.append(_DONE)


def encode_keepalive() -> bytes:
    """A comment, which clients skip: proxies close connections that are silent for long."""
    return b": keep-alive\n\n"


def encode_models(ids: Iterable[tuple[str, str]], *, created: int) -> bytes:
    """The list of models, from names and who offers each."""
    rows = [{"id": id, "object": "model", "created": created, "owned_by": owner} for id, owner in ids]
    return encode({"object": "list", "data": rows})
