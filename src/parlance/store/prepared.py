"""Statements that write many rows, handed to the drivers as they take them: what the library asks about each statement
and each row anew costs several times what the driver does, and on SQLite every statement is a visit to another thread.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Dialect, Insert, Table, Update, bindparam, insert, update
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


def inserting(table: Table, names: Sequence[str]) -> Prepared:
    """Rows of these columns; what is left out the database gives them."""
    values = {name: bindparam(name, type_=table.c[name].type) for name in names}
    return Prepared(insert(table).values(values).inline())


def updating(table: Table, names: Sequence[str]) -> Prepared:
    """These columns of the rows whose `id` is `of`."""
    values = {name: bindparam(name, type_=table.c[name].type) for name in names}
    return Prepared(update(table).where(table.c.id == bindparam("of", type_=table.c.id.type)).values(values))


async def execute_all(connection: AsyncConnection, batches: Sequence[tuple[Prepared, Sequence[Values]]]) -> None:
    """One behind the other. The transaction must have begun, which the first statement by the library's own way does.

    Errors are the drivers' own: `is_conflict` knows those that the library calls `IntegrityError`.
    """
    dialect = connection.dialect
    found = ((prepared.of(dialect), rows) for prepared, rows in batches if rows)
    ready = [(compiled.sql, [compiled.arguments(row) for row in rows]) for compiled, rows in found]
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if dialect.name == "sqlite":

        def visit(opened: sqlite3.Connection) -> None:
            for sql, rows in ready:
                opened.executemany(sql, rows).close()

        await driver.visit(visit)
    else:
        for sql, rows in ready:
            await driver.executemany(sql, rows)


def is_conflict(error: BaseException) -> bool:
    """Whether what was to be written contradicts what is there."""
    state: object = getattr(error, "sqlstate", None)
    return isinstance(error, IntegrityError | sqlite3.IntegrityError) or str(state).startswith("23")
