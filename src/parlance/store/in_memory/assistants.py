"""Assistants on a shelf."""

from datetime import UTC, datetime

from msgspec import structs

from parlance.core.errors import AssistantNotFound, SubtenantNotFound
from parlance.core.ids import AssistantId
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once
from parlance.core.stores.assistants import Assistant, AssistantChange
from parlance.store.changes import changed_fields, new_assistant
from parlance.store.checks import check_fields
from parlance.store.in_memory.answers import begin_once, end_once
from parlance.store.in_memory.shelf import Shelf


class InMemoryAssistants:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def create(
        self, subtenant: str | None, new: AssistantChange, reach: Reach, once: Once[Assistant] | None = None
    ) -> Assistant:
        made = new_assistant(subtenant, new)
        begin_once(self._shelf, once)
        if subtenant is not None:
            self._shelf.subtenant(subtenant, reach)
        elif reach is not None:
            raise SubtenantNotFound("An assistant of the whole service is not yours to make. Name your subtenant.")
        self._shelf.assistants[made.id] = made
        end_once(self._shelf, once, made, subtenant)
        return made

    async def find(self, id: AssistantId, reach: Reach) -> Assistant:
        found = self._shelf.assistants.get(id)
        if found is None or not _sees(reach, found):
            raise AssistantNotFound(f"There is no assistant {id[:80]!r}.")
        return found

    async def list(self, page: Page, reach: Reach) -> tuple[Assistant, ...]:
        return self._seen(reach)[page.skip : page.skip + page.limit]

    async def count(self, reach: Reach) -> int:
        return len(self._seen(reach))

    async def change(
        self, id: AssistantId, change: AssistantChange, reach: Reach, once: Once[Assistant] | None = None
    ) -> Assistant:
        check_fields(change)
        begin_once(self._shelf, once)
        found = self._own(id, reach)
        changed = structs.replace(found, **changed_fields(change), updated_at=datetime.now(UTC))
        self._shelf.assistants[id] = changed
        end_once(self._shelf, once, changed, changed.subtenant_id)
        return changed

    async def delete(self, id: AssistantId, reach: Reach, once: Once[Assistant] | None = None) -> Assistant:
        begin_once(self._shelf, once)
        found = self._own(id, reach)
        del self._shelf.assistants[id]
        for chat in self._shelf.chats.values():
            if chat.assistant_id == id:
                self._shelf.chats[chat.id] = structs.replace(chat, assistant_id=None)
        end_once(self._shelf, once, found, found.subtenant_id)
        return found

    def _seen(self, reach: Reach) -> tuple[Assistant, ...]:
        return tuple(found for found in self._shelf.assistants.values() if _sees(reach, found))

    def _own(self, id: AssistantId, reach: Reach) -> Assistant:
        found = self._shelf.assistants.get(id)
        if found is None or reach not in (None, found.subtenant_id):
            raise AssistantNotFound(f"There is no assistant {id[:80]!r}.")
        return found


def _sees(reach: Reach, assistant: Assistant) -> bool:
    return reach is None or assistant.subtenant_id in (None, reach)
