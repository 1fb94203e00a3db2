"""What is there already is never mixed with what comes: it is refused, or replaced as a whole."""

import pytest
from sqlalchemy import select, update

from parlance.core.ids import new_owner_id
from parlance.core.stores.subtenants import SubtenantChange
from parlance.store.bells import SqlBells
from parlance.store.database import Database
from parlance.store.leases import SqlLeases
from parlance.store.porting.refusal import LineRefused
from parlance.store.tables.model_calls import model_calls
from parlance.store.tables.turns import turns
from tests.contract.stores.implementations import in_sql
from tests.unit.store.porting.stored_world import World, empty, exported, imported

SEED = 5


@pytest.mark.requirement("porting:replace")
async def test_a_subtenant_that_has_something_is_replaced_only_when_that_is_said(sql_database: Database) -> None:
    await World(sql_database, SEED).fill()
    file = await exported(sql_database, "default")
    stores = in_sql(sql_database)
    await stores.memories.create("default", "new", "later", None)
    await stores.subtenants.change("default", SubtenantChange(name="renamed"), None)
    others = await exported(sql_database)
    with pytest.raises(LineRefused, match=r"^Line \d+: the subtenant 'default' is there already, and has chats\."):
        await imported(sql_database, file)
    assert await exported(sql_database) == others
    await imported(sql_database, file, replace=True)
    assert await exported(sql_database, "default") == file


async def test_a_subtenant_that_has_nothing_yet_gives_way(sql_database: Database) -> None:
    await World(sql_database, SEED).fill()
    file = await exported(sql_database, "default")
    await empty(sql_database)
    await in_sql(sql_database).subtenants.ensure(frozenset({"default"}))
    await imported(sql_database, file)
    assert await exported(sql_database, "default") == file


async def test_others_and_assistants_of_the_whole_service_stay_as_they_are(sql_database: Database) -> None:
    await World(sql_database, SEED).fill()
    before = await exported(sql_database)
    file = await exported(sql_database, "default")
    await imported(sql_database, file, replace=True)
    after = await exported(sql_database)
    assert sorted(after.splitlines()) == sorted(before.splitlines())


async def test_ids_that_another_subtenant_has_are_refused(sql_database: Database) -> None:
    await World(sql_database, SEED).fill()
    file = (await exported(sql_database, "default")).replace(b'"default"', b'"another"')
    before = await exported(sql_database)
    with pytest.raises(LineRefused, match=r"is there already, in the database or above"):
        await imported(sql_database, file, replace=True)
    assert await exported(sql_database) == before


async def test_the_log_of_model_calls_stays_where_the_file_has_none(sql_database: Database) -> None:
    await World(sql_database, SEED).fill()
    file = await exported(sql_database, "default", calls=False)
    before = await exported(sql_database, "default")
    await imported(sql_database, file, replace=True)
    assert await exported(sql_database, "default") == before
    async with sql_database.reading() as connection:
        assert (await connection.execute(select(model_calls.c.seq))).first() is not None


@pytest.mark.requirement("porting:running")
async def test_a_turn_that_runs_is_not_replaced_and_one_that_came_ends_as_after_a_crash(sql_database: Database) -> None:
    world = World(sql_database, SEED)
    (subtenant, *_) = await world.fill()
    await world.chat(subtenant, [None], ["running", "waiting"])
    file = await exported(sql_database, subtenant)
    leases = SqlLeases(sql_database, SqlBells(sql_database, shared=False))
    alive = new_owner_id()
    await leases.hold(alive, 60)
    async with sql_database.writing() as connection:
        await connection.execute(update(turns).where(turns.c.state == "running").values(owner=alive))
    with pytest.raises(LineRefused, match="a server answers in a chat of the subtenant"):
        await imported(sql_database, file, replace=True)
    await leases.release(alive)
    await imported(sql_database, file, replace=True)
    adopted = await leases.adopt(alive)
    swept = await leases.sweep()
    assert {turn.state for turn in adopted} == {"waiting"}
    assert swept
    async with sql_database.reading() as connection:
        assert (await connection.execute(select(turns.c.id).where(turns.c.state == "running"))).first() is None
