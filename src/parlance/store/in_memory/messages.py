"""Messages on a shelf, as they are read."""

from parlance.core.errors import MessageNotFound
from parlance.core.ids import ChatId, MessageId
from parlance.core.stores import Page, Reach
from parlance.core.stores.messages import StoredMessage
from parlance.store.in_memory.shelf import Shelf


class InMemoryMessages:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def list(self, chat: ChatId, page: Page, reach: Reach) -> tuple[StoredMessage, ...]:
        return (await self.all(chat, reach))[page.skip : page.skip + page.limit]

    async def all(self, chat: ChatId, reach: Reach) -> tuple[StoredMessage, ...]:
        self._shelf.chat(chat, reach)
        return tuple(self._shelf.messages_of(chat))

    async def find(self, id: MessageId, reach: Reach) -> StoredMessage:
        found = self._shelf.messages.get(id)
        if found is None or reach not in (None, self._shelf.chats[found.chat_id].subtenant_id):
            raise MessageNotFound(f"There is no message {id[:80]!r}.")
        return self._shelf.with_status(found)
