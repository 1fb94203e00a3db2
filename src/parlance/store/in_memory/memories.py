"""Memories on a shelf."""

from datetime import UTC, datetime

from msgspec import structs

from parlance.core.errors import AlreadyExists, MemoryNotFound
from parlance.core.ids import new_memory_id
from parlance.core.json import JsonValue
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once
from parlance.core.stores.memories import Memory
from parlance.store.checks import check_json, check_name
from parlance.store.in_memory.answers import begin_once, end_once
from parlance.store.in_memory.shelf import Shelf


class InMemoryMemories:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def create(
        self, subtenant: str, key: str, value: JsonValue, reach: Reach, once: Once[Memory] | None = None
    ) -> Memory:
        check_name(key, "$.key")
        check_json(value, "$.value")
        begin_once(self._shelf, once)
        if any(memory.key == key for memory in self._of(subtenant, reach)):
            raise AlreadyExists(f"There is a memory {key[:80]!r} already. Change it, or choose another key.")
        now = datetime.now(UTC)
        made = Memory(new_memory_id(), subtenant, key, value, now, now)
        self._shelf.memories[made.id] = made
        end_once(self._shelf, once, made, subtenant)
        return made

    async def find(self, subtenant: str, key: str, reach: Reach) -> Memory:
        for memory in self._of(subtenant, reach):
            if memory.key == key:
                return memory
        raise MemoryNotFound(f"There is no memory {key[:80]!r}.")

    async def list(self, subtenant: str, page: Page, reach: Reach) -> tuple[Memory, ...]:
        return self._of(subtenant, reach)[page.skip : page.skip + page.limit]

    async def known(self, subtenant: str, most: int) -> tuple[Memory, ...]:
        return tuple(sorted(self._of(subtenant, None), key=lambda memory: memory.key)[:most])

    async def change(
        self, subtenant: str, key: str, value: JsonValue, reach: Reach, once: Once[Memory] | None = None
    ) -> Memory:
        check_json(value, "$.value")
        begin_once(self._shelf, once)
        found = await self.find(subtenant, key, reach)
        changed = structs.replace(found, value=value, updated_at=datetime.now(UTC))
        self._shelf.memories[found.id] = changed
        end_once(self._shelf, once, changed, subtenant)
        return changed

    async def delete(self, subtenant: str, key: str, reach: Reach, once: Once[Memory] | None = None) -> Memory:
        begin_once(self._shelf, once)
        found = await self.find(subtenant, key, reach)
        del self._shelf.memories[found.id]
        end_once(self._shelf, once, found, subtenant)
        return found

    def _of(self, subtenant: str, reach: Reach) -> tuple[Memory, ...]:
        self._shelf.subtenant(subtenant, reach)
        return tuple(memory for memory in self._shelf.memories.values() if memory.subtenant_id == subtenant)
