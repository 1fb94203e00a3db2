"""We are the server: bodies into requests, events into lines, every line with its cursor."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from parlance.core.errors import ParlanceError
from parlance.core.events import (
    Event,
    ReasoningGrew,
    RefusalGrew,
    StepDropped,
    TextGrew,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    TurnStarted,
    Warned,
)
from parlance.core.ids import ChatId, Epoch, TurnId
from parlance.core.json import decode_json
from parlance.core.messages import Message
from parlance.core.provider import ModelInfo
from parlance.core.requests import ToolSpec
from parlance.core.tool import Answer
from parlance.dialects.chat_request import Params, ToldRestart, decode_chat_id, decode_text, decode_tools
from parlance.dialects.ndjson_chat.wire import (
    ChatBody,
    Line,
    Meta,
    ModelList,
    ModelRow,
    Problem,
    ResultsBody,
    TurnStatus,
)
from parlance.dialects.tool_rounds import decode_answers, tell_call, tell_result

_encode = msgspec.json.Encoder().encode


class Chat(Struct, frozen=True):
    """A message to be answered. `chat_id` is a stored chat's, or `new`."""

    message: Message
    model: str | None
    tools: tuple[ToolSpec, ...]
    params: Params
    chat_id: str | None = None


def decode_chat(body: bytes) -> Chat:
    """The body of `POST /chat`. Raises `InvalidJson`, `InvalidRequest`."""
    chat = decode_json(body, ChatBody)
    return Chat(
        message=decode_text(chat.message, path="$.message"),
        model=chat.model,
        tools=decode_tools(chat.tools or (), path="$.tools"),
        params=chat.params or Params(),
        chat_id=decode_chat_id(chat.chat_id, path="$.chat_id"),
    )


def decode_results(body: bytes) -> tuple[Answer, ...]:
    """The body of `POST /chat/{turn_id}/tool_results`. Raises `InvalidJson`, `InvalidRequest`."""
    return decode_answers(decode_json(body, ResultsBody).results, path="$.results")


class TurnLines:
    """Folds the events of one turn into lines."""

    def __init__(self, turn: TurnId, epoch: Epoch, params: Params, chat: ChatId | None = None) -> None:
        self._turn = turn
        self._chat = chat
        self._params = params
        self.renumber(epoch)

    def renumber(self, epoch: Epoch) -> None:
        """What is told from now on bears this epoch: another process goes on with the turn."""
        self._epoch = epoch
        # Nearly all lines are growth of text, and in those only the text and the cursor's number change.
        self._text_end = f',"cursor":"{epoch}-'.encode()

    def encode(self, first: int, events: Sequence[Event]) -> bytes:
        """The lines that tell these events, the first of which bears the number `first`; empty when there are none."""
        lines: list[bytes] = []
        text_end = self._text_end
        for number, event in enumerate(events, first):
            if type(event) is TextGrew or type(event) is RefusalGrew:
                lines.append(b'{"delta":%b%b%d"}\n' % (_encode(event.text), text_end, number))
            else:
                lines += self._lines(number, event)
        return _keep_lines_whole(lines[0] if len(lines) == 1 else b"".join(lines))

    def terminator(self, number: int, ended: TurnEnded) -> bytes:
        """The last line again, for who resumes behind it: it is framing, and the client must see it to know the end."""
        return _ending(ended, f"{self._epoch}-{number}")[-1]

    def _lines(self, number: int, event: Event) -> list[bytes]:
        cursor = f"{self._epoch}-{number}"
        match event:
            case TurnStarted(model=model):
                return [_line(Line(meta=Meta(model, "assistant", self._turn, self._chat), cursor=cursor))]
            case ReasoningGrew(text=text) if self._params.reasoning:
                return [_line(Line(reasoning=text, cursor=cursor))]
            case ToolCalled():
                return [_line(Line(tool_call=tell_call(event), cursor=cursor))]
            case ToolReturned(result=result):
                return [_line(Line(tool_result=tell_result(result), cursor=cursor))]
            case StepDropped(reason=reason):
                return [_line(Line(restart=ToldRestart(reason), cursor=cursor))]
            case Warned(code=code, message=message) if self._params.warnings:
                return [_line(Line(warning=Problem(code, message, retryable=False), cursor=cursor))]
            case TurnEnded():
                return _ending(event, cursor)
            case _:
                return []


def encode_models(offers: Sequence[ModelInfo]) -> bytes:
    default = next((offer.id for offer in offers if offer.default), None)
    return _encode(ModelList([ModelRow(offer.id, offer.provider, offer.default) for offer in offers], default))


def encode_status(turn: TurnId, status: str) -> bytes:
    """The answer to a request that does something to a turn and is told nothing of it."""
    return _encode(TurnStatus(turn, status))


def is_whole(ended: TurnEnded) -> bool:
    """Whether a client that knows only `done` may take the answer for the whole one."""
    return ended.status in ("completed", "cancelled")


def _ending(ended: TurnEnded, cursor: str) -> list[bytes]:
    if ended.status == "completed":
        return [_line(Line(done=True, finish_reason=ended.finish, usage=ended.usage, cursor=cursor))]
    lines = []
    if not is_whole(ended) and ended.fault is not None:
        fault = ended.fault
        problem = Problem(fault.code, fault.message, fault.retryable, fault.retry_after)
        lines.append(_line(Line(error=problem, cursor=cursor)))
    reason = ended.fault.code if ended.fault is not None and not lines else None
    lines.append(_line(Line(done=True, status=ended.status, reason=reason, usage=ended.usage, cursor=cursor)))
    return lines


def encode_broken_off(error: ParlanceError) -> bytes:
    """The last line of an answer that goes on without this client."""
    return _line(Line(error=Problem(error.code, error.message, error.retryable, error.retry_after)))


def _line(line: Line) -> bytes:
    return _keep_lines_whole(_encode(line)) + b"\n"


def _keep_lines_whole(lines: bytes) -> bytes:
    """JSON lets these three stand as they are, but to many clients (httpx's `iter_lines`, for one) each ends a line."""
    if lines.isascii():
        return lines
    if b"\xe2\x80" in lines or b"\xc2\x85" in lines:
        for mark, escape in ((b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"), (b"\xc2\x85", rb"\u0085")):
            lines = lines.replace(mark, escape)
    return lines
