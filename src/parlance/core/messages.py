"""A message and where it came from."""

from typing import Literal

from msgspec import Struct

from parlance.core.ids import MessageId, new_message_id
from parlance.core.parts import Family, Part, Refusal, Text
from parlance.core.usage import Finish, Usage

Role = Literal["system", "user", "assistant", "tool"]


class Origin(Struct, frozen=True):
    """Who made a message: the host as configured, the model it named itself, and the language family of its opaque
    data.
    """

    host: str
    model: str
    family: Family


class Message(Struct, frozen=True, omit_defaults=True):
    """One message.

    An assistant's is one model step; `finish` is None for a step that was cut before the model had finished.
    """

    id: MessageId
    role: Role
    parts: tuple[Part, ...]
    origin: Origin | None = None
    finish: Finish | None = None
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """The prose that a reader sees: texts and refusals, joined; no reasoning."""
        return "".join(part.text for part in self.parts if isinstance(part, Text | Refusal))


def user_message(text: str) -> Message:
    return Message(id=new_message_id(), role="user", parts=(Text(text),))


def system_message(text: str) -> Message:
    return Message(id=new_message_id(), role="system", parts=(Text(text),))
