"""Partial changes: what their fields say, and what something new gets where they say nothing."""

from datetime import UTC, datetime

from msgspec import UNSET, Struct

from parlance.core.errors import Field, InvalidRequest
from parlance.core.ids import new_assistant_id
from parlance.core.stores.assistants import Assistant, AssistantChange
from parlance.store.checks import check_fields


def changed_fields(change: Struct) -> dict[str, object]:
    """The fields that are to be changed, by name."""
    fields = {name: getattr(change, name) for name in change.__struct_fields__}
    return {name: value for name, value in fields.items() if value is not UNSET}


def new_assistant(subtenant: str | None, new: AssistantChange) -> Assistant:
    """One that is to be kept. `InvalidRequest` for texts that can't be, and without a name."""
    check_fields(new)
    if new.name is UNSET:
        raise InvalidRequest("$.name is missing: an assistant needs one.", fields=(Field("$.name", "is missing"),))
    now = datetime.now(UTC)
    return Assistant(
        id=new_assistant_id(),
        subtenant_id=subtenant,
        name=new.name,
        description=None if new.description is UNSET else new.description,
        system_prompt=None if new.system_prompt is UNSET else new.system_prompt,
        enabled_functions=None if new.enabled_functions is UNSET else new.enabled_functions,
        enabled_mcp_tools=None if new.enabled_mcp_tools is UNSET else new.enabled_mcp_tools,
        function_parameters={} if new.function_parameters is UNSET else new.function_parameters,
        mcp_tool_parameters={} if new.mcp_tool_parameters is UNSET else new.mcp_tool_parameters,
        is_active=True if new.is_active is UNSET else new.is_active,
        created_at=now,
        updated_at=now,
    )
