"""What a turn came to, for who waits for all of it before they are answered."""

import msgspec
from msgspec import Raw
from starlette.types import Receive, Send

from parlance.core.errors import InternalError, MessageNotFound, ParlanceError
from parlance.core.fault import Fault
from parlance.core.ids import minted_at
from parlance.core.messages import Message
from parlance.core.snapshot import fold_snapshot
from parlance.core.stores import Reach
from parlance.core.stores.messages import Messages, StoredMessage
from parlance.core.transcript import fold_messages
from parlance.dialects.rest.resources import encode_message
from parlance.dialects.rest.wire import MessageResource
from parlance.doors.http import answer_problem
from parlance.doors.rest.streams import asks_caller
from parlance.doors.serving import newest, watched
from parlance.doors.visit import Visit
from parlance.engine.view import TurnView

WHOLE = ("completed", "cancelled")


async def settled(turn: TurnView, receive: Receive, after: int = 0) -> bool:
    """Returns when the turn has ended, or waits for its caller to run a tool; False when the client has left before."""
    if after and turn.waiting:
        return True
    with turn.followed(after) as follower:
        async with watched(receive, follower.close):
            async for batch in follower:
                if asks_caller(batch.events) and turn.waiting:
                    return True
    return turn.ended


def last_answer(turn: TurnView) -> Message | None:
    """The newest message of the model's, of what was said so far."""
    messages = fold_messages(turn.log.read())
    return next((message for message in reversed(messages) if message.role == "assistant"), None)


async def find_answer(turn: TurnView, messages: Messages, reach: Reach) -> MessageResource | None:
    """The newest message of the model's in a chat; as it is kept, once its turn has ended."""
    message, chat = last_answer(turn), turn.facts.chat
    if message is None or chat is None:
        return None
    if turn.ended:
        try:
            return encode_message(await messages.find(message.id, reach))
        except MessageNotFound:
            # What was said could not be kept, or was deleted by now.
            pass
    return encode_message(StoredMessage(chat, turn.id, message, None, minted_at(message.id)))


async def answer_failed(send: Send, visit: Visit, turn: TurnView) -> None:
    """The turn's fault as a problem, with what was shown of an answer that is not whole."""
    ending = turn.ending
    error = error_of(ending.fault or InternalError().fault())
    shown = None
    if ending.status == "incomplete":
        shown = Raw(msgspec.json.encode(fold_snapshot(turn.log.read()).told(thoughts=False)))
    cursor = newest(turn) if turn.facts.chat is not None else None
    await answer_problem(send, visit, error, turn_id=turn.id, snapshot=shown, cursor=cursor)


def error_of(fault: Fault) -> ParlanceError:
    """An error as it was before it became a value."""
    kind = _KINDS.get(fault.code)
    return InternalError() if kind is None else kind(fault.message, retry_after=fault.retry_after)


def _kinds(kind: type[ParlanceError]) -> dict[str, type[ParlanceError]]:
    found = {kind.code: kind}
    for more in kind.__subclasses__():
        # The class that a code is named after comes first; its descendants may share the code.
        found = {**_kinds(more), **found}
    return found


_KINDS = {code: kind for code, kind in _kinds(ParlanceError).items() if code != InternalError.code}
