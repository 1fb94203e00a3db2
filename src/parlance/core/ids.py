"""Typed identifiers and how they are made.

Ids of ours are UUIDs of version 7; a call keeps the id its model gave it.
"""

import os
import re
import time
import uuid
from datetime import UTC, datetime
from typing import NewType

TurnId = NewType("TurnId", str)
MessageId = NewType("MessageId", str)
CallId = NewType("CallId", str)
KeyId = NewType("KeyId", str)
Epoch = NewType("Epoch", str)


ChatId = NewType("ChatId", str)
AssistantId = NewType("AssistantId", str)
MemoryId = NewType("MemoryId", str)
OwnerId = NewType("OwnerId", str)

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def uuid7() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds since 1970, then 74 random bits."""
    stamp = (time.time_ns() // 1_000_000) & 0xFFFF_FFFF_FFFF
    random = int.from_bytes(os.urandom(10), "big")
    high = stamp << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64
    return uuid.UUID(int=high | 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF)


def minted_at(id: str) -> datetime:
    """When an id of ours was made, to the millisecond."""
    return datetime.fromtimestamp((uuid.UUID(id).int >> 80) / 1_000, UTC)


def is_uuid(text: str) -> bool:
    """Whether it is one as we write them: in lower case, with dashes."""
    return _UUID.fullmatch(text) is not None


def new_turn_id() -> TurnId:
    return TurnId(str(uuid7()))


def new_message_id() -> MessageId:
    return MessageId(str(uuid7()))


def new_chat_id() -> ChatId:
    return ChatId(str(uuid7()))


def new_assistant_id() -> AssistantId:
    return AssistantId(str(uuid7()))


def new_memory_id() -> MemoryId:
    return MemoryId(str(uuid7()))


def new_owner_id() -> OwnerId:
    """Names one process for as long as it runs."""
    return OwnerId(str(uuid7()))


def new_call_id() -> CallId:
    """For a call whose model gave it no id. The shape is the field's own, since clients show and log it."""
    return CallId(f"call_{uuid7().hex}")


def new_epoch() -> Epoch:
    """Names one owner's numbering of one turn, so that a cursor of another numbering is never taken for one of this."""
    return Epoch(os.urandom(6).hex())
