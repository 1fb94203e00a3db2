"""The history in this language's words, such that a host takes it.

Neighbours of one role become one message, every call is answered before the next user message, and results that
belong to no call are left out. Images travel as base64 beside the text; everything else that is no text is named in it.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw, Struct

from parlance.core.messages import Message
from parlance.core.parts import (
    File,
    Image,
    Inline,
    Kept,
    Part,
    Reasoning,
    Refusal,
    Signature,
    Text,
    ToolCall,
    ToolResult,
    Url,
    output_text,
)
from parlance.core.transcript import answer_open_calls
from parlance.dialects.losses import Losses
from parlance.dialects.ollama.wire import FAMILY, WireCall, WireFunction, WireMessage


class Listener(Struct, frozen=True):
    """Who a request is said to."""

    host: str
    losses: Losses

    def lose_signature(self, signature: Signature | None) -> None:
        if signature is not None:
            text = f"The history holds signatures, which {self.host} knows nothing of: left out."
            self.losses.add("signature_dropped", text)


def encode_messages(messages: Sequence[Message], to: Listener) -> list[WireMessage]:
    encoded: list[WireMessage] = []
    given: list[Part] = []
    calls: set[str] = set()
    for message in [*answer_open_calls(messages), None]:
        if given and (message is None or message.role != "tool"):
            # Results carry text only: what they showed follows behind the last of them, as the user's.
            _append(encoded, _said("user", given, to))
            given = []
        if message is None:
            break
        if message.role == "tool":
            encoded += _results(message, calls, given, to)
            continue
        _append(encoded, _assistant(message, to) if message.role == "assistant" else _other(message, to))
        calls = {part.id for part in message.parts if isinstance(part, ToolCall)}
    if not encoded:
        # Asked without a message, a server loads the model and says nothing.
        encoded.append(WireMessage(role="user", content=to.losses.pad(to.host)))
    return encoded


def object_text(arguments: str) -> bytes | None:
    """Arguments as one line of JSON, otherwise as they are; None for what is no object."""
    text = arguments.strip().encode("utf-8", "replace")
    try:
        msgspec.json.decode(text or b"{}", type=dict[str, Raw])
        return msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text or b"{}"
    except (msgspec.DecodeError, RecursionError):
        return None


def wrapped_text(text: str) -> bytes:
    """Free text as arguments: this language has nothing but objects."""
    return msgspec.json.encode({"input": text.encode("utf-8", "replace").decode()})


def _append(encoded: list[WireMessage], message: WireMessage) -> None:
    if not (message.content or message.tool_calls or message.images or message.thinking):
        return
    last = encoded[-1] if encoded else None
    if last is None or last.role != message.role or last.tool_calls:
        encoded.append(message)
        return
    last.content = _joined(last.content, message.content) or ""
    last.thinking = _joined(last.thinking, message.thinking)
    last.images = [*(last.images or []), *(message.images or [])] or None
    last.tool_calls = message.tool_calls


def _joined(first: str | None, second: str | None) -> str | None:
    return "\n\n".join(text for text in (first, second) if text) or None


def _other(message: Message, to: Listener) -> WireMessage:
    if message.role == "user":
        return _said("user", message.parts, to)
    texts = [part for part in message.parts if isinstance(part, Text)]
    if len(texts) < len(message.parts):
        to.losses.add("part_dropped", "A system message can hold only text: the rest of it was left out.")
    return _said("system", texts, to)


def _said(role: str, parts: Iterable[Part], to: Listener) -> WireMessage:
    texts: list[str] = []
    images: list[str] = []
    for part in parts:
        match part:
            case Text(text=text) if text:
                texts.append(text)
            case Image(source=Inline(data=data)) if data:
                images.append(b64encode(data).decode())
            case Image() | File():
                texts.append(_named(part, to))
            case Kept():
                _lose_kept(part, to)
            case _:
                pass
    return WireMessage(role=role, content="\n\n".join(texts), images=images or None)


def _named(part: Image | File, to: Listener) -> str:
    kind = "image" if isinstance(part, Image) else "file"
    where = part.source.url if isinstance(part.source, Url) else None
    words = " ".join(word for word in (kind, part.name, part.media_type, where) if word)
    to.losses.add(
        "part_dropped",
        f"{to.host} takes images that travel inside the request, and nothing else: this {kind} is only named in the "
        "text.",
    )
    return f"[{words}]"


def _lose_kept(part: Kept, to: Listener) -> None:
    text = f"A block of type {part.type!r} ({part.family}) can't be said to {to.host}: left out."
    to.losses.add("part_dropped", text)


def _assistant(message: Message, to: Listener) -> WireMessage:
    # Thoughts are only worth something to models of the kind that had them.
    own = message.origin is None or message.origin.family == FAMILY
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[WireCall] = []
    for part in message.parts:
        match part:
            case Text(text=text, signature=signature):
                texts.append(text)
                to.lose_signature(signature)
            case Refusal(text=text):
                texts.append(text)
            case Reasoning(text=text, signature=signature):
                thoughts.append(text if own and not part.summary else "")
                to.lose_signature(signature)
            case ToolCall():
                calls.append(_call(part))
                to.lose_signature(part.signature)
            case Kept():
                _lose_kept(part, to)
            case _:
                pass
    content, thinking = "".join(texts), "".join(thoughts)
    return WireMessage(role="assistant", content=content, thinking=thinking or None, tool_calls=calls or None)


def _call(call: ToolCall) -> WireCall:
    arguments = None if call.freeform else object_text(call.arguments)
    return WireCall(WireFunction(call.name, Raw(arguments or wrapped_text(call.arguments))), call.id)


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
        encoded.append(
            WireMessage(role="tool", content=output_text(part), tool_name=part.name, tool_call_id=part.call_id)
        )
    return encoded
