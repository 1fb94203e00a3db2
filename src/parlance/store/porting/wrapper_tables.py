"""The tables of an older REST service as they are found: which column has which field. Its rows are `wrapper_rows`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, column, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

SCHEMA: Final = "public"
AT_ONCE: Final = 256

Found = Mapping[str, Any]
"""A row by the names of our fields, as far as there are columns for them; JSON is decoded."""


class Kind(Struct, frozen=True):
    """What its tables and columns may be called, the likeliest first. `order`: of its rows, by fields."""

    tables: tuple[str, ...]
    fields: Mapping[str, tuple[str, ...]]
    order: tuple[str, ...] = ("created_at",)


TIMES: Final[Mapping[str, tuple[str, ...]]] = {
    "created_at": ("created_at", "created", "timestamp"),
    "updated_at": ("updated_at", "updated", "modified_at"),
}
SELECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "enabled_functions": ("enabled_functions",),
    "enabled_mcp_tools": ("enabled_mcp_tools",),
}
OWNER: Final[Mapping[str, tuple[str, ...]]] = {"id": ("id", "uuid"), "subtenant_id": ("subtenant_id", "tenant_id")}

KINDS: Final[Mapping[str, Kind]] = {
    "subtenants": Kind(
        ("subtenants", "subtenant"),
        {
            "id": ("id", "uuid"),
            "name": ("name",),
            "metadata": ("metadata", "metadata_", "meta", "meta_data", "extra_metadata", "subtenant_metadata"),
            **TIMES,
        },
    ),
    "assistants": Kind(
        ("assistants", "assistant"),
        {
            **OWNER,
            "name": ("name",),
            "description": ("description",),
            "system_prompt": ("system_prompt", "system_message", "instructions"),
            "function_parameters": ("function_parameters",),
            "mcp_tool_parameters": ("mcp_tool_parameters",),
            "is_active": ("is_active", "active"),
            **SELECTIONS,
            **TIMES,
        },
    ),
    "memories": Kind(
        ("memories", "memory"), {**OWNER, "key": ("key", "memory_key"), "value": ("value", "memory_value"), **TIMES}
    ),
    "chats": Kind(
        ("chats", "chat"),
        {
            **OWNER,
            "title": ("title", "name"),
            "system_message": ("system_message", "system_prompt"),
            "assistant_id": ("assistant_id",),
            **SELECTIONS,
            **TIMES,
        },
    ),
    "messages": Kind(
        ("messages", "chat_messages", "message"),
        {
            "id": ("id", "uuid"),
            "chat_id": ("chat_id",),
            "role": ("role",),
            "content": ("content", "text"),
            "tool_calls": ("tool_calls",),
            "function_call": ("function_call",),
            "tool_call_id": ("tool_call_id",),
            "name": ("name", "function_name", "tool_name"),
            "provider": ("provider", "provider_name"),
            "model": ("model", "model_name"),
            "usage": ("usage", "token_usage"),
            "prompt_tokens": ("prompt_tokens", "input_tokens"),
            "completion_tokens": ("completion_tokens", "output_tokens"),
            **SELECTIONS,
            "created_at": TIMES["created_at"],
        },
        ("chat_id", "created_at"),
    ),
}
"""Each behind those that it refers to."""

NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "subtenants": ("id",),
    "assistants": ("id", "name"),
    "memories": ("id", "key", "value"),
    "chats": ("id",),
    "messages": ("id", "chat_id", "role", "content"),
}
"""Without these a table is none of those that are sought."""

BOOKKEEPING: Final = frozenset({"alembic_version"})


class Source(Struct, frozen=True):
    """A table that was found. `columns`: by our fields."""

    kind: Kind
    table: str
    columns: Mapping[str, str]


class Survey(Struct, frozen=True):
    """`unknown`: tables, and columns as `table.column`, that nobody here knows."""

    sources: Mapping[str, Source]
    unknown: tuple[str, ...]


async def survey(connection: AsyncConnection) -> Survey:
    tables: dict[str, list[str]] = {}
    for name, held in await connection.execute(_COLUMNS, {"schema": SCHEMA}):
        tables.setdefault(name, []).append(held)
    found = {name: source for name, kind in KINDS.items() if (source := _find(name, kind, tables)) is not None}
    taken = {source.table: source for source in found.values()}
    unknown = [name for name in tables if name not in taken and name not in BOOKKEEPING]
    for source in taken.values():
        known = set(source.columns.values())
        unknown += [f"{source.table}.{held}" for held in tables[source.table] if held not in known]
    return Survey(found, tuple(sorted(unknown)))


def _find(name: str, kind: Kind, tables: Mapping[str, Sequence[str]]) -> Source | None:
    for candidate in kind.tables:
        held = tables.get(candidate, ())
        columns = {
            field: first
            for field, names in kind.fields.items()
            if (first := next((n for n in names if n in held), None))
        }
        if all(field in columns for field in NEEDED[name]):
            return Source(kind, candidate, columns)
    return None


async def rows_of(connection: AsyncConnection, source: Source) -> AsyncIterator[list[Found]]:
    """Its rows, a handful at a time, oldest first; those of one moment as they were written."""
    columns: list[ColumnElement[Any]] = [column(name).label(field) for field, name in source.columns.items()]
    order: list[ColumnElement[Any]] = [
        column(source.columns[field]) for field in source.kind.order if field in source.columns
    ]
    wanted = select(*columns).select_from(table(source.table, schema=SCHEMA)).order_by(*order, column("ctid"))
    async with connection.stream(wanted) as found:
        async for rows in found.mappings().partitions(AT_ONCE):
            yield [dict(row) for row in rows]


_COLUMNS: Final = text(
    "SELECT columns.table_name, columns.column_name FROM information_schema.columns "
    "JOIN information_schema.tables USING (table_schema, table_name) "
    "WHERE table_schema = :schema AND table_type = 'BASE TABLE' "
    "ORDER BY columns.table_name, columns.ordinal_position"
)
