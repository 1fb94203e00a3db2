"""Short ways to say what these tests say often."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from parlance.core.deltas import Delta
from parlance.core.events import (
    ArgumentsGrew,
    Event,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    Runner,
    StepEnded,
    StepStarted,
    TextGrew,
    TurnEnded,
    TurnStarted,
)
from parlance.core.ids import CallId, MessageId, TurnId
from parlance.core.messages import Message, Origin, Role
from parlance.core.parts import Part, Reasoning, Signature, Text, ToolCall, ToolResult
from parlance.core.provider import EncodedRequest
from parlance.core.requests import Request
from parlance.core.usage import Finish, Usage
from parlance.dialects.anthropic_messages.serve import TurnBlocks
from parlance.dialects.anthropic_messages.speak import LANGUAGE
from parlance.testing.voices.anthropic_messages_strict import complaint_about

MODEL = "claude-sonnet-4-5"
OWN = Signature("anthropic_messages", "b3du")
FOREIGN = Signature("gemini", "Zm9y")
ORIGIN = Origin("lab", MODEL, "anthropic_messages")


def message(role: Role, *parts: Part | str, origin: Origin | None = None, finish: Finish | None = None) -> Message:
    told = tuple(Text(one) if isinstance(one, str) else one for one in parts)
    return Message(MessageId("m"), role, told, origin, finish)


def call(id: str, name: str = "look", arguments: str = "{}", signature: Signature | None = None) -> ToolCall:
    return ToolCall(CallId(id), name, arguments, signature)


def result(id: str, output: str = "found", *, is_error: bool = False) -> ToolResult:
    return ToolResult(CallId(id), "look", output, is_error)


def request(*messages: Message, model: str = MODEL, **fields: Any) -> Request:
    return Request(model=model, messages=messages or (message("user", "Hi"),), **fields)


def encode(asked: Request, *quirks: str) -> EncodedRequest:
    """The request, which a strict host takes."""
    encoded = LANGUAGE.encode_request(asked, host="lab", quirks=frozenset(quirks))
    assert complaint_about(encoded.body, version=dict(encoded.headers)["anthropic-version"]) is None
    return encoded


def body(encoded: EncodedRequest) -> Any:
    return json.loads(encoded.body)


def codes(encoded: EncodedRequest) -> list[str]:
    return [notice.code for notice in encoded.notices]


def messages(*given: Message, model: str = MODEL) -> Any:
    """The messages of the request that has these for its history."""
    return body(encode(request(*given, model=model)))["messages"]


def feed(*events: object) -> list[Delta]:
    """What a speaker makes of events given as values, or as bytes."""
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    fed = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    return [delta for data in fed for delta in speaker.feed(data)]


def start(index: int, **block: object) -> dict[str, object]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def grow(index: int, type: str, **delta: object) -> dict[str, object]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": type, **delta}}


def stop(index: int) -> dict[str, object]:
    return {"type": "content_block_stop", "index": index}


def turn(
    *events: Event, status: TurnEnded | None = None, finish: Finish = "stop", usage: Usage | None = None
) -> list[Event]:
    """A turn of one step with these events in it."""
    return [
        TurnStarted(TurnId("t1"), "asked"),
        StepStarted(1, Origin("lab", "model-1", "openai_chat")),
        *events,
        StepEnded(1, finish, MessageId("m"), None, usage),
        status or TurnEnded("completed", finish, usage),
    ]


def text_events(part: int, text: str) -> list[Event]:
    return [PartOpened(part, Text("")), TextGrew(part, text), PartClosed(part, Text(text))]


def thought_events(part: int, text: str, signature: Signature | None = None) -> list[Event]:
    return [PartOpened(part, Reasoning("")), ReasoningGrew(part, text), PartClosed(part, Reasoning(text, signature))]


def call_events(part: int, called: ToolCall, runner: Runner = "client", *, signed_late: bool = False) -> list[Event]:
    signature = None if signed_late else called.signature
    skeleton = ToolCall(called.id, called.name, "", signature, called.freeform)
    return [PartOpened(part, skeleton, runner), ArgumentsGrew(part, called.arguments), PartClosed(part, called)]


def serve(events: Iterable[Event]) -> bytes:
    return TurnBlocks().encode(events)


def told_events(frames: bytes) -> list[Any]:
    """The data of each frame, whose name is its type."""
    told = []
    for frame in frames.decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        told.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {told[-1]['type']}"
    return told


def of_type(told: Sequence[Any], type: str) -> list[Any]:
    return [one for one in told if one["type"] == type]
