"""Subtenants: whose everything else is."""

from datetime import datetime
from typing import Protocol

from msgspec import UNSET, Struct, UnsetType

from parlance.core.json import JsonObject
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once


class Subtenant(Struct, frozen=True):
    """`id` is a UUID, or a name that the server or its operator gave: `default`, and those that keys are bound to."""

    id: str
    name: str | None
    metadata: JsonObject
    created_at: datetime
    updated_at: datetime


class SubtenantChange(Struct, frozen=True):
    """What is `UNSET` stays as it is."""

    name: str | UnsetType | None = UNSET
    metadata: JsonObject | UnsetType = UNSET


class Subtenants(Protocol):
    async def create(
        self,
        *,
        id: str | None = None,
        name: str | None = None,
        metadata: JsonObject,
        once: Once[Subtenant] | None = None,
    ) -> Subtenant:
        """`AlreadyExists` for an `id` that is taken; without one it gets a UUID."""
        ...

    async def ensure(self, ids: frozenset[str]) -> None:
        """Those that the operator names are there from the start; one that is there already stays as it is."""
        ...

    async def find(self, id: str, reach: Reach) -> Subtenant:
        """`SubtenantNotFound`."""
        ...

    async def list(self, page: Page, reach: Reach) -> tuple[Subtenant, ...]: ...

    async def change(
        self, id: str, change: SubtenantChange, reach: Reach, once: Once[Subtenant] | None = None
    ) -> Subtenant:
        """`SubtenantNotFound`."""
        ...

    async def delete(self, id: str, reach: Reach, once: Once[Subtenant] | None = None) -> Subtenant:
        """With everything of it. `SubtenantNotFound`. Its turns must have ended: that is the caller's to see to."""
        ...
