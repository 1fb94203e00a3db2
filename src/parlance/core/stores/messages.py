"""Messages of chats, as they are read: they are written by the turns that make them."""

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from parlance.core.events import Status
from parlance.core.ids import ChatId, MessageId, TurnId
from parlance.core.messages import Message
from parlance.core.stores import Page, Reach
from parlance.core.stores.chats import Names


class StoredMessage(Struct, frozen=True):
    """`status` is how the message's turn ended, None while it has not. The selection is the user message's own."""

    chat_id: ChatId
    turn_id: TurnId | None
    message: Message
    status: Status | None
    created_at: datetime
    enabled_functions: Names = None
    enabled_mcp_tools: Names = None


class Messages(Protocol):
    async def list(self, chat: ChatId, page: Page, reach: Reach) -> tuple[StoredMessage, ...]:
        """Oldest first: turn by turn in the order of their acceptance, however their answers overlapped.
        `ChatNotFound`.
        """
        ...

    async def all(self, chat: ChatId, reach: Reach) -> tuple[StoredMessage, ...]:
        """`list` without bounds. `ChatNotFound`."""
        ...

    async def find(self, id: MessageId, reach: Reach) -> StoredMessage:
        """`MessageNotFound`."""
        ...
