"""Subtenants on a shelf."""

from datetime import UTC, datetime

from msgspec import structs

from parlance.core.errors import AlreadyExists
from parlance.core.ids import uuid7
from parlance.core.json import JsonObject
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once
from parlance.core.stores.subtenants import Subtenant, SubtenantChange
from parlance.store.changes import changed_fields
from parlance.store.checks import check_fields, check_name
from parlance.store.in_memory.answers import begin_once, end_once
from parlance.store.in_memory.shelf import Shelf


class InMemorySubtenants:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def create(
        self,
        *,
        id: str | None = None,
        name: str | None = None,
        metadata: JsonObject,
        once: Once[Subtenant] | None = None,
    ) -> Subtenant:
        check_fields(SubtenantChange(name, metadata))
        id = str(uuid7()) if id is None else id
        check_name(id, "$.id")
        begin_once(self._shelf, once)
        if id in self._shelf.subtenants:
            raise AlreadyExists(f"There is a subtenant {id[:80]!r} already.")
        made = self._put(id, name, metadata)
        end_once(self._shelf, once, made, id)
        return made

    async def ensure(self, ids: frozenset[str]) -> None:
        for id in sorted(ids):
            check_name(id, "$.id")
            if id not in self._shelf.subtenants:
                self._put(id, None, {})

    async def find(self, id: str, reach: Reach) -> Subtenant:
        return self._shelf.subtenant(id, reach)

    async def list(self, page: Page, reach: Reach) -> tuple[Subtenant, ...]:
        seen = [subtenant for subtenant in self._shelf.subtenants.values() if reach in (None, subtenant.id)]
        return tuple(seen[page.skip : page.skip + page.limit])

    async def change(
        self, id: str, change: SubtenantChange, reach: Reach, once: Once[Subtenant] | None = None
    ) -> Subtenant:
        check_fields(change)
        begin_once(self._shelf, once)
        found = self._shelf.subtenant(id, reach)
        changed = structs.replace(found, **changed_fields(change), updated_at=datetime.now(UTC))
        self._shelf.subtenants[id] = changed
        end_once(self._shelf, once, changed, id)
        return changed

    async def delete(self, id: str, reach: Reach, once: Once[Subtenant] | None = None) -> Subtenant:
        begin_once(self._shelf, once)
        found = self._shelf.subtenant(id, reach)
        self._shelf.drop_subtenant(id)
        if once is not None and once.key.home != id:
            end_once(self._shelf, once, found, None)
        return found

    def _put(self, id: str, name: str | None, metadata: JsonObject) -> Subtenant:
        now = datetime.now(UTC)
        made = Subtenant(id, name, metadata, now, now)
        self._shelf.subtenants[id] = made
        return made
