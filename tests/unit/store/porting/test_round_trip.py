"""An export is lossless: out of one kind of database, into the other, and out again it is the same, byte for byte."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parlance.store.addresses import read_address
from parlance.store.database import Database
from tests.probes.databases import open_unhurried, sqlite_with_tables
from tests.unit.store.porting.stored_world import World, empty, exported, imported

SHORT, LONG = 6, 300


@pytest.fixture
async def both(tmp_path: Path, postgres_with_tables: str) -> AsyncIterator[tuple[Database, Database]]:
    pair = (await sqlite_with_tables(tmp_path), open_unhurried(read_address(postgres_with_tables), connections=4))
    yield pair
    for database in pair:
        await database.close()


@pytest.mark.requirement("porting:lossless")
async def test_an_export_brought_into_the_other_database_gives_the_same_export(
    both: tuple[Database, Database], long_run: bool
) -> None:
    for seed in range(LONG if long_run else SHORT):
        one, other = both if seed % 2 else both[::-1]
        await empty(one)
        await empty(other)
        ids = await World(one, seed).fill()
        file = await exported(one)
        await imported(other, file)
        assert await exported(other) == file, f"seed {seed}"
        await empty(other)
        alone = await exported(one, ids[-1])
        await imported(other, alone)
        assert await exported(other, ids[-1]) == alone, f"seed {seed}, alone"
