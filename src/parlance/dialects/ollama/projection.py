"""What of an assistant's message this language can say: its published loss.

Lost: signatures and annotations; kept blocks, images and files; hosts' own ids of calls; empty prose; whether reasoning
is a summary. A refusal becomes text, and neighbours of one kind melt into one. Arguments come whole, always an object:
other text stands in its `input`.
"""

import msgspec

from parlance.core.messages import Message
from parlance.core.parts import Part, Reasoning, Refusal, Text, ToolCall
from parlance.core.usage import Usage
from parlance.dialects.ollama.messages_out import object_text, wrapped_text


def project(message: Message) -> Message:
    """The message as it is after a way through this language. Idempotent; finish and usage stay, as totals.

    An input of no tokens is one that was not said.
    """
    parts: list[Part] = []
    for part in message.parts:
        match _say(part), parts[-1] if parts else None:
            case None, _:
                pass
            case Text(text=text), Text(text=before):
                parts[-1] = Text(before + text)
            case Reasoning(text=text), Reasoning(text=before):
                parts[-1] = Reasoning(before + text)
            case said, _:
                parts.append(said)
    usage = message.usage
    if usage is not None:
        usage = Usage(input=usage.input or None, output=usage.output)
    return msgspec.structs.replace(message, parts=tuple(parts), usage=usage)


def told_arguments(call: ToolCall) -> bytes:
    """The object that a call's arguments are told as."""
    return (None if call.freeform else object_text(call.arguments)) or wrapped_text(call.arguments)


def _say(part: Part) -> Part | None:
    match part:
        case Text(text=text) | Refusal(text=text):
            return Text(text) if text else None
        case Reasoning(text=text):
            return Reasoning(text) if text else None
        case ToolCall():
            return ToolCall(part.id, part.name, told_arguments(part).decode())
        case _:
            return None
