"""Chats: conversations that last. Their messages are `messages`, their turns `turns`."""

from datetime import datetime
from typing import Protocol

from msgspec import UNSET, Struct, UnsetType

from parlance.core.ids import AssistantId, ChatId
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once

Names = tuple[str, ...] | None
"""A selection of tools: None where nothing was said, empty for none of them."""


class Chat(Struct, frozen=True):
    id: ChatId
    subtenant_id: str
    title: str | None
    system_message: str | None
    assistant_id: AssistantId | None
    enabled_functions: Names
    enabled_mcp_tools: Names
    created_at: datetime
    updated_at: datetime


class NewChat(Struct, frozen=True, kw_only=True):
    """A chat that is to be made. `id` is minted by whoever asks for it, so that it may be made together with a turn."""

    id: ChatId
    subtenant_id: str
    title: str | None = None
    system_message: str | None = None
    assistant_id: AssistantId | None = None
    enabled_functions: Names = None
    enabled_mcp_tools: Names = None


class ChatChange(Struct, frozen=True):
    """What is `UNSET` stays as it is; a chat's assistant never changes."""

    title: str | UnsetType | None = UNSET
    system_message: str | UnsetType | None = UNSET
    enabled_functions: Names | UnsetType = UNSET
    enabled_mcp_tools: Names | UnsetType = UNSET


class Chats(Protocol):
    async def create(self, new: NewChat, reach: Reach, once: Once[Chat] | None = None) -> Chat:
        """`SubtenantNotFound`; `AssistantNotFound` also for one of another subtenant."""
        ...

    async def find(self, id: ChatId, reach: Reach) -> Chat:
        """`ChatNotFound`."""
        ...

    async def list(self, subtenant: str, page: Page, reach: Reach) -> tuple[Chat, ...]:
        """`SubtenantNotFound`."""
        ...

    async def change(self, id: ChatId, change: ChatChange, reach: Reach, once: Once[Chat] | None = None) -> Chat:
        """`ChatNotFound`."""
        ...

    async def delete(self, id: ChatId, reach: Reach, once: Once[Chat] | None = None) -> Chat:
        """With its messages, turns and logs. `ChatNotFound`. Its turns must have ended."""
        ...
