"""Assistants: a system prompt and a choice of tools under a name, for one subtenant or for the whole service."""

from datetime import datetime
from typing import Protocol

from msgspec import UNSET, Struct, UnsetType

from parlance.core.ids import AssistantId
from parlance.core.json import JsonObject
from parlance.core.stores import Page, Reach
from parlance.core.stores.answers import Once
from parlance.core.stores.chats import Names


class Assistant(Struct, frozen=True):
    """`subtenant_id` None: the whole service's, which every subtenant sees and only a caller who may see all changes.

    The parameters are arguments that every call of a tool gets, by the tool's name.
    """

    id: AssistantId
    subtenant_id: str | None
    name: str
    description: str | None
    system_prompt: str | None
    enabled_functions: Names
    enabled_mcp_tools: Names
    function_parameters: JsonObject
    mcp_tool_parameters: JsonObject
    is_active: bool
    created_at: datetime
    updated_at: datetime


class AssistantChange(Struct, frozen=True):
    """What is `UNSET` stays as it is; in a new one it gets its default. A new one needs a name."""

    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    system_prompt: str | UnsetType | None = UNSET
    enabled_functions: Names | UnsetType = UNSET
    enabled_mcp_tools: Names | UnsetType = UNSET
    function_parameters: JsonObject | UnsetType = UNSET
    mcp_tool_parameters: JsonObject | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class Assistants(Protocol):
    async def create(
        self, subtenant: str | None, new: AssistantChange, reach: Reach, once: Once[Assistant] | None = None
    ) -> Assistant:
        """`SubtenantNotFound`; also where a caller who may not see all asks for one of the whole service's."""
        ...

    async def find(self, id: AssistantId, reach: Reach) -> Assistant:
        """`AssistantNotFound`. One of the whole service's is in everybody's reach."""
        ...

    async def list(self, page: Page, reach: Reach) -> tuple[Assistant, ...]: ...

    async def count(self, reach: Reach) -> int: ...

    async def change(
        self, id: AssistantId, change: AssistantChange, reach: Reach, once: Once[Assistant] | None = None
    ) -> Assistant:
        """`AssistantNotFound`, also for one that may be seen and not changed."""
        ...

    async def delete(self, id: AssistantId, reach: Reach, once: Once[Assistant] | None = None) -> Assistant:
        """`AssistantNotFound`, as of `change`. Chats that were made with it go on without."""
        ...
