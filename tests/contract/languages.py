"""What the contract of languages needs to know of each: one entry here, and every test of the contract runs over it."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from parlance.core.events import Event
from parlance.core.messages import Message
from parlance.core.parts import Family
from parlance.core.provider import Language
from parlance.core.requests import Request
from parlance.dialects.anthropic_messages import projection as anthropic_messages_projection
from parlance.dialects.anthropic_messages import serve as anthropic_messages_serve
from parlance.dialects.anthropic_messages import speak as anthropic_messages_speak
from parlance.dialects.gemini import projection as gemini_projection
from parlance.dialects.gemini import serve as gemini_serve
from parlance.dialects.gemini import speak as gemini_speak
from parlance.dialects.ollama import projection as ollama_projection
from parlance.dialects.ollama import serve as ollama_serve
from parlance.dialects.ollama import speak as ollama_speak
from parlance.dialects.openai_chat import projection as openai_chat_projection
from parlance.dialects.openai_chat import serve as openai_chat_serve
from parlance.dialects.openai_chat import speak as openai_chat_speak
from parlance.dialects.openai_responses import projection as openai_responses_projection
from parlance.dialects.openai_responses import serve as openai_responses_serve
from parlance.dialects.openai_responses import speak as openai_responses_speak
from parlance.dialects.openai_responses import told as openai_responses_told


class Fold(Protocol):
    def encode(self, events: Iterable[Event]) -> bytes: ...


class Spoken(Struct, frozen=True, kw_only=True):
    """A language in both directions.

    `fold` makes the fold of one turn's events; `project` is its published loss; `decode_request` reads a client's
    request. `ends` says, in the plainest way and apart from the dialect, whether a whole event (an SSE block without
    its blank line, or a line) bears the terminal marker, at a host with these quirks; `fails`, whether it tells an
    error.
    """

    language: Language
    fold: Callable[[], Fold]
    project: Callable[[Message], Message]
    decode_request: Callable[[bytes], Request]
    ends: Callable[[bytes, frozenset[str]], bool]
    fails: Callable[[bytes], bool]


def _chat_ends(event: bytes, quirks: frozenset[str]) -> bool:
    data = event.removeprefix(b"data: ")
    if "end_without_finish" in quirks and data == b"[DONE]":
        return True
    try:
        choices = json.loads(data).get("choices") or []
    except ValueError:
        return False
    return any(choice.get("finish_reason") for choice in choices if not choice["index"])


def _gemini_ends(event: bytes, quirks: frozenset[str]) -> bool:
    try:
        chunk = json.loads(event.removeprefix(b"data: "))
        candidates, feedback = chunk.get("candidates") or [], chunk.get("promptFeedback") or {}
    except (ValueError, AttributeError):
        return False
    said = any(one.get("finishReason") for one in candidates if not one.get("index"))
    return said or "blockReason" in feedback


def _ollama_field(line: bytes, name: str) -> bool:
    try:
        return bool(json.loads(line).get(name))
    except (ValueError, AttributeError):
        return False


SPOKEN: Mapping[Family, Spoken] = {
    "openai_chat": Spoken(
        language=openai_chat_speak.LANGUAGE,
        fold=lambda: openai_chat_serve.TurnChunks(created=0, include_usage=True),
        project=openai_chat_projection.project,
        decode_request=lambda body: openai_chat_serve.decode_request(body).request,
        ends=_chat_ends,
        fails=lambda event: b'"error"' in event,
    ),
    "ollama": Spoken(
        language=ollama_speak.LANGUAGE,
        fold=lambda: ollama_serve.TurnLines(created_at="2026-01-02T03:04:05Z"),
        project=ollama_projection.project,
        decode_request=lambda body: ollama_serve.decode_request(body).request,
        ends=lambda event, quirks: _ollama_field(event, "done"),
        fails=lambda event: _ollama_field(event, "error"),
    ),
    "gemini": Spoken(
        language=gemini_speak.LANGUAGE,
        fold=gemini_serve.TurnChunks,
        project=gemini_projection.project,
        decode_request=lambda body: gemini_serve.decode_request(body, model=""),
        ends=_gemini_ends,
        fails=lambda event: b'"error"' in event,
    ),
    "anthropic_messages": Spoken(
        language=anthropic_messages_speak.LANGUAGE,
        fold=anthropic_messages_serve.TurnBlocks,
        project=anthropic_messages_projection.project,
        decode_request=lambda body: anthropic_messages_serve.decode_request(body).request,
        ends=lambda event, quirks: event.startswith(b"event: message_stop\n"),
        fails=lambda event: event.startswith(b"event: error\n"),
    ),
    "openai_responses": Spoken(
        language=openai_responses_speak.LANGUAGE,
        fold=lambda: openai_responses_serve.TurnFrames(created=0, echo=openai_responses_told.echo_request({})),
        project=openai_responses_projection.project,
        decode_request=lambda body: openai_responses_serve.decode_request(body).request,
        ends=lambda event, quirks: event.startswith((b"event: response.completed\n", b"event: response.incomplete\n")),
        fails=lambda event: event.startswith((b"event: error\n", b"event: response.failed\n")),
    ),
}
