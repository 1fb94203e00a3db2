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
from parlance.dialects.openai_chat import projection as openai_chat_projection
from parlance.dialects.openai_chat import serve as openai_chat_serve
from parlance.dialects.openai_chat import speak as openai_chat_speak


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


SPOKEN: Mapping[Family, Spoken] = {
    "openai_chat": Spoken(
        language=openai_chat_speak.LANGUAGE,
        fold=lambda: openai_chat_serve.TurnChunks(created=0, include_usage=True),
        project=openai_chat_projection.project,
        decode_request=lambda body: openai_chat_serve.decode_request(body).request,
        ends=_chat_ends,
        fails=lambda event: b'"error"' in event,
    ),
}
