"""We are the server: events into notifications, at most one each, every one with its cursor."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Raw

from parlance.core.errors import Fault, ParlanceError
from parlance.core.events import (
    Event,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    RefusalGrew,
    StepDropped,
    StepStarted,
    TextGrew,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    Warned,
)
from parlance.core.ids import Epoch, TurnId
from parlance.core.parts import Refusal, Text
from parlance.core.snapshot import Snapshot
from parlance.dialects.chat_request import Params
from parlance.dialects.json_rpc.faults import encode_fault, encode_refusal
from parlance.dialects.json_rpc.wire import Notification, Told

Method = Literal[
    "text_chunk", "reasoning_chunk", "function_call_request", "restart", "warning", "end", "error", "snapshot"
]

_encode = msgspec.json.Encoder().encode


class TurnNotices:
    """Folds the events of one turn into notifications.

    Feed all of them, also those that are not sent again: the last one holds the whole text.
    """

    def __init__(self, session_id: str, turn: TurnId, epoch: Epoch, params: Params) -> None:
        self._session = session_id
        self._turn = turn
        self._params = params
        self._text: list[str] = []
        self._before = 0  # of the text, what steps before this one said
        self._open: set[int] = set()
        # Nearly all frames are growth of text, and in those only the text and the cursor's number change.
        self._text_begin = (
            '{"jsonrpc":"2.0","method":"text_chunk","params":'
            f'{{"session_id":{_json(session_id)},"task_id":{_json(turn)},"chunk":'
        )
        self.renumber(epoch)

    def renumber(self, epoch: Epoch) -> None:
        """What is told from now on bears this epoch: another process goes on with the turn."""
        self._epoch = epoch
        self._text_end = f',"cursor":"{epoch}-'

    def encode(self, number: int, event: Event) -> str | None:
        """The notification that tells this event; None where this language or this client has none for it."""
        if type(event) is TextGrew or type(event) is RefusalGrew:
            self._text.append(event.text)
            return f'{self._text_begin}{_json(event.text)}{self._text_end}{number}"}}}}'
        cursor = f"{self._epoch}-{number}"
        match event:
            case PartOpened() | PartClosed():
                self._take_trimmed(event)
            case ReasoningGrew(text=text) if self._params.reasoning:
                return _notify("reasoning_chunk", Told(self._session, self._turn, chunk=text, cursor=cursor))
            case ToolCalled(runner="client"):
                return self._call(event, cursor)
            case StepStarted():
                self._before = len(self._text)
            case StepDropped(reason=reason):
                del self._text[self._before :]
                return _notify("restart", Told(self._session, self._turn, message=reason, cursor=cursor))
            case Warned(code=code, message=message) if self._params.warnings:
                told = Told(self._session, self._turn, code=code, message=message, cursor=cursor)
                return _notify("warning", told)
            case TurnEnded():
                return self._ending(event, cursor)
            case _:
                pass
        return None

    def _take_trimmed(self, event: PartOpened | PartClosed) -> None:
        """Text that comes without growth, of a log that was trimmed: with the whole, or with the opening."""
        if isinstance(event, PartOpened):
            self._open.add(event.part)
        trimmed = isinstance(event, PartOpened) or event.part not in self._open
        if trimmed and isinstance(event.what, Text | Refusal):
            self._text.append(event.what.text)

    def snapshot(self, number: int, snapshot: Snapshot) -> str:
        """For a cursor that can't be served: what was shown so far, and the cursor to go on from."""
        seen = Raw(_encode(snapshot.told(thoughts=self._params.reasoning)))
        told = Told(self._session, self._turn, snapshot=seen, cursor=f"{self._epoch}-{number}")
        return _notify("snapshot", told)

    def _call(self, called: ToolCalled, cursor: str) -> str:
        call = called.call
        told = Told(
            self._session,
            self._turn,
            request_id=call.id,
            tool_name=call.name,
            parameters=Raw(_encode({"input": call.arguments}) if call.freeform else call.arguments.encode()),
            expires_at=called.expires_at,
            cursor=cursor,
        )
        return _notify("function_call_request", told)

    def _ending(self, ended: TurnEnded, cursor: str) -> str:
        error = encode_fault(ended.fault) if ended.fault is not None else None
        if ended.status == "failed":
            error = error or encode_fault(Fault("failed", "There is no answer."))
            told = Told(self._session, self._turn, error=error, usage=ended.usage, cursor=cursor)
            return _notify("error", told)
        whole = ended.status == "completed"
        told = Told(
            self._session,
            self._turn,
            status_message=ended.finish if whole and ended.finish in ("length", "filtered") else ended.status,
            final_text="".join(self._text),
            usage=ended.usage,
            error=error,
            cursor=cursor,
        )
        return _notify("end", told)


def unanswered_calls(events: Iterable[tuple[int, Event]]) -> list[tuple[int, ToolCalled]]:
    """The client's calls that have no result yet, with their numbers."""
    events = list(events)
    answered = {event.result.call_id for _, event in events if isinstance(event, ToolReturned)}
    return [
        (number, event)
        for number, event in events
        if isinstance(event, ToolCalled) and event.runner == "client" and event.call.id not in answered
    ]


def encode_notice(error: ParlanceError, session_id: str) -> str:
    """An error that is no turn's ending."""
    return _notify("error", Told(session_id, None, error=encode_refusal(error)))


def _notify(method: Method, told: Told) -> str:
    return _json(Notification("2.0", method, told))


def _json(value: object) -> str:
    return _encode(value).decode()
