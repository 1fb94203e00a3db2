"""We are the server: a client's request into ours, a turn's events into lines.

Nothing is refused. Only calls that the client is to carry out are told; what else is left out is in `projection`.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Raw, Struct

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
    StepEnded,
    StepStarted,
    TextGrew,
    TurnEnded,
    TurnStarted,
)
from parlance.core.parts import ToolCall
from parlance.core.transcript import standing_parts
from parlance.core.usage import Finish
from parlance.dialects.mend import encode_json
from parlance.dialects.ollama.faults import encode_stream_fault
from parlance.dialects.ollama.projection import told_arguments
from parlance.dialects.ollama.requests_in import OllamaAsk as OllamaAsk
from parlance.dialects.ollama.requests_in import decode_request as decode_request
from parlance.dialects.ollama.wire import WireCall, WireFunction, WireMessage

_CANCELLED: Final = Fault("cancelled", "The turn was cancelled before the answer was whole.")
_FINISHES: Final[dict[Finish, str]] = {"stop": "stop", "length": "length", "filtered": "content_filter"}

_InPart = PartOpened | PartClosed | PartAnnotated | TextGrew | RefusalGrew | ReasoningGrew | ArgumentsGrew


class _Head(Struct, frozen=True):
    model: str
    created_at: str


class _Tail(Struct, frozen=True, omit_defaults=True):
    done_reason: str
    prompt_eval_count: int | None = None
    eval_count: int | None = None


class TurnLines:
    """Folds the events of one turn into lines. `created_at` is RFC 3339.

    A wire that names no parts can only tell them one behind the other: what is not of the part being told waits. A
    call is told whole; one whose arguments may be half there, only once the step has ended well.
    """

    def __init__(self, *, created_at: str) -> None:
        self._created_at = created_at
        self._model = ""
        # Nearly all lines are growth of text, and in those only the text changes.
        self._head = b""
        self._text_head = b""
        self._raw: str | None = None
        self._part: int | None = None
        self._held: ToolCall | None = None
        self._clients: set[int] = set()
        self._told_call = False
        self._waiting: list[_InPart] = []

    def encode(self, events: Iterable[Event]) -> bytes:
        """The lines that tell these events; empty when there are none."""
        lines: list[bytes] = []
        for event in events:
            if type(event) is TextGrew and event.part == self._part and self._held is None:
                lines.append(b'%b%b},"done":false}\n' % (self._text_head, encode_json(event.text)))
            else:
                self._take(event, lines)
        return b"".join(lines)

    def _take(self, event: Event, lines: list[bytes]) -> None:
        match event:
            case TurnStarted(model=model):
                self._model = model
            case StepStarted(origin=origin):
                self._begin(origin.model or self._model)
            case StepEnded():
                self._end_step(event, lines)
            case StepDropped():
                self._part, self._held = None, None
                self._waiting.clear()
            case TurnEnded():
                self._end(event, lines)
            case (
                PartOpened()
                | PartClosed()
                | PartAnnotated()
                | TextGrew()
                | RefusalGrew()
                | ReasoningGrew()
                | ArgumentsGrew()
            ):
                self._take_in_turn(event, lines)
            case _:
                pass

    def _begin(self, model: str) -> None:
        if not self._head:
            self._head = encode_json(_Head(model, self._created_at))[:-1]
            self._text_head = b'%b,"message":{"role":"assistant","content":' % self._head

    def _take_in_turn(self, event: _InPart, lines: list[bytes]) -> None:
        if self._held is not None or self._part not in (None, event.part):
            self._waiting.append(event)
            return
        match event:
            case PartOpened(part=part, what=what, runner=runner):
                self._part = part
                if isinstance(what, ToolCall) and runner == "client":
                    self._clients.add(part)
            case TextGrew(text=text) | RefusalGrew(text=text):
                self._tell(WireMessage(role="assistant", content=text), lines)
            case ReasoningGrew(text=text):
                self._tell(WireMessage(role="assistant", content="", thinking=text), lines)
            case PartClosed(part=part, what=what):
                self._part = None
                if isinstance(what, ToolCall) and part in self._clients:
                    self._close_call(what, lines)
                self._go_on(lines)
            case _:
                pass

    def _go_on(self, lines: list[bytes]) -> None:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            self._take_in_turn(event, lines)

    def _close_call(self, call: ToolCall, lines: list[bytes]) -> None:
        if standing_parts((call,), "length"):
            self._tell_call(call, lines)
        else:
            self._held = call

    def _end_step(self, ended: StepEnded, lines: list[bytes]) -> None:
        self._raw = ended.raw
        while self._held is not None:
            held, self._held = self._held, None
            if standing_parts((held,), ended.finish):
                self._tell_call(held, lines)
            self._go_on(lines)

    def _tell_call(self, call: ToolCall, lines: list[bytes]) -> None:
        self._told_call = True
        told = WireCall(WireFunction(call.name, Raw(told_arguments(call))), call.id)
        self._tell(WireMessage(role="assistant", content="", tool_calls=[told]), lines)

    def _tell(self, message: WireMessage, lines: list[bytes]) -> None:
        lines.append(b'%b,"message":%b,"done":false}\n' % (self._head, encode_json(message)))

    def _end(self, ended: TurnEnded, lines: list[bytes]) -> None:
        if ended.status != "completed":
            # Only this makes the official client raise; a line that is done would make the cut answer look whole.
            lines.append(encode_stream_fault(ended.fault or _CANCELLED))
            return
        self._begin(self._model)
        usage = ended.usage
        tail = _Tail(
            self._reason(ended.finish),
            usage.input if usage is not None else None,
            usage.output if usage is not None else None,
        )
        lines.append(b'%b""},"done":true,%b\n' % (self._text_head, encode_json(tail)[1:]))

    def _reason(self, finish: Finish | None) -> str:
        """Calls end with `stop` in this language; for a finish that is none of its words, the host's own."""
        if finish == "tool_calls":
            return "stop" if self._told_call else "tool_calls"
        return _FINISHES.get(finish or "stop") or self._raw or "stop"
