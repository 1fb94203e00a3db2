"""Transactions that take too long, where others were answered and where nobody was."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from parlance.core.errors import StorageUnavailable
from parlance.store.circuit import Circuit
from parlance.store.lanes import LATELY, Lane
from parlance.store.sqlite import open_readers
from parlance.testing.clock import FakeClock
from tests.probes.databases import sqlite_with_tables

SHORT = 0.05
"""Seconds after which a transaction that waits for nothing is given up."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def lane(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Lane]:
    database = await sqlite_with_tables(tmp_path)
    engine = open_readers(tmp_path / "parlance.db")
    yield Lane(engine, Circuit("the database"), 4, writes=False, clock=clock)
    await engine.dispose()
    await database.close()


async def hang(lane: Lane) -> None:
    async with lane.transaction(SHORT):
        await asyncio.Event().wait()


async def ask(lane: Lane) -> object:
    async with lane.transaction(10) as connection:
        return (await connection.execute(text("SELECT 1"))).scalar_one()


async def test_what_takes_too_long_where_others_were_just_answered_is_refused_alone(lane: Lane) -> None:
    assert await ask(lane) == 1
    with pytest.raises(StorageUnavailable, match="the database did not answer in time; try again"):
        await hang(lane)
    assert lane.outage is None
    assert await ask(lane) == 1


async def test_a_database_that_has_answered_nobody_lately_is_down(lane: Lane, clock: FakeClock) -> None:
    assert await ask(lane) == 1
    await clock.advance(2 * LATELY)
    with pytest.raises(StorageUnavailable):
        await hang(lane)
    assert lane.outage == "the database did not answer in time."


async def test_a_database_that_has_never_answered_is_down(lane: Lane) -> None:
    with pytest.raises(StorageUnavailable):
        await hang(lane)
    assert lane.outage == "the database did not answer in time."
