"""We are the server: a client's frames into commands."""

import json
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from parlance.core.errors import ParlanceError, UnknownAction
from parlance.core.ids import new_message_id
from parlance.core.json import decode_json
from parlance.core.messages import Message
from parlance.core.parts import Text
from parlance.core.requests import ToolSpec
from parlance.core.tool import Answer
from parlance.dialects.chat_request import Params, decode_chat_id, decode_text, decode_tools, refused
from parlance.dialects.tool_rounds import decode_answers
from parlance.dialects.ws_chat.wire import (
    AuthPayload,
    ChatPayload,
    Envelope,
    GivenMessage,
    ResumePayload,
    ToolResultPayload,
)

MAX_ID = 200
"""Characters of a request id; it comes back in every frame."""

ACTIONS = ("auth", "cancel", "chat", "resume", "tool_result")


class Chat(Struct, frozen=True):
    """A message to be answered. `request_id` is None where the client gave none.

    `history`, where it is given, takes the place of what the connection remembers. `chat_id` is a stored chat's, or
    `new`.
    """

    request_id: str | None
    message: Message
    history: tuple[Message, ...] | None
    model: str | None
    tools: tuple[ToolSpec, ...]
    params: Params
    chat_id: str | None
    idempotency_key: str | None
    payload: bytes


class Cancel(Struct, frozen=True):
    """The turn is named by `turn_id`, or by the id of the request that began it."""

    request_id: str | None
    turn_id: str | None


class Resume(Struct, frozen=True):
    """Follow a turn again, from behind the cursor `after`; None is from its beginning.

    With a `turn_id`, `request_id` is the one that the frames shall bear; without, it names the turn.
    """

    request_id: str | None
    turn_id: str | None
    after: str | None
    params: Params


class Results(Struct, frozen=True):
    """Results of the client's own tools, for the turn named by either id."""

    request_id: str | None
    turn_id: str | None
    answers: tuple[Answer, ...]


class Auth(Struct, frozen=True):
    request_id: str | None
    key: str


Command = Chat | Cancel | Resume | Results | Auth


class FrameRefused(Exception):
    """A frame that is no command: why, and the id of its request where that could be read."""

    def __init__(self, error: ParlanceError, request_id: str | None) -> None:
        super().__init__(error.message)
        self.error = error
        self.request_id = request_id


class _OnlyId(Struct, frozen=True):
    request_id: str | None = None


def decode_command(frame: str) -> Command:
    """One frame as a command. Raises `FrameRefused` alone."""
    try:
        envelope = decode_json(frame, Envelope)
    except ParlanceError as error:
        raise FrameRefused(error, _readable_id(frame)) from None
    try:
        return _decode_action(envelope)
    except ParlanceError as error:
        raise FrameRefused(error, envelope.request_id) from None


def _readable_id(frame: str) -> str | None:
    """The standard library's decoder is the more lenient one: it reads what holds half a character, or NaN."""
    try:
        request_id = msgspec.convert(json.loads(frame), _OnlyId).request_id
        # The refusal bears it, and no frame can hold half a character.
        (request_id or "").encode()
    except (msgspec.ValidationError, ValueError, RecursionError):
        return None
    return request_id


def _decode_action(envelope: Envelope) -> Command:
    if envelope.request_id is not None and not 1 <= len(envelope.request_id) <= MAX_ID:
        raise refused("$.request_id", f"A request id has 1 to {MAX_ID} characters.")
    match envelope.action:
        case "chat":
            return _decode_chat(envelope)
        case "cancel":
            return Cancel(*_named_turn(envelope.request_id, envelope.turn_id))
        case "resume":
            named = _named_turn(envelope.request_id, envelope.turn_id)
            return Resume(*named, envelope.after, _decode_resume(envelope.payload).params or Params())
        case "tool_result":
            return _decode_results(envelope)
        case "auth":
            return Auth(envelope.request_id, decode_json(envelope.payload, AuthPayload, at="$.payload").key)
        case unknown:
            raise UnknownAction(f"The action {unknown[:80]!r} is unknown. Known are: {', '.join(ACTIONS)}.")


def _decode_chat(envelope: Envelope) -> Chat:
    payload = decode_json(envelope.payload, ChatPayload, at="$.payload")
    if payload.chat_id is not None and payload.history is not None:
        raise refused("$.payload.history", "A chat has its own history. Leave this out, or the chat_id.")
    return Chat(
        request_id=envelope.request_id,
        message=decode_text(payload.text, path="$.payload.text"),
        history=None if payload.history is None else _decode_history(payload.history),
        model=payload.model,
        tools=decode_tools(payload.tools or (), path="$.payload.tools"),
        params=payload.params or Params(),
        chat_id=decode_chat_id(payload.chat_id, path="$.payload.chat_id"),
        idempotency_key=payload.idempotency_key,
        payload=bytes(envelope.payload),
    )


def _decode_history(given: Sequence[GivenMessage]) -> tuple[Message, ...]:
    """Messages that hold nothing are left out, as of an answer that was cancelled before its first word."""
    for number, message in enumerate(given):
        if "\0" in message.content:
            raise refused(f"$.payload.history[{number}].content", "The text holds a NUL character. Send it without.")
    return tuple(
        Message(new_message_id(), message.role, (Text(message.content),)) for message in given if message.content
    )


def _decode_resume(payload: Raw) -> ResumePayload:
    """It has nothing that must be said, so null says as little as nothing."""
    return ResumePayload() if bytes(payload) == b"null" else decode_json(payload, ResumePayload, at="$.payload")


def _decode_results(envelope: Envelope) -> Results:
    payload = decode_json(envelope.payload, ToolResultPayload, at="$.payload")
    named = _named_turn(payload.request_id or envelope.request_id, payload.turn_id or envelope.turn_id)
    return Results(*named, decode_answers(payload.results, path="$.payload.results"))


def _named_turn(request_id: str | None, turn_id: str | None) -> tuple[str | None, str | None]:
    if request_id is None and turn_id is None:
        raise refused("$", "Say which turn: give its turn_id, or the request_id that began it.")
    return request_id, turn_id
