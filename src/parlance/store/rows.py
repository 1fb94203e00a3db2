"""What the stores share: who may reach a row, and rows as values."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import Column, ColumnElement, Table, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.errors import SubtenantNotFound
from parlance.core.stores import Reach
from parlance.store.checks import is_name
from parlance.store.tables.subtenants import subtenants

T = TypeVar("T", bound=Struct)
V = TypeVar("V", bound=str | tuple[str, ...])

Fields = Sequence[Any]
"""A row as a driver gives it, whose values have the types of their columns, as only their columns know."""

_SELECTIONS = frozenset({"enabled_functions", "enabled_mcp_tools"})


def columns_of(table: Table, kind: type[Struct]) -> tuple[Column[object], ...]:
    """The columns that make up a value, in the order of its fields."""
    return tuple(table.c[name] for name in kind.__struct_fields__)


def read_row(kind: type[T], row: Fields) -> T:
    """A row of `columns_of` as a value."""
    names = zip(kind.__struct_fields__, row, strict=True)
    return kind(*(tuple(value) if name in _SELECTIONS and value is not None else value for name, value in names))


def within(table: Table, reach: Reach) -> tuple[ColumnElement[bool], ...]:
    """The condition that a row is in reach, if there is one, for rows that something else finds."""
    # Written so that no index serves it: PostgreSQL, before it has looked at a new table, may take the index of a
    # subtenant's rows for as good as that of the id, and then looks at all of them for each.
    return () if reach is None else (table.c.subtenant_id.concat("") == reach,)


def among(column: ColumnElement[str]) -> ColumnElement[bool]:
    """The condition that it is one of the texts of the parameter `ids`, for a statement that is made once.

    Of a list that is written into a statement the library makes a cycle, which holds it until the collector comes.
    """
    return column.in_(bindparam("ids", expanding=True))


def padded(values: Iterable[V]) -> list[V]:
    """In order, each once, and the last one again up to a power of two: for each length the databases keep another
    statement.
    """
    once = sorted(set(values))
    return once + once[-1:] * ((1 << (len(once) - 1).bit_length()) - len(once)) if once else []


async def require_subtenant(connection: AsyncConnection, id: str, reach: Reach) -> None:
    """`SubtenantNotFound` where it is not there or out of reach."""
    if is_name(id) and reach in (None, id):
        found = await connection.execute(select(subtenants.c.seq).where(subtenants.c.id == id))
        if found.first() is not None:
            return
    raise subtenant_not_found(id)


def subtenant_not_found(id: str) -> SubtenantNotFound:
    return SubtenantNotFound(f"There is no subtenant {id[:80]!r}.")
