"""Which database the settings mean, and a start that waits for it."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from parlance.app.database import AGAIN, find_address, open_own_database, prepare_database, report_database
from parlance.app.store import open_store
from parlance.config.errors import ConfigError
from parlance.config.sections.access import AccessSettings, KeySettings
from parlance.config.sections.database import DatabaseSettings
from parlance.config.settings import Settings
from parlance.core.principal import DEFAULT_SUBTENANT
from parlance.core.stores import Page
from parlance.store.addresses import SqliteAddress
from parlance.testing.clock import FakeClock
from tests.probes.postgres import PostgresServer


def settings_in(folder: Path, url: str | None = None, *, migrate: bool = True) -> Settings:
    return Settings(
        data=folder,
        database_url=None if url is None else SecretStr(url),
        database=DatabaseSettings(migrate=migrate, connections=4),
    )


def test_without_an_address_it_is_a_file_in_the_folder_of_what_is_kept(tmp_path: Path) -> None:
    assert find_address(settings_in(tmp_path)) == SqliteAddress(tmp_path / "parlance.db")
    assert find_address(settings_in(tmp_path, "sqlite://")) == SqliteAddress(tmp_path / "parlance.db")


async def test_a_start_makes_the_tables_and_the_subtenants_that_the_operator_names(tmp_path: Path) -> None:
    keys = {"web": KeySettings(key=SecretStr("sha256:" + "0" * 64), scope="subtenant:acme")}
    settings = settings_in(tmp_path).model_copy(update={"access": AccessSettings(keys=keys)})
    for _ in range(2):
        store = open_store(settings)
        await store.prepare()
        named = await store.subtenants.list(Page(), None)
        assert sorted(subtenant.id for subtenant in named) == ["acme", DEFAULT_SUBTENANT]
        await store.close()


@pytest.mark.requirement("database:sqlite:alone")
async def test_a_second_process_on_the_same_file_is_refused(tmp_path: Path) -> None:
    opened = open_own_database(settings_in(tmp_path))
    with pytest.raises(ConfigError, match=r"data: The database .* is in use by another Parlance"):
        open_own_database(settings_in(tmp_path))
    await opened.close()


async def test_only_its_owner_can_read_what_is_stored(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    opened = open_own_database(settings_in(folder))
    await prepare_database(settings_in(folder), opened.database)
    for path in (folder, *folder.iterdir()):
        assert path.stat().st_mode & 0o077 == 0, path
    await opened.close()


async def test_a_start_may_be_told_to_leave_the_tables_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, migrate=False)
    opened = open_own_database(settings)
    with pytest.raises(ConfigError, match=r"has no tables yet, .*parlance migrate up"):
        await prepare_database(settings, opened.database)
    await opened.close()
    report = await report_database(settings)
    assert (report.usable, "`parlance migrate up` brings it to" in report.text) == (False, True)


@pytest.mark.requirement("database:start:waits")
async def test_a_start_waits_for_a_database_that_starts_too(own_postgres: PostgresServer, tmp_path: Path) -> None:
    await asyncio.to_thread(own_postgres.stop)
    settings = settings_in(tmp_path, own_postgres.address())
    opened, clock = open_own_database(settings), FakeClock()
    start = asyncio.create_task(prepare_database(settings, opened.database, clock))
    await clock.until_sleepers()
    await asyncio.to_thread(own_postgres.start)
    while not start.done():
        await asyncio.to_thread(own_postgres.sql, "SELECT 1")
        await clock.advance(AGAIN)
    await start
    assert (await report_database(settings)).text.endswith("up to date")
    await opened.close()


async def test_a_start_gives_up_on_a_database_that_does_not_come(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, "postgres://app:canary-0123456789@127.0.0.1:1/chats")
    opened, clock = open_own_database(settings), FakeClock()
    start = asyncio.create_task(prepare_database(settings, opened.database, clock))
    while not start.done():
        await clock.advance(1)
        await asyncio.sleep(0)
    with pytest.raises(
        ConfigError, match=r"database_url: PostgreSQL 'chats' at 127\.0\.0\.1:1 can't be reached"
    ) as caught:
        await start
    assert "canary" not in str(caught.value)
    await opened.close()


async def test_what_a_connection_is_called_can_be_said(postgres: PostgresServer, tmp_path: Path) -> None:
    opened = open_own_database(settings_in(tmp_path, postgres.address() + "?application_name=chat%20one"))
    async with opened.database.reading() as connection:
        assert (await connection.execute(text("SHOW application_name"))).scalar() == "chat one"
        assert (await connection.execute(text("SHOW statement_timeout"))).scalar() == "600ms"
    await opened.close()
