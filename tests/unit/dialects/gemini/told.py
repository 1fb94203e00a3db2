"""Short ways to say what these tests say often."""

import json
from collections.abc import Iterable

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
from parlance.core.parts import Part, Signature, Text, ToolCall, ToolOutput, ToolResult
from parlance.core.provider import EncodedRequest
from parlance.core.requests import Request
from parlance.core.usage import Finish, Usage
from parlance.dialects.gemini.serve import TurnChunks
from parlance.dialects.gemini.speak import LANGUAGE
from parlance.testing.voices.gemini_strict import complaint_about

ORIGIN = Origin("lab", "model-1", "gemini")
ELSEWHERE = Origin("other", "model-2", "openai_chat")
SIGNED = Signature("gemini", "AAAA")


def message(role: Role, *parts: Part | str, origin: Origin | None = None) -> Message:
    return Message(MessageId("m"), role, tuple(Text(one) if isinstance(one, str) else one for one in parts), origin)


def call(id: str, name: str = "look", arguments: str = "{}", **more: Signature | str | bool | None) -> ToolCall:
    return ToolCall(CallId(id), name, arguments, **more)  # type: ignore[arg-type] # each by its own name


def result(id: str, output: ToolOutput = "found", *, is_error: bool = False) -> ToolResult:
    return ToolResult(CallId(id), "look", output, is_error=is_error)


def request(*messages: Message, model: str = "gemini-3-flash") -> Request:
    return Request(model=model, messages=messages or (message("user", "Hi"),))


def encode(asked: Request) -> EncodedRequest:
    """A request that a strict host takes."""
    encoded = LANGUAGE.encode_request(asked, host="lab", quirks=frozenset())
    assert complaint_about(encoded.body, signed="gemini-2" not in asked.model) is None
    return encoded


def body(asked: Request) -> JsonObject:
    decoded: JsonObject = json.loads(encode(asked).body)
    return decoded


def contents(*given: Message, model: str = "gemini-3-flash") -> list[JsonObject]:
    """The contents of the request that has these for its history."""
    encoded: list[JsonObject] = json.loads(encode(request(*given, model=model)).body)["contents"]
    return encoded


def parts_of(*given: Message, model: str = "gemini-3-flash") -> list[list[JsonObject]]:
    return [json.loads(json.dumps(one["parts"])) for one in contents(*given, model=model)]


def notices(asked: Request) -> list[str]:
    return [notice.code for notice in encode(asked).notices]


def feed(*chunks: object, ends: bool = False) -> list[Delta]:
    """What a speaker makes of chunks given as values, or as bytes."""
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    fed = [chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode() for chunk in chunks]
    deltas = [delta for data in fed for delta in speaker.feed(data)]
    return deltas + speaker.close() if ends else deltas


def chunk(*parts: object, finish: str | None = None, **more: object) -> dict[str, object]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}
    return {"candidates": [candidate | ({"finishReason": finish} if finish else {})], "modelVersion": "m"}


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


def chunks(events: Iterable[Event]) -> list[JsonObject]:
    """The chunks of a turn, decoded."""
    frames = TurnChunks().encode(events).decode().split("\n\n")
    assert frames.pop() == ""
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


def said(events: Iterable[Event]) -> list[JsonObject]:
    """All parts that a turn's chunks hold."""
    told = json.loads(json.dumps([one["candidates"] for one in chunks(events)]))
    return [part for candidates in told for part in candidates[0]["content"]["parts"]]


def text_events(part: int, text: str) -> list[Event]:
    return [PartOpened(part, Text("")), TextGrew(part, text), PartClosed(part, Text(text))]


def call_events(part: int, called: ToolCall, runner: Runner = "client") -> list[Event]:
    skeleton = ToolCall(called.id, called.name, "", freeform=called.freeform)
    return [PartOpened(part, skeleton, runner), ArgumentsGrew(part, called.arguments), PartClosed(part, called)]
