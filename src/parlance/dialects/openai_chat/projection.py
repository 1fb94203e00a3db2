"""What of an assistant's message this language can say: its published loss.

Lost: kept blocks, images and files; annotations of other families; cache marks; hosts' own ids of calls; prose that
is empty and unsigned; whether reasoning is a summary. Neighbours of one kind melt into one, up to and including the
first that is signed. A thought without words is redacted.
"""

import msgspec

from parlance.core.messages import Message
from parlance.core.parts import Part, Reasoning, Refusal, Signature, Text, ToolCall
from parlance.dialects.openai_chat.thoughts import FAMILY


def project(message: Message) -> Message:
    """The message as it is after a way through this language. Idempotent; finish and usage stay."""
    parts: list[Part] = []
    for part in message.parts:
        said = _say(part)
        if said is not None:
            melted = _melt(parts[-1], said) if parts else None
            parts[-1:] = [melted] if melted is not None else [*parts[-1:], said]
    return msgspec.structs.replace(message, parts=tuple(parts))


def _say(part: Part) -> Part | None:
    match part:
        case Text(text=text, annotations=annotations, signature=signature):
            own = tuple(one for one in annotations if one.family == FAMILY)
            return Text(text, own if text else (), _bare(signature)) if text or signature is not None else None
        case Reasoning(text=text, signature=signature):
            return Reasoning(text, signature, redacted=not text) if text or signature is not None else None
        case Refusal(text=text):
            return part if text else None
        case ToolCall():
            return msgspec.structs.replace(part, upstream_id=None, signature=_bare(part.signature))
        case _:
            return None


def _bare(signature: Signature | None) -> Signature | None:
    """Google's place for signatures has no id."""
    return signature if signature is None or signature.id is None else Signature(signature.family, signature.value)


def _melt(first: Part, second: Part) -> Part | None:
    """The one part that two neighbours are on this wire, or None where they stay two."""
    match first, second:
        case Text(signature=None), Text():
            return Text(first.text + second.text, first.annotations + second.annotations, second.signature)
        case Refusal(), Refusal():
            return Refusal(first.text + second.text)
        case Reasoning(signature=None), Reasoning(redacted=False):
            return Reasoning(first.text + second.text, second.signature)
        case _:
            return None
