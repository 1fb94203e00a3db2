"""The history in this language's words, such that a host takes it.

Roles alternate and a user begins, each step's calls are answered in one content and in their order, and results that
belong to no call are left out.
"""

from collections.abc import Sequence

from msgspec import Raw

from parlance.core.messages import Message
from parlance.core.parts import Kept, Part, Text, ToolCall, ToolResult
from parlance.core.transcript import answer_open_calls
from parlance.dialects.gemini.parts_out import Listener, encode_answer, encode_prose, encode_results, lose_part
from parlance.dialects.gemini.wire_requests import SaidContent, SaidPart

_BEGINNING = "…"


def encode_contents(messages: Sequence[Message], to: Listener) -> list[SaidContent]:
    encoded: list[SaidContent] = []
    calls: dict[str, ToolCall] = {}
    results: dict[str, ToolResult] = {}
    for message in [*answer_open_calls(messages), None]:
        if message is not None and message.role == "tool":
            _gather(message.parts, calls, results, to)
            continue
        _append(encoded, "user", encode_results([results[id] for id in calls if id in results], calls, to))
        calls, results = {}, {}
        if message is None:
            break
        if message.role == "user":
            _append(encoded, "user", encode_prose(message.parts, to))
        elif message.role == "assistant":
            back = message.origin is None or message.origin.host == to.host
            _append(encoded, "model", encode_answer(message.parts, to, back=back))
            calls = {part.id: part for part in message.parts if isinstance(part, ToolCall)}
    if not encoded or encoded[0].role == "model":
        to.losses.add(
            "history_padded", f"{to.host} wants a user to speak first: {_BEGINNING!r} was put before the rest."
        )
        encoded.insert(0, SaidContent([SaidPart(text=_BEGINNING)], "user"))
    return encoded


def encode_system(messages: Sequence[Message], to: Listener) -> SaidContent | None:
    """The system prompts, which have one place on this wire."""
    said: list[SaidPart | Raw] = []
    begun = False
    for message in messages:
        if message.role != "system":
            begun = True
            continue
        if begun:
            to.losses.add("system_moved", f"{to.host} hears a system message only before all others: moved there.")
        texts = [part for part in message.parts if isinstance(part, Text)]
        if len(texts) < len(message.parts):
            to.losses.add("part_dropped", "A system message can hold only text: the rest of it was left out.")
        said += encode_prose(texts, to)
    return SaidContent(said) if said else None


def _gather(parts: Sequence[Part], calls: dict[str, ToolCall], results: dict[str, ToolResult], to: Listener) -> None:
    for part in parts:
        if isinstance(part, ToolResult) and part.call_id in calls and part.call_id not in results:
            results[part.call_id] = part
        elif isinstance(part, ToolResult):
            to.losses.add("result_dropped", "A tool's result belongs to no call in the history: left out.")
        elif isinstance(part, Kept):
            lose_part(part.type, part.family, to)


def _append(encoded: list[SaidContent], role: str, parts: list[SaidPart | Raw]) -> None:
    if not parts:
        return
    if encoded and encoded[-1].role == role:
        encoded[-1].parts += parts
    else:
        encoded.append(SaidContent(parts, role))
