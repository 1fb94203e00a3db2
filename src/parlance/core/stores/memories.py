"""Memories: what a subtenant wants its models to know, by key."""

from datetime import datetime
from typing import Protocol

from msgspec import Struct

from parlance.core.ids import MemoryId
from parlance.core.json import JsonValue
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once


class Memory(Struct, frozen=True):
    """`key` is unique in its subtenant, 1 to 255 characters, none of them a control character."""

    id: MemoryId
    subtenant_id: str
    key: str
    value: JsonValue
    created_at: datetime
    updated_at: datetime


class Memories(Protocol):
    """Each raises `SubtenantNotFound` for a subtenant that is not there or out of reach."""

    async def create(
        self, subtenant: str, key: str, value: JsonValue, reach: Reach, once: Once[Memory] | None = None
    ) -> Memory:
        """`AlreadyExists` for a key that is taken."""
        ...

    async def find(self, subtenant: str, key: str, reach: Reach) -> Memory:
        """`MemoryNotFound`."""
        ...

    async def list(self, subtenant: str, page: Page, reach: Reach) -> tuple[Memory, ...]: ...

    async def known(self, subtenant: str, most: int) -> tuple[Memory, ...]:
        """The first of them by key, for a model."""
        ...

    async def change(
        self, subtenant: str, key: str, value: JsonValue, reach: Reach, once: Once[Memory] | None = None
    ) -> Memory:
        """`MemoryNotFound`."""
        ...

    async def delete(self, subtenant: str, key: str, reach: Reach, once: Once[Memory] | None = None) -> Memory:
        """`MemoryNotFound`."""
        ...
