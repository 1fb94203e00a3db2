"""That no store looks at more rows than it is asked for: what databases say of each statement beforehand."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, Table, event, text

from parlance.core.stores import Page
from parlance.core.stores.model_calls import CallFilter
from parlance.store.database import Database
from parlance.store.tables.whole import TABLES
from tests.contract.stores.conftest import Backing
from tests.contract.stores.test_reach import POINTED, Pointed
from tests.contract.stores.world import NOW, Stores, a_call, one_of_everything

Statement = tuple[str, tuple[object, ...]]

BOUNDED: dict[str, Pointed] = {
    **POINTED,
    "Subtenants.list": lambda stores, at, reach: stores.subtenants.list(Page(), reach),
    "Subtenants.ensure": lambda stores, at, reach: stores.subtenants.ensure(frozenset({at.subtenant})),
    "Memories.known": lambda stores, at, reach: stores.memories.known(at.subtenant, 10),
    "ModelCalls.add": lambda stores, at, reach: stores.model_calls.add((a_call(at.subtenant),)),
    "ModelCalls.list": lambda stores, at, reach: stores.model_calls.list(CallFilter(), Page(), reach),
    "ModelCalls.list of a chat": lambda stores, at, reach: stores.model_calls.list(
        CallFilter(chat=at.chat), Page(), None
    ),
    "ModelCalls.totals": lambda stores, at, reach: stores.model_calls.totals(CallFilter(subtenant=at.subtenant), None),
    "ModelCalls.forget": lambda stores, at, reach: stores.model_calls.forget(NOW),
    "Assistants.list": lambda stores, at, reach: stores.assistants.list(Page(), reach),
    "Assistants.count": lambda stores, at, reach: stores.assistants.count(reach),
}


@pytest.mark.requirement("stores:cost:indexes")
@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
async def test_every_statement_finds_its_rows_by_an_index(backing: Backing, stores: Stores) -> None:
    assert isinstance(backing, Database)
    things = await one_of_everything(stores)
    found: dict[str, list[Statement]] = {}
    for name, act in BOUNDED.items():
        with statements() as made:
            await act(stores, things, things.subtenant)
        found[name] = made
        things = await one_of_everything(stores)
    for name, made in found.items():
        assert made
        for statement in made:
            plan = await explain(backing, statement)
            assert "SCAN " not in plan.replace("SCAN CONSTANT ROW", ""), (name, statement[0], plan)
            assert "Seq Scan" not in plan, (name, statement[0], plan)
            assert "Filter: (id" not in plan, (name, statement[0], plan)
            assert "Join Filter" not in plan, (name, statement[0], plan)


@pytest.mark.requirement("stores:cost:indexes")
def test_what_goes_with_something_else_is_found_by_an_index() -> None:
    """Deleting what is referred to looks for all that refer to it."""
    for table in TABLES:
        for reference in table.foreign_keys:
            assert reference.parent.name in first_columns(table), reference


def first_columns(table: Table) -> set[str]:
    """The columns by which a table's rows are found quickly."""
    indexes = [list(index.columns) for index in table.indexes]
    constraints = [list(constraint.columns) for constraint in table.constraints if hasattr(constraint, "columns")]
    return {columns[0].name for columns in (*indexes, *constraints, list(table.primary_key.columns)) if columns}


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """What is sent to databases meanwhile."""
    made: list[Statement] = []

    def note(_connection: object, _cursor: object, sql: str, values: object, _context: object, many: bool) -> None:
        if sql.startswith(("SELECT", "UPDATE", "DELETE")):
            made.append((sql, tuple(values[0] if many else values)))  # type: ignore[index, arg-type]  # as drivers have it

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield made
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def explain(database: Database, statement: Statement) -> str:
    sql, values = statement
    async with database.writing() as connection:
        if database.kind == "postgresql":
            # With so few rows it would look at all of them, if it may.
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
        word = "EXPLAIN QUERY PLAN " if database.kind == "sqlite" else "EXPLAIN "
        return "\n".join(str(row[-1]) for row in await connection.exec_driver_sql(word + sql, values))
