"""What of an assistant's message this language can say: its published loss.

A refusal becomes text, free text for a tool becomes JSON with `input`. Lost: signatures of texts; kept blocks and
annotations of other families; images and files; cache marks; hosts' own ids; prose that is empty and unsigned; whether
reasoning is a summary; the ids of signatures. Usage whose cached parts exceed its input has that much input.
"""

import msgspec
from msgspec import Raw

from parlance.core.messages import Message
from parlance.core.parts import Kept, Part, Reasoning, Refusal, Signature, Text, ToolCall
from parlance.core.usage import Usage
from parlance.dialects.anthropic_messages.wire import FAMILY
from parlance.dialects.raw_fields import read_fields, read_text


def project(message: Message) -> Message:
    """The message as it is after a way through this language. Idempotent; the finish stays."""
    said = (_say(part) for part in message.parts)
    return msgspec.structs.replace(
        message, parts=tuple(part for part in said if part is not None), usage=_consistent(message.usage)
    )


def freeform_input(text: str) -> str:
    """The arguments of a call of a tool that takes free text, as JSON."""
    return msgspec.json.encode({"input": text}).decode()


def _say(part: Part) -> Part | None:
    match part:
        case Text(text=text, annotations=annotations):
            own = tuple(one for one in annotations if one.family == FAMILY)
            return Text(text, own) if text or own else None
        case Refusal(text=text):
            return Text(text) if text else None
        case Reasoning(text=text, signature=signature, redacted=redacted):
            sealed = redacted and not text
            said = signature is not None or (text and not sealed)
            return Reasoning(text, _bare(signature), redacted=sealed) if said else None
        case ToolCall(arguments=arguments, freeform=freeform):
            given = freeform_input(arguments) if freeform else arguments
            return ToolCall(part.id, part.name, given, _bare(part.signature))
        case Kept(family=family, data=data) if family == FAMILY:
            type = read_text(read_fields(data).get("type"))
            return Kept(FAMILY, type, _on_one_line(data)) if type else None
        case _:
            return None


def _bare(signature: Signature | None) -> Signature | None:
    return None if signature is None else Signature(signature.family, signature.value)


def _on_one_line(data: Raw) -> Raw:
    text = bytes(data)
    return Raw(msgspec.json.format(text, indent=-1)) if b"\n" in text or b"\r" in text else data


def _consistent(usage: Usage | None) -> Usage | None:
    if usage is None or usage.input is None:
        return usage
    return msgspec.structs.replace(usage, input=max(usage.input, (usage.cached or 0) + (usage.cache_written or 0)))
