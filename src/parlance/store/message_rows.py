"""Messages as rows, both ways."""

from collections.abc import Mapping
from typing import Final

import msgspec
from sqlalchemy import Text, cast, type_coerce
from sqlalchemy.types import NullType

from parlance.core.events import Status
from parlance.core.ids import ChatId, TurnId
from parlance.core.messages import Message, Origin
from parlance.core.parts import Part
from parlance.core.stores.chats import Names
from parlance.core.stores.messages import StoredMessage
from parlance.core.stores.turns import State
from parlance.core.usage import Usage
from parlance.store.rows import Fields
from parlance.store.tables.messages import messages

_AS_IT_IS: Final = NullType()
"""Drivers give bytes for bytes: to make sure of it for each row costs as much as to decode it."""

COLUMNS: Final = (
    # Made texts by the database: asyncpg makes an object of each UUID, and the library a text of each object.
    cast(messages.c.turn_id, Text),
    cast(messages.c.id, Text),
    messages.c.role,
    type_coerce(messages.c.parts, _AS_IT_IS),
    messages.c.host,
    messages.c.model,
    messages.c.family,
    messages.c.finish,
    type_coerce(messages.c.usage, _AS_IT_IS),
    messages.c.created_at,
    messages.c.enabled_functions,
    messages.c.enabled_mcp_tools,
)
"""What `decode_message` takes."""

_decode_parts: Final = msgspec.json.Decoder(tuple[Part, ...]).decode
_decode_usage: Final = msgspec.json.Decoder(Usage).decode
_encode: Final = msgspec.json.Encoder().encode


def encode_message(stored: StoredMessage, position: int) -> dict[str, object]:
    """A row's values; `position` is that of its turn in the chat, and 0 for what was there before the first."""
    message = stored.message
    origin = message.origin
    return {
        "chat_id": stored.chat_id,
        "turn_id": stored.turn_id,
        "position": position,
        "id": message.id,
        "role": message.role,
        "parts": _encode(message.parts),
        "host": None if origin is None else origin.host,
        "model": None if origin is None else origin.model,
        "family": None if origin is None else origin.family,
        "finish": message.finish,
        "usage": None if message.usage is None else _encode(message.usage),
        "created_at": stored.created_at,
        "enabled_functions": stored.enabled_functions,
        "enabled_mcp_tools": stored.enabled_mcp_tools,
    }


def decode_message(chat: ChatId, row: Fields, not_completed: Mapping[TurnId, State]) -> StoredMessage:
    """`not_completed` has the states of the turns of which that is true."""
    turn, id, role, parts, host, model, family, finish, usage, created, functions, tools = row
    message = Message(
        id,
        role,
        _decode_parts(parts),
        None if host is None else Origin(host, model, family),
        finish,
        None if usage is None else _decode_usage(usage),
    )
    status = None if turn is None else _status(not_completed.get(turn, "completed"))
    return StoredMessage(chat, turn, message, status, created, _names(functions), _names(tools))


def _status(state: State) -> Status | None:
    match state:
        case "queued" | "running" | "waiting":
            return None
        case _:
            return state


def _names(found: list[str] | None) -> Names:
    return None if found is None else tuple(found)
