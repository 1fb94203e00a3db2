"""We are the server: events into frames, at most one each, every one with its cursor."""

from typing import Literal

import msgspec
from msgspec import Raw

from parlance.core.errors import Fault, ParlanceError
from parlance.core.events import (
    Event,
    ReasoningGrew,
    RefusalGrew,
    StepDropped,
    StepStarted,
    TextGrew,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    TurnStarted,
    Warned,
)
from parlance.core.ids import ChatId, Epoch, TurnId
from parlance.core.messages import Origin
from parlance.core.snapshot import Snapshot
from parlance.dialects.chat_request import Params, ToldRestart
from parlance.dialects.tool_rounds import tell_call, tell_result
from parlance.dialects.ws_chat.wire import Chunk, Frame, Metadata

_encode = msgspec.json.Encoder().encode


class TurnFrames:
    """Folds the events of one turn into the frames of one request.

    Feed all of them, also those that are not sent again.
    """

    def __init__(self, request_id: str, turn: TurnId, epoch: Epoch, params: Params, chat: ChatId | None = None) -> None:
        self._request_id = request_id
        self._chat = chat
        self._turn = turn
        self._params = params
        self._origin: Origin | None = None
        # Nearly all frames are growth of text, and in those only the text and the cursor's number change.
        self._text_begin = f'{{"request_id":{_json(request_id)},"status":"chunk","chunk":{{"type":"text","data":'
        self.renumber(epoch)

    def renumber(self, epoch: Epoch) -> None:
        """What is told from now on bears this epoch: another process goes on with the turn."""
        self._epoch = epoch
        self._text_end = f'}},"turn_id":{_json(self._turn)},"cursor":"{epoch}-'

    def encode(self, number: int, event: Event) -> str | None:
        """The frame that tells this event; None where this language or this client has none for it."""
        if type(event) is TextGrew or type(event) is RefusalGrew:
            return f'{self._text_begin}{_json(event.text)}{self._text_end}{number}"}}'
        frame = self._frame(event)
        return None if frame is None else _json(msgspec.structs.replace(frame, cursor=self._cursor(number)))

    def snapshot(self, number: int, snapshot: Snapshot) -> str:
        """For a cursor that can't be served: what was shown so far, and the cursor to go on from."""
        seen = snapshot.told(thoughts=self._params.reasoning)
        return _json(
            Frame(
                self._request_id,
                "snapshot",
                snapshot=Raw(_encode(seen)),
                turn_id=self._turn,
                cursor=self._cursor(number),
            )
        )

    def _frame(self, event: Event) -> Frame | None:
        match event:
            case TurnStarted():
                text = event.input.text if event.input is not None else ""
                return self._chunk("processing", Chunk(metadata=Metadata(user_message=text, chat_id=self._chat)))
            case StepStarted(origin=origin):
                self._origin = origin
            case ReasoningGrew(text=text) if self._params.reasoning:
                return self._chunk("chunk", Chunk("reasoning", text))
            case ToolCalled():
                return self._chunk("chunk", Chunk("tool_call", _json(tell_call(event))))
            case ToolReturned(result=result):
                return self._chunk("chunk", Chunk("tool_result", _json(tell_result(result))))
            case StepDropped(reason=reason):
                return self._chunk("chunk", Chunk("restart", _json(ToldRestart(reason))))
            case Warned() if self._params.warnings:
                return self._chunk("chunk", Chunk("warning", _json({"code": event.code, "message": event.message})))
            case TurnEnded():
                return self._ending(event)
            case _:
                pass
        return None

    def _chunk(self, status: Literal["processing", "chunk"], chunk: Chunk) -> Frame:
        return Frame(self._request_id, status, chunk=chunk, turn_id=self._turn)

    def _ending(self, ended: TurnEnded) -> Frame:
        if ended.status in ("failed", "incomplete"):
            fault = ended.fault or Fault("incomplete", "The answer is not whole.")
            return Frame(
                self._request_id,
                "error",
                error=fault.message,
                code=fault.code,
                retryable=fault.retryable,
                retry_after=fault.retry_after,
                metadata=self._metadata(ended),
                turn_id=self._turn,
            )
        return Frame(self._request_id, "complete", metadata=self._metadata(ended), turn_id=self._turn)

    def _metadata(self, ended: TurnEnded) -> Metadata:
        return Metadata(
            status=ended.status,
            reason=ended.fault.code if ended.fault is not None and ended.status == "cancelled" else None,
            model=self._origin.model if self._origin else None,
            provider=self._origin.host if self._origin else None,
            finish_reason=ended.finish,
            usage=ended.usage,
        )

    def _cursor(self, number: int) -> str:
        return f"{self._epoch}-{number}"


def encode_error(error: ParlanceError, request_id: str | None, *, rejected: str | None = None) -> str:
    """An error that is no turn's ending.

    `rejected` names the request that was refused where `request_id` must stay null.
    """
    return _json(
        Frame(
            request_id,
            "error",
            error=error.message,
            code=error.code,
            retryable=error.retryable,
            retry_after=error.retry_after,
            rejected_request_id=rejected,
        )
    )


def encode_authenticated(request_id: str | None) -> str:
    return _json(Frame(request_id, "authenticated"))


def _json(value: object) -> str:
    return _encode(value).decode()
