"""What of an assistant's message this language can say: its published loss.

Lost: kept blocks and annotations of other families; images and files; cache marks; hosts' own ids of calls; whether
reasoning is no summary. A kept block is of the type that its own data says.
"""

import msgspec

from parlance.core.messages import Message
from parlance.core.parts import Kept, Part, Reasoning, Refusal, Signature, Text, ToolCall
from parlance.dialects.openai_responses.wire import FAMILY
from parlance.dialects.raw_fields import read_fields, read_text


def project(message: Message) -> Message:
    """The message as it is after a way through this language. Idempotent; finish and usage stay."""
    parts = tuple(said for part in message.parts if (said := _say(part)) is not None)
    return msgspec.structs.replace(message, parts=parts)


def _say(part: Part) -> Part | None:
    match part:
        case Text(text=text, annotations=annotations, signature=signature):
            own = tuple(one for one in annotations if one.family == FAMILY)
            return Text(text, own, _bare(signature))
        case Reasoning():
            return msgspec.structs.replace(part, summary=True)
        case Refusal():
            return part
        case ToolCall():
            return msgspec.structs.replace(part, upstream_id=None, signature=_bare(part.signature))
        case Kept(family=family, type=type, data=data) if family == FAMILY:
            return Kept(FAMILY, read_text(read_fields(data).get("type")) or type, data)
        case _:
            return None


def _bare(signature: Signature | None) -> Signature | None:
    """The proofs of texts and calls have no id here."""
    return signature if signature is None or signature.id is None else Signature(signature.family, signature.value)
