"""That no store looks at more rows than it is asked for: what databases say of each statement beforehand."""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Engine, Table, event, text

from parlance.core.ids import OwnerId, new_chat_id, new_epoch, new_owner_id
from parlance.core.stores import Page
from parlance.core.stores.chats import NewChat
from parlance.core.stores.model_calls import CallFilter
from parlance.core.stores.turns import TurnRecord, Word
from parlance.store.database import Database
from parlance.store.tables.whole import TABLES
from tests.contract.stores.conftest import Backing
from tests.contract.stores.test_reach import POINTED, Pointed
from tests.contract.stores.turn_world import HOME, Keepers, a_key, a_piece, a_step, an_ending
from tests.contract.stores.turn_world import keepers as keepers
from tests.contract.stores.world import NOW, Stores, a_call, one_of_everything

FEW = (
    "SCAN CONSTANT ROW|SCAN main.leases|Seq Scan on leases"
    r"|SCAN main.turns USING INDEX ix_turns_open_|using ix_turns_open_\w+ on turns .*\n +Filter: .*"
)
"""What may be gone through from end to end: as many leases as processes, and the turns that have not ended."""

Statement = tuple[str, tuple[object, ...]]
Asked = Callable[[Keepers, TurnRecord], Awaitable[object]]

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
        await check_plans(backing, name, made)


TURNS: dict[str, Asked] = {
    "Turns.accept": lambda keepers, turn: keepers.accept(turn.chat, key=a_key("another"), owner=turn.owner),
    "Turns.accept again": lambda keepers, turn: keepers.accept(turn.chat, key=a_key(), owner=turn.owner),
    "Turns.accept in a new chat": lambda keepers, turn: in_a_new_chat(keepers, turn.owner),
    "Turns.begun": lambda keepers, turn: keepers.turns.begun(a_key()),
    "Turns.keep": lambda keepers, turn: keepers.turns.keep([a_piece(turn, a_step("one"))]),
    "Turns.state": lambda keepers, turn: keepers.turns.state(turn.id, turn.epoch, "waiting"),
    "Turns.end": lambda keepers, turn: keepers.turns.end(an_ending(turn, a_step("one"))),
    "Turns.find": lambda keepers, turn: keepers.turns.find(turn.id, HOME),
    "Turns.asked": lambda keepers, turn: keepers.turns.asked(turn.id),
    "Turns.events": lambda keepers, turn: keepers.turns.events(turn.id, 1),
    "Turns.list": lambda keepers, turn: keepers.turns.list(turn.chat, Page(1, 1), HOME),
    "Turns.list of those that are open": lambda keepers, turn: keepers.turns.list(
        turn.chat, Page(), HOME, open_only=True
    ),
    "Turns.newest": lambda keepers, turn: keepers.turns.newest(turn.chat, HOME),
    "Turns.bearing": lambda keepers, turn: keepers.turns.bearing(turn.chat, turn.epoch, HOME),
    "Turns.bearing nobody's": lambda keepers, turn: keepers.turns.bearing(turn.chat, new_epoch(), HOME),
    "Turns.open_in": lambda keepers, turn: keepers.turns.open_in(HOME),
    "Turns.ended_before": lambda keepers, turn: keepers.turns.ended_before(turn),
    "Turns.history": lambda keepers, turn: keepers.turns.history(turn),
    "Leases.hold": lambda keepers, turn: keepers.leases.hold(turn.owner, 60),
    "Leases.release": lambda keepers, turn: keepers.leases.release(new_owner_id()),
    "Leases.adopt": lambda keepers, turn: left_waiting(keepers),
    "Leases.sweep": lambda keepers, turn: left_behind(keepers),
    "Leases.trim": lambda keepers, turn: keepers.leases.trim(NOW + timedelta(days=10_000)),
    "Leases.forget_keys": lambda keepers, turn: keepers.leases.forget_keys(NOW),
    "Bells.send": lambda keepers, turn: keepers.bells.send(Word(turn=turn.id, stop="cancelled")),
    "Bells.words_for": lambda keepers, turn: keepers.bells.words_for(turn.owner),
}


async def in_a_new_chat(keepers: Keepers, owner: OwnerId) -> None:
    new = NewChat(id=new_chat_id(), subtenant_id=HOME)
    await keepers.accept(new.id, new_chat=new, owner=owner, key=a_key("another"))


async def left_waiting(keepers: Keepers) -> None:
    turn = (await keepers.accept()).turn
    await keepers.turns.state(turn.id, turn.epoch, "waiting")
    assert len(await keepers.leases.adopt(new_owner_id())) == 1


async def left_behind(keepers: Keepers) -> None:
    await keepers.accept()
    assert await keepers.leases.sweep()


@pytest.mark.requirement("stores:cost:indexes")
@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
async def test_every_statement_of_turns_finds_its_rows_by_an_index(backing: Backing, keepers: Keepers) -> None:
    assert isinstance(backing, Database)
    owner = new_owner_id()
    await keepers.leases.hold(owner, 3600)
    found: dict[str, list[Statement]] = {}
    for name, act in TURNS.items():
        chat = await keepers.chat()
        await keepers.answered(chat, "one", "two")
        turn = (await keepers.accept(chat, key=a_key(), owner=owner)).turn
        with statements() as made:
            await act(keepers, turn)
        found[name] = made
        await keepers.chats.delete(chat, None)
    for name, made in found.items():
        assert made
        await check_plans(backing, name, made)


async def check_plans(database: Database, name: str, made: list[Statement]) -> None:
    for statement in made:
        plan = re.sub(FEW, "", await explain(database, statement))
        assert "SCAN " not in plan, (name, statement[0], plan)
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
        if sql.startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
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
