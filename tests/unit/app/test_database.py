"""Which database the settings mean, and a start that waits for it."""

import asyncio
import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from parlance.app.database import AGAIN, AWAITED, find_address, open_own_database, prepare_database, report_database
from parlance.app.store import Store, open_store
from parlance.config.errors import ConfigError
from parlance.config.sections.access import AccessSettings, KeySettings
from parlance.config.sections.database import DatabaseSettings
from parlance.config.settings import Settings
from parlance.core.principal import DEFAULT_SUBTENANT
from parlance.core.stores import Page
from parlance.store.addresses import SqliteAddress
from parlance.store.revisions import NEWEST
from parlance.testing.clock import FakeClock
from tests.probes.pooler import pooled
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


async def is_refused(settings: Settings, told: str) -> None:
    """At a start, at once; and by whoever only looks."""
    store = open_store(settings)
    with pytest.raises(ConfigError, match=told):
        async with asyncio.timeout(AWAITED / 2):
            await store.prepare()
    await store.close()
    report = await report_database(settings)
    assert not report.usable
    assert re.search(told, f"{report.shown} {report.text}"), report


@pytest.mark.requirement("database:sqlite:unusable")
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "parlance.db").write_bytes(b"not a database, whatever its name says" * 100)
    await is_refused(settings_in(tmp_path), r"parlance\.db is no database file; move it away")


@pytest.mark.requirement("database:sqlite:unusable")
async def test_a_database_that_is_damaged_is_refused(tmp_path: Path) -> None:
    file = await a_database(tmp_path)
    file.write_bytes(file.read_bytes()[:100] + b"\xff" * 8_000)
    await is_refused(settings_in(tmp_path), r"parlance\.db is damaged")


async def test_damage_that_a_start_does_not_meet_is_found_by_who_looks(tmp_path: Path) -> None:
    file = await a_database(tmp_path)
    kept = file.read_bytes()
    file.write_bytes(kept[: -len(kept) // 2] + b"\xff" * (len(kept) // 2))
    report = await report_database(settings_in(tmp_path))
    assert (report.usable, "is damaged" in report.text) == (False, True), report
    file.write_bytes(kept)
    assert (await report_database(settings_in(tmp_path))).usable


@pytest.mark.requirement("database:sqlite:unusable")
async def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    file = await a_database(tmp_path)
    changing = sqlite3.connect(file)
    changing.execute("UPDATE revisions SET version_num = '9999'")
    changing.commit()
    changing.close()
    await is_refused(settings_in(tmp_path), "at revision 9999.* newer version")


@pytest.mark.requirement("database:sqlite:unusable")
async def test_a_folder_in_which_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    await is_refused(settings_in(tmp_path / "data"), r"parlance\.db can't be opened: .* Move away what is in its place")


@pytest.mark.requirement("database:sqlite:unusable")
async def test_a_full_disk_is_told_of(small_disk: Path) -> None:
    (small_disk / "filling").write_bytes(bytes(500_000))
    with suppress(OSError):
        (small_disk / "rest").write_bytes(bytes(500_000))
    report = await report_database(settings_in(small_disk))
    assert (report.usable, "No space left on device. Make room there" in report.text) == (False, True), report
    settings = settings_in(small_disk)
    store, clock = open_store(settings), FakeClock()
    with pytest.raises(ConfigError, match=r"parlance\.db.*([Mm]ake room)"):
        await started(store, clock)
    await store.close()


async def started(store: Store, clock: FakeClock) -> None:
    """As `Store.prepare` does it, with a clock that runs."""
    store.opened.own()
    start = asyncio.create_task(prepare_database(store.settings, store.opened.database, clock))
    while not start.done():
        await clock.advance(AGAIN)
        await asyncio.sleep(0)
    await start


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def a_database(folder: Path) -> Path:
    store = open_store(settings_in(folder))
    await store.prepare()
    await store.close()
    return folder / "parlance.db"


@pytest.mark.requirement("database:postgresql:rights")
@pytest.mark.requirement("database:postgresql:tls:refused")
@pytest.mark.parametrize(
    ("role", "query", "told"),
    [
        ("guest", "", "has no schema parlance, and its user guest may not make one"),
        ("guest", "?options=-cdefault_transaction_read_only%3Don", "is read-only: its default_transaction_read_only"),
        ("postgres", "?no_such_setting=1", "does not know the setting no_such_setting in its address; take it out"),
        ("postgres", "?sslmode=verify-full&sslrootcert=/no/ca.pem", r"its sslrootcert /no/ca\.pem can't be read"),
        ("postgres", "?target_session_attrs=read-only", "has no server that is what its target_session_attrs asks for"),
    ],
)
async def test_what_is_wrong_with_a_postgresql_is_said_at_the_start_and_to_who_looks(
    role: str, query: str, told: str, guest: str, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path, guest.replace("postgres@", f"{role}@") + query)
    opened, clock = open_own_database(settings), FakeClock()
    start = asyncio.create_task(prepare_database(settings, opened.database, clock))
    while not start.done():
        await clock.advance(1)
        await asyncio.sleep(0)
    with pytest.raises(ConfigError, match=told):
        await start
    await opened.close()
    report = await report_database(settings)
    assert not report.usable
    assert re.search(told, report.text), report


@pytest.fixture
def guest(postgres: PostgresServer, empty_postgres: str) -> Iterator[str]:
    """A database in which the user `guest` may do nothing."""
    postgres.sql("CREATE ROLE guest LOGIN")
    yield empty_postgres
    postgres.sql("DROP ROLE guest")


@pytest.mark.requirement("database:pooler:listening")
async def test_who_looks_is_told_that_a_pooler_passes_no_notifications(
    postgres: PostgresServer, postgres_with_tables: str, tmp_path: Path
) -> None:
    made = "CREATE TABLE parlance.revisions (version_num varchar(32))"
    noted = f"INSERT INTO parlance.revisions VALUES ('{NEWEST}')"
    await asyncio.to_thread(postgres.sql, f"{made}; {noted}", postgres_with_tables.rpartition("/")[2])
    async with pooled(postgres.port) as pooler:
        through = postgres_with_tables.replace(f":{postgres.port}/", f":{pooler.port}/")
        settings = settings_in(tmp_path, f"{through}?pgbouncer=true")
        report = await report_database(settings)
        assert (report.usable, "database.listen_url" in report.note) == (True, True), report
        straight = DatabaseSettings(listen_url=SecretStr(postgres_with_tables))
        report = await report_database(settings.model_copy(update={"database": straight}))
        assert (report.usable, report.note) == (True, "")


def test_an_address_to_listen_at_that_is_none_is_told_of(tmp_path: Path) -> None:
    for wrong in ("mysql://canary-0123456789", "sqlite:///canary-0123456789"):
        database = DatabaseSettings(listen_url=SecretStr(wrong))
        with pytest.raises(ConfigError, match=r"database\.listen_url: must begin with postgresql://") as caught:
            open_store(settings_in(tmp_path).model_copy(update={"database": database}))
        assert "canary" not in str(caught.value)
