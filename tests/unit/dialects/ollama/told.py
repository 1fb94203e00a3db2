"""Short ways to say what these tests say often."""

import json
from collections.abc import Sequence

from parlance.core.deltas import Delta
from parlance.core.json import JsonObject
from parlance.core.messages import Message
from parlance.core.provider import EncodedRequest
from parlance.core.requests import Request
from parlance.dialects.ollama.speak import LANGUAGE
from tests.unit.dialects.openai_chat.told import request


def encode(asked: Request) -> EncodedRequest:
    return LANGUAGE.encode_request(asked, host="lab", quirks=frozenset())


def body(encoded: EncodedRequest) -> JsonObject:
    decoded: JsonObject = json.loads(encoded.body)
    return decoded


def messages(*given: Message) -> list[JsonObject]:
    """The messages of the request that has these for its history."""
    encoded: list[JsonObject] = json.loads(encode(request(*given)).body)["messages"]
    return encoded


def codes(encoded: EncodedRequest) -> list[str]:
    return [notice.code for notice in encoded.notices]


def line(content: str | None = "", **more: object) -> JsonObject:
    decoded: JsonObject = json.loads(
        json.dumps({"model": "m", "message": {"role": "assistant", "content": content}, "done": False} | more)
    )
    return decoded


def feed(*lines: JsonObject | bytes, quirks: Sequence[str] = ()) -> list[Delta]:
    """The deltas of these lines; the stream stays open."""
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset(quirks))
    deltas: list[Delta] = []
    for one in lines:
        deltas += speaker.feed(one if isinstance(one, bytes) else json.dumps(one).encode())
    return deltas
