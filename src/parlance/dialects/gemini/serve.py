"""We are the server: a client's request into ours, a turn's events into chunks.

Nothing is refused. Only calls that the client is to carry out are told; what else is left out is in `projection`.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Raw, Struct

from parlance.core.errors import Fault
from parlance.core.events import (
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
from parlance.core.parts import Kept, Part, Reasoning, Signature, Text, ToolCall
from parlance.dialects.gemini.endings import encode_finish, encode_usage
from parlance.dialects.gemini.faults import encode_stream_fault
from parlance.dialects.gemini.projection import encode_args
from parlance.dialects.gemini.proofs import FAMILY, encode_signature
from parlance.dialects.gemini.requests_in import decode_request as decode_request
from parlance.dialects.gemini.wire import ANNOTATIONS, WireUsage
from parlance.dialects.mend import encode_json

_CANCELLED: Final = Fault("cancelled", "The turn was cancelled before the answer was whole.")


class TurnChunks:
    """Folds the events of one turn into chunks, framed for SSE.

    Parts have no number on this wire, and a call comes whole: what opens beside an open part waits until that is
    closed.
    """

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._tail = b""
        self._text_tail = b""
        self._raw: str | None = None
        self._open: int | None = None
        self._called = False
        self._hidden: set[int] = set()
        self._waiting: list[Event] = []

    def encode(self, events: Iterable[Event]) -> bytes:
        """The frames that tell these events; empty when there are none."""
        frames: list[bytes] = []
        for event in events:
            if type(event) is TextGrew and event.part == self._open:
                frames.append(b"%b%b%b" % (_TEXT_HEAD, encode_json(event.text), self._text_tail))
            else:
                self._take(event, frames)
        return b"".join(frames)

    def _take(self, event: Event, frames: list[bytes]) -> None:
        match event:
            case TurnStarted(turn=turn, model=model):
                self._id, self._model = turn, model
                self._name(model)
            case StepStarted(origin=origin):
                self._name(origin.model or self._model)
            case StepEnded(raw=raw):
                self._raw = raw
            case TurnEnded():
                self._end(event, frames)
            case PartOpened(part=part, what=ToolCall(), runner=runner) if runner != "client":
                self._hidden.add(part)
            case PartOpened(part=part) | PartClosed(part=part) | TextGrew(part=part):
                self._take_in_turn(part, event, frames)
            case ReasoningGrew(part=part) | RefusalGrew(part=part):
                self._take_in_turn(part, event, frames)
            case _:
                pass

    def _name(self, model: str) -> None:
        names = encode_json({"modelVersion": model, "responseId": self._id})[1:]
        self._tail = b",%b\n\n" % names
        self._text_tail = b'}],"role":"model"},"index":0}],%b\n\n' % names

    def _take_in_turn(self, part: int, event: Event, frames: list[bytes]) -> None:
        if part in self._hidden:
            return
        if self._open not in (None, part):
            self._waiting.append(event)
            return
        match event:
            case PartOpened():
                self._open = part
            case TextGrew(text=text) | RefusalGrew(text=text):
                self._say({"text": text}, frames)
            case ReasoningGrew(text=text):
                self._say({"text": text, "thought": True}, frames)
            case PartClosed(what=what):
                self._close(what, frames)
                self._open = None
                waiting, self._waiting = self._waiting, []
                for one in waiting:
                    self._take(one, frames)
            case _:
                pass

    def _close(self, what: Part, frames: list[bytes]) -> None:
        match what:
            case Text():
                for annotation in what.annotations:
                    if annotation.family == FAMILY and annotation.type in ANNOTATIONS:
                        self._tell({"content": _content(), annotation.type: annotation.data}, frames)
                self._sign({"text": ""}, what.signature, frames)
            case Reasoning():
                self._sign({"text": "", "thought": True}, what.signature, frames)
            case ToolCall():
                self._call(what, frames)
            case Kept(family=family, data=data) if family == FAMILY:
                self._say(data, frames)
            case _:
                pass

    def _call(self, call: ToolCall, frames: list[bytes]) -> None:
        args = encode_args(call)
        if args is None:
            return
        self._called = True
        told: dict[str, object] = {"id": call.id, "name": call.name}
        if args:
            told["args"] = Raw(args)
        part: dict[str, object] = {"functionCall": told}
        if call.signature is not None:
            part["thoughtSignature"] = encode_signature(call.signature)
        self._say(part, frames)

    def _sign(self, part: dict[str, object], signature: Signature | None, frames: list[bytes]) -> None:
        if signature is not None:
            self._say({**part, "thoughtSignature": encode_signature(signature)}, frames)

    def _say(self, part: object, frames: list[bytes]) -> None:
        self._tell({"content": _content(part)}, frames)

    def _tell(self, candidate: dict[str, object], frames: list[bytes], usage: WireUsage | None = None) -> None:
        more = b"" if usage is None else b',"usageMetadata":%b' % encode_json(usage)
        frames.append(b'data: {"candidates":[%b]%b%b' % (encode_json({**candidate, "index": 0}), more, self._tail))

    def _end(self, ended: TurnEnded, frames: list[bytes]) -> None:
        if ended.status != "completed":
            frames.append(b"data: %b\n\n" % encode_stream_fault(ended.fault or _CANCELLED))
            return
        word = encode_finish(ended.finish, self._raw, called=self._called)
        usage = encode_usage(ended.usage) if ended.usage is not None else None
        self._tell({"content": _content(), "finishReason": word}, frames, usage)


_TEXT_HEAD: Final = b'data: {"candidates":[{"content":{"parts":[{"text":'


def _content(*parts: object) -> dict[str, object]:
    return {"parts": list(parts), "role": "model"}


class _Model(Struct, rename="camel"):
    name: str
    display_name: str
    supported_generation_methods: tuple[str, ...] = ("generateContent", "streamGenerateContent")


def encode_models(names: Iterable[str]) -> bytes:
    """The list of models."""
    return encode_json({"models": [_Model(f"models/{name}", name) for name in names]})
