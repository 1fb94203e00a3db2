"""The history in this language's words, such that a host takes it.

Neighbours of one role become one message, every call is answered before the next user message, and results that
belong to no call are left out.
"""

from collections.abc import Iterable, Sequence

from parlance.core.messages import Message
from parlance.core.parts import File, Image, Kept, Part, Reasoning, Refusal, Text, ToolCall, ToolResult, output_text
from parlance.core.transcript import answer_open_calls
from parlance.dialects.openai_chat import quirks as quirk
from parlance.dialects.openai_chat.content_out import (
    Listener,
    encode_call,
    encode_call_id,
    encode_content,
    encode_thoughts,
    lose_kept,
    lose_signature,
)
from parlance.dialects.openai_chat.thoughts import FAMILY, encode_signature
from parlance.dialects.openai_chat.wire_requests import Content, TextContent, WireMessage


def encode_messages(messages: Sequence[Message], to: Listener) -> list[WireMessage]:
    encoded: list[WireMessage] = []
    given: list[Part] = []
    calls: set[str] = set()
    for message in [*answer_open_calls(messages), None]:
        if given and (message is None or message.role != "tool"):
            # Results carry text only: what they showed follows behind the last of them, as the user's.
            _append(encoded, WireMessage("user", encode_content(given, to)))
            given = []
        if message is None:
            break
        if message.role == "tool":
            encoded += _results(message, calls, given, to)
            continue
        _append(encoded, _assistant(message, to) if message.role == "assistant" else _said(message, to))
        calls = {part.id for part in message.parts if isinstance(part, ToolCall)}
    return encoded or [WireMessage("user", to.losses.pad(to.host))]


def _append(encoded: list[WireMessage], message: WireMessage) -> None:
    if not (message.content or message.tool_calls or message.reasoning_details):
        return
    last = encoded[-1] if encoded else None
    if last is None or last.role != message.role or last.tool_calls:
        encoded.append(message)
    else:
        _merge(last, message)


def _merge(first: WireMessage, second: WireMessage) -> None:
    if isinstance(first.content, list) or isinstance(second.content, list):
        first.content = [*_listed(first), *_listed(second)]
    else:
        first.content = "\n\n".join(text for text in (first.content, second.content) if text) or None
    first.tool_calls = second.tool_calls
    first.reasoning_details = [*(first.reasoning_details or []), *(second.reasoning_details or [])] or None
    thoughts = [text for text in (first.reasoning_content, second.reasoning_content) if text is not None]
    first.reasoning_content = "\n\n".join(filter(None, thoughts)) if thoughts else None
    first.extra_content = second.extra_content or first.extra_content


def _listed(message: WireMessage) -> list[Content]:
    if isinstance(message.content, str):
        return [TextContent(text=message.content)]
    return message.content or []


def _said(message: Message, to: Listener) -> WireMessage:
    if message.role == "user":
        return WireMessage("user", encode_content(message.parts, to))
    texts = [part for part in message.parts if isinstance(part, Text)]
    if len(texts) < len(message.parts):
        to.losses.add("part_dropped", "A system message can hold only text: the rest of it was left out.")
    return WireMessage("system", encode_content(texts, to))


def _assistant(message: Message, to: Listener) -> WireMessage:
    back = to.takes_fields_of(message.origin.host if message.origin is not None else None)
    texts = [part for part in message.parts if isinstance(part, Text | Refusal)]
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    for part in message.parts:
        if isinstance(part, Kept):
            lose_kept(part, to)
    encoded = WireMessage("assistant", "".join(part.text for part in texts) or None)
    encoded.tool_calls = [encode_call(call, to, back=back) for call in calls] or None
    encoded.reasoning_details = encode_thoughts(message.parts, to, back=back) or None
    if quirk.SEND_REASONING_BACK in to.quirks:
        thoughts = [part.text for part in message.parts if back and isinstance(part, Reasoning)]
        # Such a host wants the field with every call: empty where there were no thoughts, or somebody else's.
        encoded.reasoning_content = "".join(thoughts) or ("" if calls else None)
    _sign(encoded, texts, to, back=back)
    return encoded


def _sign(encoded: WireMessage, texts: Iterable[Part], to: Listener, *, back: bool) -> None:
    for part in texts:
        if isinstance(part, Text) and part.signature is not None:
            if back and part.signature.family == FAMILY:
                encoded.extra_content = encode_signature(part)
            else:
                lose_signature(to)


def _results(message: Message, calls: set[str], given: list[Part], to: Listener) -> list[WireMessage]:
    encoded = []
    for part in message.parts:
        if not isinstance(part, ToolResult):
            continue
        if part.call_id not in calls:
            to.losses.add("result_dropped", "A tool's result belongs to no open call in the history: left out.")
            continue
        calls.discard(part.call_id)
        shown = [] if isinstance(part.output, str) else [one for one in part.output if isinstance(one, Image | File)]
        if shown:
            given += [Text(f"What the tool {part.name} returned besides its text:"), *shown]
        encoded.append(WireMessage("tool", output_text(part), tool_call_id=encode_call_id(part.call_id, to.quirks)))
    return encoded
