"""Statements that write many rows, handed to the drivers as they take them: what the library asks about each statement
and each row anew costs several times what the driver does, and every statement is a visit to another thread (SQLite) or
process (PostgreSQL).
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    ARRAY,
    Column,
    Dialect,
    Insert,
    String,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.store.tables.schema import SCHEMA

Values = dict[str, object]
_Encode = Callable[[Any], Any]


class _Compiled(Struct, frozen=True):
    """`names` in the order of the statement's parameters; `encoders` of those whose driver takes another form."""

    sql: str
    names: tuple[str, ...]
    encoders: tuple[tuple[str, _Encode], ...]

    def arguments(self, row: Values) -> tuple[object, ...]:
        for name, encode in self.encoders:
            row[name] = encode(row[name])
        return tuple([row[name] for name in self.names])


class Prepared:
    """A statement with a parameter for each value of a row. Compiled once for each kind of database."""

    def __init__(self, statement: Insert | Update) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def of(self, dialect: Dialect) -> _Compiled:
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        return self._compiled[dialect.name]

    def _compile(self, dialect: Dialect) -> _Compiled:
        options: dict[str, Any] = {}
        if dialect.name == "sqlite":
            options = {"schema_translate_map": {SCHEMA: None}, "render_schema_translate": True}
        compiled: Any = self._statement.compile(dialect=dialect, **options)
        names = tuple(compiled.positiontup)
        found = ((name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names)
        encoders = tuple((name, encode) for name, encode in found if encode is not None)
        return _Compiled(compiled.string, names, encoders)


class Insertion(Prepared):
    """Rows of these columns; what is left out the database gives them."""

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        values = {name: bindparam(name, type_=table.c[name].type) for name in names}
        super().__init__(insert(table).values(values).inline())
        self.names = tuple(names)
        self._table = table

    def from_arrays(self) -> Insert:
        """For PostgreSQL, with a parameter for each column: an array of its values, one for each row."""
        columns = [self._table.c[name] for name in self.names]
        arrays = (cast(bindparam(self._array(one.name)), _loose(one)) for one in columns)
        named = func.unnest(*arrays).table_valued(*self.names, with_ordinality="nth", name=f"given_{self._table.name}")
        given = named.render_derived()
        rows = select(*(given.c[name] for name in self.names)).order_by(given.c.nth)
        return insert(self._table).from_select(self.names, rows, include_defaults=False).inline()

    def arrays_of(self, rows: Sequence[tuple[object, ...]], dialect: Dialect) -> Iterator[tuple[str, list[object]]]:
        """The parameters of that, from the rows' own."""
        for name, values in zip(self.of(dialect).names, zip(*rows, strict=True), strict=True):
            yield self._array(name), list(values)

    def _array(self, column: str) -> str:
        return f"{self._table.name}_{column}"


def updating(table: Table, names: Sequence[str]) -> Prepared:
    """These columns of the rows whose `id` is `of`."""
    values = {name: bindparam(name, type_=table.c[name].type) for name in names}
    return Prepared(update(table).where(table.c.id == bindparam("of", type_=table.c.id.type)).values(values))


async def write_rows(
    connection: AsyncConnection,
    inserts: Sequence[tuple[Insertion, Sequence[Values]]],
    updates: Sequence[tuple[Prepared, Sequence[Values]]],
) -> None:
    """One behind the other. Where there are only updates, the transaction must have begun, which the first statement
    by the library's own way does.

    Errors are the drivers' own: `is_conflict` knows those that the library calls `IntegrityError`.
    """
    dialect = connection.dialect
    new = [(insertion, _arguments(insertion, rows, dialect)) for insertion, rows in inserts if rows]
    changed = [(prepared, _arguments(prepared, rows, dialect)) for prepared, rows in updates if rows]
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if dialect.name == "sqlite":
        ready = [(prepared.of(dialect).sql, rows) for prepared, rows in (*new, *changed)]

        def visit(opened: sqlite3.Connection) -> None:
            for sql, rows in ready:
                opened.executemany(sql, rows).close()

        await driver.visit(visit)
        return
    if new:
        together = _together(tuple(insertion for insertion, _ in new)).of(dialect)
        arrays = {name: array for insertion, rows in new for name, array in insertion.arrays_of(rows, dialect)}
        # By the library's way: it begins the transaction.
        await connection.exec_driver_sql(together.sql, tuple(arrays[name] for name in together.names))
    for prepared, rows in changed:
        await driver.executemany(prepared.of(dialect).sql, rows)


def _arguments(prepared: Prepared, rows: Sequence[Values], dialect: Dialect) -> list[tuple[object, ...]]:
    compiled = prepared.of(dialect)
    return [compiled.arguments(row) for row in rows]


@cache
def _together(insertions: tuple[Insertion, ...]) -> Prepared:
    """One visit to PostgreSQL for all of them. Whether rows have what they refer to is seen at the end."""
    *ahead, statement = (insertion.from_arrays() for insertion in insertions)
    for place, one in enumerate(ahead):
        statement = statement.add_cte(one.cte(f"step_{place}"))
    return Prepared(statement)


def _loose(column: Column[Any]) -> ARRAY[Any]:
    """Values of a column, of any length: a cast to its own would cut what is too long, where an error is due."""
    return ARRAY(Text() if isinstance(column.type, String) else column.type)


def is_conflict(error: BaseException) -> bool:
    """Whether what was to be written contradicts what is there."""
    state: object = getattr(error, "sqlstate", None)
    return isinstance(error, IntegrityError | sqlite3.IntegrityError) or str(state).startswith("23")
