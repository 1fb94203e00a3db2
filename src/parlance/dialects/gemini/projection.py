"""What of an assistant's message this language can say: its published loss.

Lost: blocks, images and files but for its own kept blocks, whose type is read anew from their JSON; annotations of
other families; cache marks; prose that is empty, unsigned and without annotations; whether reasoning is a summary;
the own ids of signatures; freeform calls and calls whose arguments are no JSON object. A refusal becomes text.
Neighbours of one kind melt into one, up to and including the first that is signed. A thought without words is redacted,
unless an unsigned thought stands before it: its signature is then that one's.
"""

import msgspec

from parlance.core.messages import Message
from parlance.core.parts import Kept, Part, Reasoning, Refusal, Signature, Text, ToolCall
from parlance.dialects.gemini.lenient import kind_of
from parlance.dialects.gemini.proofs import FAMILY
from parlance.dialects.gemini.wire import ANNOTATIONS


def project(message: Message) -> Message:
    """The message as it is after a way through this language. Idempotent; finish and usage stay."""
    parts: list[Part] = []
    for part in message.parts:
        said = _say(part)
        if said is not None:
            melted = _melt(parts[-1], said) if parts else None
            parts[-1:] = [melted] if melted is not None else [*parts[-1:], said]
    return msgspec.structs.replace(message, parts=tuple(parts))


def encode_args(call: ToolCall) -> bytes | None:
    """A call's arguments as this wire has them, on one line: an object, or b"" for none. None for others."""
    text = call.arguments.encode("utf-8", "replace")
    if call.freeform or not text.strip():
        return None if call.freeform else b""
    try:
        if not isinstance(msgspec.json.decode(text), dict):
            return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text


def _say(part: Part) -> Part | None:
    match part:
        case Text(text=text, annotations=annotations, signature=signature):
            own = tuple(one for one in annotations if one.family == FAMILY and one.type in ANNOTATIONS)
            return Text(text, own, _bare(signature)) if text or own or signature is not None else None
        case Refusal(text=text):
            return Text(text) if text else None
        case Reasoning(text=text, signature=signature):
            return Reasoning(text, _bare(signature), redacted=not text) if text or signature is not None else None
        case ToolCall():
            args = encode_args(part)
            return args if args is None else _call(part, args.decode())
        case Kept(family=family, data=data):
            kind = kind_of(data) if family == FAMILY else None
            return Kept(FAMILY, kind, data) if kind is not None else None
        case _:
            return None


def _call(call: ToolCall, args: str) -> ToolCall:
    return ToolCall(call.id, call.name, args, _bare(call.signature), upstream_id=call.id)


def _bare(signature: Signature | None) -> Signature | None:
    """The wire's place for signatures has no id."""
    return signature if signature is None or signature.id is None else Signature(signature.family, signature.value)


def _melt(first: Part, second: Part) -> Part | None:
    """The one part that two neighbours are on this wire, or None where they stay two."""
    match first, second:
        case Text(signature=None), Text():
            return Text(first.text + second.text, first.annotations + second.annotations, second.signature)
        case Reasoning(signature=None), Reasoning():
            return Reasoning(first.text + second.text, second.signature)
        case _:
            return None
