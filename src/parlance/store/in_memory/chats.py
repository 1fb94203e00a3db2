"""Chats on a shelf."""

from datetime import UTC, datetime

from msgspec import structs

from parlance.core.errors import AlreadyExists, AssistantNotFound
from parlance.core.ids import ChatId
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once
from parlance.core.stores.chats import Chat, ChatChange, NewChat
from parlance.store.changes import changed_fields
from parlance.store.checks import check_fields, check_uuid
from parlance.store.in_memory.answers import begin_once, end_once
from parlance.store.in_memory.shelf import Shelf


class InMemoryChats:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def create(self, new: NewChat, reach: Reach, once: Once[Chat] | None = None) -> Chat:
        check_fields(new)
        check_uuid(new.id, "$.id")
        begin_once(self._shelf, once)
        made = put_chat(self._shelf, new, reach)
        end_once(self._shelf, once, made, made.subtenant_id)
        return made

    async def find(self, id: ChatId, reach: Reach) -> Chat:
        return self._shelf.chat(id, reach)

    async def list(self, subtenant: str, page: Page, reach: Reach) -> tuple[Chat, ...]:
        self._shelf.subtenant(subtenant, reach)
        found = [chat for chat in self._shelf.chats.values() if chat.subtenant_id == subtenant]
        return tuple(found[page.skip : page.skip + page.limit])

    async def change(self, id: ChatId, change: ChatChange, reach: Reach, once: Once[Chat] | None = None) -> Chat:
        check_fields(change)
        begin_once(self._shelf, once)
        found = self._shelf.chat(id, reach)
        changed = structs.replace(found, **changed_fields(change), updated_at=datetime.now(UTC))
        self._shelf.chats[id] = changed
        end_once(self._shelf, once, changed, changed.subtenant_id)
        return changed

    async def delete(self, id: ChatId, reach: Reach, once: Once[Chat] | None = None) -> Chat:
        begin_once(self._shelf, once)
        found = self._shelf.chat(id, reach)
        self._shelf.drop_chat(id)
        end_once(self._shelf, once, found, found.subtenant_id)
        return found


def put_chat(shelf: Shelf, new: NewChat, reach: Reach) -> Chat:
    """`SubtenantNotFound`, `AssistantNotFound`, `AlreadyExists`."""
    shelf.subtenant(new.subtenant_id, reach)
    if new.assistant_id is not None:
        assistant = shelf.assistants.get(new.assistant_id)
        if assistant is None or assistant.subtenant_id not in (None, new.subtenant_id):
            raise AssistantNotFound(f"There is no assistant {new.assistant_id[:80]!r}.")
    if new.id in shelf.chats:
        raise AlreadyExists(f"There is a chat {new.id[:80]!r} already.")
    now = datetime.now(UTC)
    made = Chat(
        id=new.id,
        subtenant_id=new.subtenant_id,
        title=new.title,
        system_message=new.system_message,
        assistant_id=new.assistant_id,
        enabled_functions=new.enabled_functions,
        enabled_mcp_tools=new.enabled_mcp_tools,
        created_at=now,
        updated_at=now,
    )
    shelf.chats[new.id] = made
    return made
