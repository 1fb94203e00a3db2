"""An older service's rows as rows of our tables; its messages are `wrapper_messages`. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from parlance.core.principal import DEFAULT_SUBTENANT
from parlance.store.checks import is_name
from parlance.store.porting.wrapper_tables import Found
from parlance.store.porting.wrapper_values import (
    moment_of,
    names_of,
    object_of,
    subtenant_of,
    text_of,
    uuid_of,
    value_of,
)

Row = dict[str, object]


def _subtenant(row: Found, now: datetime) -> Row | str:
    id = subtenant_of(row["id"])
    if not is_name(id):
        return "with an id that is empty, too long, or holds control characters"
    return {"id": id, "name": text_of(row.get("name")), "metadata": object_of(row.get("metadata")), **_times(row, now)}


def _assistant(row: Found, now: datetime) -> Row | str:
    owner = row.get("subtenant_id")
    active = row.get("is_active")
    return {
        "id": uuid_of("assistants", row["id"]),
        "subtenant_id": None if owner is None else subtenant_of(owner),
        "name": text_of(row["name"]) or "",
        "description": text_of(row.get("description")),
        "system_prompt": text_of(row.get("system_prompt")),
        **_selections(row),
        "function_parameters": object_of(row.get("function_parameters")),
        "mcp_tool_parameters": object_of(row.get("mcp_tool_parameters")),
        "is_active": active is None or bool(active),
        **_times(row, now),
    }


def _memory(row: Found, now: datetime) -> Row | str:
    key = str(row["key"])
    if not is_name(key):
        return "with a key that is empty, too long, or holds control characters"
    row_id, value = uuid_of("memories", row["id"]), value_of(row["value"])
    return {"id": row_id, "subtenant_id": _owner(row), "key": key, "value": value, **_times(row, now)}


def _chat(row: Found, now: datetime) -> Row | str:
    assistant = row.get("assistant_id")
    return {
        "id": uuid_of("chats", row["id"]),
        "subtenant_id": _owner(row),
        "assistant_id": None if assistant is None else uuid_of("assistants", assistant),
        "title": text_of(row.get("title")),
        "system_message": text_of(row.get("system_message")),
        **_selections(row),
        **_times(row, now),
    }


READ: Final[Mapping[str, Callable[[Found, datetime], Row | str]]] = {
    "subtenants": _subtenant,
    "assistants": _assistant,
    "memories": _memory,
    "chats": _chat,
}
"""By the names of our tables: a row, or why it can't be one. The time is for rows that have none."""


def _owner(row: Found) -> str:
    owner = row.get("subtenant_id")
    return DEFAULT_SUBTENANT if owner is None else subtenant_of(owner)


def _selections(row: Found) -> Row:
    return {name: names_of(row.get(name)) for name in ("enabled_functions", "enabled_mcp_tools")}


def _times(row: Found, now: datetime) -> Row:
    created = moment_of(row.get("created_at"), now)
    return {"created_at": created, "updated_at": moment_of(row.get("updated_at"), created)}
