"""We are the server: a turn's events into server-sent events.

Text is told as unnamed events, so that a client which knows nothing else shows the answer; all else bears a name.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from parlance.core.errors import ParlanceError
from parlance.core.events import (
    Event,
    ReasoningGrew,
    RefusalGrew,
    StepDropped,
    StepEnded,
    TextGrew,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    TurnStarted,
    Warned,
)
from parlance.core.fault import Fault
from parlance.core.ids import ChatId, Epoch, TurnId
from parlance.core.usage import Finish
from parlance.dialects.chat_request import ToldRestart
from parlance.dialects.rest.resources import encode_usage
from parlance.dialects.rest.wire import UsageResource
from parlance.dialects.tool_rounds import tell_call, tell_result

BEAT = b":\n\n"
"""A comment, which clients pass over."""

_encode = msgspec.json.Encoder().encode
_MARKS = ((b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"), (b"\xc2\x85", rb"\u0085"))


class Content(Struct, frozen=True):
    content: str


class Start(Struct, frozen=True, omit_defaults=True):
    """`message_id` and `content` are the user's message's, where there is one."""

    turn_id: str
    model: str
    chat_id: str | None = None
    message_id: str | None = None
    content: str | None = None


class Step(Struct, frozen=True):
    """A model call is over, and made this message."""

    step: int
    message_id: str
    finish_reason: Finish | None
    usage: UsageResource


class Notice(Struct, frozen=True):
    code: str
    message: str


class End(Struct, frozen=True, omit_defaults=True):
    """`reason`: why it was cancelled, where its client did not ask for that."""

    turn_id: str
    status: str
    finish_reason: Finish | None = None
    usage: UsageResource | None = None
    reason: str | None = None


class Error(Struct, frozen=True, omit_defaults=True):
    turn_id: str | None
    status: str
    code: str
    message: str
    retryable: bool
    retry_after: float | None = None


class Told(Struct, frozen=True):
    """One event as it is told: `name` is empty for text, `data` one JSON value."""

    name: str
    data: bytes
    cursor: str | None


class TurnEvents:
    """Folds the events of one turn. `epoch` is None for a turn that nobody can resume; `chat` for one without."""

    def __init__(
        self,
        turn: TurnId,
        epoch: Epoch | None,
        chat: ChatId | None = None,
        *,
        reasoning: bool = False,
        warnings: bool = False,
    ) -> None:
        self._turn = turn
        self._epoch = epoch
        self._head = None if epoch is None else f"id: {epoch}-".encode()
        self._chat = chat
        self._reasoning = reasoning
        self._warnings = warnings

    def renumber(self, epoch: Epoch) -> None:
        """What is told from now on bears this epoch: another process goes on with the turn."""
        if self._epoch is not None:
            self._epoch = epoch

    def encode(self, first: int, events: Sequence[Event], *, last: bool = True) -> bytes:
        """The events, of which the first bears the number `first`, as they are sent; empty when there is nothing to
        tell. `last`: the stream ends with its turn.
        """
        frames = []
        head = self._head
        for number, event in enumerate(events, first):
            # Nearly all events are growth of text, and in those only the text and the cursor's number change.
            if type(event) is TextGrew or type(event) is RefusalGrew:
                text = _encode(event.text)
                if head is None:
                    frames.append(b'data: {"content":%b}\n\n' % text)
                else:
                    frames.append(b'%b%d\ndata: {"content":%b}\n\n' % (head, number, text))
                continue
            told = self.tell(number, event)
            if told is not None:
                frames.append(encode_event(told))
            if last and type(event) is TurnEnded:
                frames.append(self.terminator(number))
        return _keep_lines_whole(b"".join(frames))

    def tell(self, number: int, event: Event) -> Told | None:
        cursor = None if self._epoch is None else f"{self._epoch}-{number}"
        named = self._named(event)
        return Told(named[0], _keep_lines_whole(_encode(named[1])), cursor) if named is not None else None

    def terminator(self, number: int) -> bytes:
        """Framing, and told again to whoever resumes behind the ending."""
        cursor = None if self._epoch is None else f"{self._epoch}-{number}"
        return encode_event(Told("", b"[DONE]", cursor))

    def _named(self, event: Event) -> tuple[str, Struct] | None:
        match event:
            case TextGrew(text=text) | RefusalGrew(text=text):
                return "", Content(text)
            case TurnStarted():
                return "start", self._start(event)
            case ReasoningGrew(text=text) if self._reasoning:
                return "reasoning", Content(text)
            case StepEnded(step=step, message_id=message_id, finish=finish, usage=usage):
                return "step", Step(step, message_id, finish, encode_usage(usage))
            case ToolCalled():
                return "tool_call", tell_call(event)
            case ToolReturned(result=result):
                return "tool_result", tell_result(result)
            case StepDropped(reason=reason):
                return "restart", ToldRestart(reason)
            case Warned(code=code, message=message) if self._warnings:
                return "warning", Notice(code, message)
            case TurnEnded():
                return self._end(event)
            case _:
                return None

    def _start(self, event: TurnStarted) -> Start:
        given = event.input
        return Start(
            turn_id=event.turn,
            model=event.model,
            chat_id=self._chat,
            message_id=given.id if given is not None else None,
            content=given.text if given is not None else None,
        )

    def _end(self, ended: TurnEnded) -> tuple[str, Struct]:
        fault = ended.fault
        if ended.status in ("failed", "incomplete"):
            return "error", _error(fault or Fault(ended.status, "The answer is not whole."), self._turn, ended.status)
        usage = encode_usage(ended.usage) if ended.usage is not None else None
        return "end", End(self._turn, ended.status, ended.finish, usage, fault.code if fault is not None else None)


def encode_event(told: Told) -> bytes:
    head = f"id: {told.cursor}\n".encode() if told.cursor is not None else b""
    name = f"event: {told.name}\n".encode() if told.name else b""
    return b"%b%bdata: %b\n\n" % (head, name, told.data)


def encode_broken_off(error: ParlanceError) -> bytes:
    """The last event of a stream that goes on without this client; no terminator follows, for this is no end."""
    return encode_event(Told("error", _keep_lines_whole(_encode(_error(error.fault(), None, "running"))), None))


def _error(fault: Fault, turn: TurnId | None, status: str) -> Error:
    return Error(turn, status, fault.code, fault.message, fault.retryable, fault.retry_after)


def _keep_lines_whole(data: bytes) -> bytes:
    """JSON lets these three stand as they are, but to many clients (httpx's `iter_lines`, for one) each ends a line."""
    if not data.isascii() and (b"\xe2\x80" in data or b"\xc2\x85" in data):
        for mark, escape in _MARKS:
            data = data.replace(mark, escape)
    return data
