"""Conversations that begin with one language's model and go on with another's: what the next one is sent."""

import json
from collections.abc import Iterable

import msgspec
from msgspec import Raw

from parlance.core.deltas import Delta
from parlance.core.ids import CallId, MessageId
from parlance.core.messages import Message, Origin, user_message
from parlance.core.parts import Family, Image, Inline, Part, Reasoning, Text, ToolCall, ToolResult
from parlance.core.provider import EncodedRequest
from parlance.core.requests import Request, ToolSpec
from parlance.net.ndjson import NdjsonReader
from parlance.net.sse import SseReader
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voices.table import VOICES
from tests.contract.languages import SPOKEN
from tests.strategies.steps import assemble

PIXEL = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
PROOF = "cHJvb2Ytb2YtdGhvdWdodA=="
PARIS, ROME = '{"city":"Paris","days":1.0}', '{"city":"Rome"}'
WEATHER = ToolSpec(
    "weather", "The weather in a city.", Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}')
)
REPLY = Reply(
    reasoning=("Two cities", " then"),
    signature=PROOF,
    text=("Let me", " look"),
    calls=(ScriptedCall("weather", PARIS, "call_paris", PROOF), ScriptedCall("weather", ROME, "call_rome")),
)
SURVIVORS = ("system prompt", "image", "text", "reasoning", "signature", "calls", "results")
QUIRKS: frozenset[str] = frozenset()


def answer_of(family: Family) -> Message:
    """What the scripted model of this language has said: it thought, spoke, and made two calls at once."""
    language = SPOKEN[family].language
    asked = language.encode_request(opening(), host=family, quirks=QUIRKS)
    told = VOICES[family].encode_stream(REPLY, as_request(family, asked))
    reader = SseReader() if language.framing == "sse" else NdjsonReader()
    speaker = language.speaker(host=family, quirks=QUIRKS)
    deltas: list[Delta] = []
    for data, event in [*reader.feed(b"".join((*told.said, *told.ending, *told.terminator))), *reader.close()]:
        deltas += speaker.feed(data, event)
    message = assemble([*deltas, *speaker.close()])
    return msgspec.structs.replace(message, origin=Origin(family, "scripted-model", family))


def opening() -> Request:
    seen = Message(
        MessageId("u"),
        "user",
        (Text("What is this, and how is the weather?"), Image(Inline(PIXEL), "image/png")),
    )
    return request(Message(MessageId("s"), "system", (Text("Be brief."),)), seen)


def request(*messages: Message) -> Request:
    return Request("scripted-model", messages, (WEATHER,))


def journey(first: Family) -> Request:
    """The request for the third turn of a conversation that this language's model has answered so far."""
    answer = answer_of(first)
    calls = [part for part in answer.parts if isinstance(part, ToolCall)]
    results = [
        Message(MessageId(f"r{number}"), "tool", (ToolResult(CallId(call.id), call.name, f"sun {number}"),))
        for number, call in enumerate(calls)
    ]
    origin = Origin(first, "scripted-model", first)
    summary = Message(MessageId("a"), "assistant", (Text("Sunny in both."),), origin)
    return request(*opening().messages, answer, *results, summary, user_message("And tomorrow?"))


def as_request(family: Family, encoded: EncodedRequest) -> UpstreamRequest:
    """As it would arrive at the scripted upstream."""
    return UpstreamRequest("POST", VOICES[family].base_path + encoded.path, dict(encoded.headers), encoded.body)


def sent(first: Family, then: Family) -> UpstreamRequest:
    encoded = SPOKEN[then].language.encode_request(journey(first), host=then, quirks=QUIRKS)
    return as_request(then, encoded)


def survivors(first: Family, then: Family) -> tuple[str, ...]:
    """What of the conversation the next language's model is sent, read by that language's own server side."""
    arrived = SPOKEN[then].decode_request(sent(first, then).body)
    parts = [(message.role, part) for message in arrived.messages for part in message.parts]
    prose = " ".join(part.text for _, part in parts if isinstance(part, Text))
    calls = [part for _, part in parts if isinstance(part, ToolCall)]
    results = [part for _, part in parts if isinstance(part, ToolResult)]
    thoughts = "".join(part.text for _, part in parts if isinstance(part, Reasoning))
    found = {
        "system prompt": "Be brief." in prose,
        "image": any(isinstance(part, Image) and part.source == Inline(PIXEL) for _, part in parts),
        "text": "Let me look" in prose and "Sunny in both." in prose,
        "reasoning": "Two cities then" in thoughts,
        "signature": bool({*proofs(answer_of(first).parts)} & {*proofs(part for _, part in parts)}),
        "calls": [json.loads(call.arguments) for call in calls] == [json.loads(PARIS), json.loads(ROME)],
        "results": [result.call_id for result in results] == [call.id for call in calls] and len(results) == 2,
    }
    return tuple(name for name in SURVIVORS if found[name])


def proofs(parts: Iterable[Part]) -> list[str]:
    """The opaque values that these parts are signed with."""
    signed = [part.signature for part in parts if isinstance(part, Text | Reasoning | ToolCall)]
    return [signature.value for signature in signed if signature is not None]
