"""Short ways to say what these tests say often."""

import json
from collections.abc import Iterable, Sequence

from parlance.core.deltas import Delta
from parlance.core.events import (
    ArgumentsGrew,
    Event,
    PartClosed,
    PartOpened,
    Runner,
    StepEnded,
    StepStarted,
    TextGrew,
    TurnEnded,
    TurnStarted,
)
from parlance.core.ids import CallId, MessageId, TurnId
from parlance.core.json import JsonObject
from parlance.core.messages import Message, Origin, Role
from parlance.core.parts import Part, Text, ToolCall, ToolResult
from parlance.core.provider import EncodedRequest
from parlance.core.requests import Request
from parlance.core.usage import Finish, Usage
from parlance.dialects.openai_chat.speak import LANGUAGE

ORIGIN = Origin("lab", "model-1", "openai_chat")


def message(role: Role, *parts: Part | str, origin: Origin | None = None) -> Message:
    return Message(MessageId("m"), role, tuple(Text(one) if isinstance(one, str) else one for one in parts), origin)


def call(id: str, name: str = "look", arguments: str = "{}") -> ToolCall:
    return ToolCall(CallId(id), name, arguments)


def result(id: str, output: str = "found") -> ToolResult:
    return ToolResult(CallId(id), "look", output)


def request(*messages: Message) -> Request:
    return Request(model="m", messages=messages or (message("user", "Hi"),))


def encode(asked: Request, *quirks: str) -> EncodedRequest:
    return LANGUAGE.encode_request(asked, host="lab", quirks=frozenset(quirks))


def body(encoded: EncodedRequest) -> JsonObject:
    decoded: JsonObject = json.loads(encoded.body)
    return decoded


def messages(*given: Message, quirks: Sequence[str] = ()) -> list[JsonObject]:
    """The messages of the request that has these for its history."""
    encoded: list[JsonObject] = json.loads(encode(request(*given), *quirks).body)["messages"]
    return encoded


def feed(*chunks: object, quirks: Iterable[str] = ()) -> list[Delta]:
    """What a speaker makes of chunks given as values, or as bytes."""
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset(quirks))
    fed = [chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode() for chunk in chunks]
    return [delta for data in fed for delta in speaker.feed(data)]


def chunk(delta: object, finish: str | None = None) -> dict[str, object]:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def turn(
    *events: Event, status: TurnEnded | None = None, finish: Finish = "stop", usage: Usage | None = None
) -> list[Event]:
    """A turn of one step with these events in it."""
    return [
        TurnStarted(TurnId("t1"), "asked"),
        StepStarted(1, ORIGIN),
        *events,
        StepEnded(1, finish, MessageId("m"), None, usage),
        status or TurnEnded("completed", finish, usage),
    ]


def text_events(part: int, text: str) -> list[Event]:
    return [PartOpened(part, Text("")), TextGrew(part, text), PartClosed(part, Text(text))]


def call_events(part: int, called: ToolCall, runner: Runner = "client") -> list[Event]:
    skeleton = ToolCall(called.id, called.name, "", freeform=called.freeform)
    return [PartOpened(part, skeleton, runner), ArgumentsGrew(part, called.arguments), PartClosed(part, called)]
