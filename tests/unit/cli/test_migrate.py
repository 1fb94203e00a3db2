"""`parlance migrate`: what it does to the tables, what it says, and what it refuses."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from parlance.cli.main import main
from parlance.store.own_file import take
from parlance.store.revisions import NEWEST
from tests.probes.postgres import PostgresServer


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["migrate", *arguments])


@pytest.mark.requirement("database:migrate:command")
def test_the_tables_go_up_and_down_and_the_state_is_told(in_folder: Path) -> None:
    assert "parlance.db: not there yet; a start makes it" in run("status").output
    assert not (in_folder / ".parlance").exists()
    assert run("up").output == f"SQLite in .parlance/parlance.db: from no tables to {NEWEST}\n"
    assert f"at revision {NEWEST}, up to date" in run("status").output
    assert run("up").output == f"SQLite in .parlance/parlance.db: at {NEWEST} already\n"
    assert run("down", "--all", "--yes").output == f"SQLite in .parlance/parlance.db: from {NEWEST} to no tables\n"
    assert "no tables yet; a start brings it to" in run("status").output


def test_going_down_asks_first(in_folder: Path) -> None:
    run("up")
    asked = CliRunner().invoke(main, ["migrate", "down", "--all"], input="n\n")
    assert asked.exit_code == 1
    assert "This deletes everything that is stored. Go on?" in asked.output
    assert "up to date" in run("status").output


def test_going_down_nowhere_is_a_mistake(in_folder: Path) -> None:
    result = run("down")
    assert (result.exit_code, "Name a revision, or say --all." in result.output) == (2, True)


def test_a_revision_that_there_is_not_is_told_of(in_folder: Path) -> None:
    result = run("up", "0815")
    assert (result.exit_code, "There is no revision 0815" in result.output) == (2, True)


def test_the_tables_of_a_running_server_are_left_alone(in_folder: Path) -> None:
    run("up")
    lock = take(in_folder / ".parlance" / "parlance.db")
    result = run("down", "--all", "--yes")
    assert (result.exit_code, "is in use by another Parlance" in result.output) == (2, True)
    assert "up to date" in run("status").output
    lock.release()


@pytest.mark.requirement("database:migrate:newer")
def test_a_newer_database_is_told_of_and_left_as_it_is(in_folder: Path) -> None:
    run("up")
    engine = create_engine("sqlite:///.parlance/parlance.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE revisions SET version_num = '9999'"))
    engine.dispose()
    status = run("status")
    assert (status.exit_code, "at revision 9999, made by a newer version" in status.output) == (1, True)
    assert run("up").exit_code == 2


def test_it_works_on_postgresql(in_folder: Path, empty_postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_postgres)
    assert f"from no tables to {NEWEST}" in run("up").output
    assert "up to date" in run("status").output
    assert "to no tables" in run("down", "--all", "--yes").output


@pytest.mark.requirement("database:address:bad")
@pytest.mark.parametrize("name", ["DATABASE_URL", "PARLANCE_DATABASE__LISTEN_URL"])
def test_the_doctor_tells_of_an_address_that_is_none(
    name: str, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLANCE_DISCOVERY", "false")
    monkeypatch.setenv(name, "mysql://app:canary-0123456789@db/chats")
    result = CliRunner().invoke(main, ["doctor"])
    assert (result.exit_code, "must begin with postgresql://" in result.output) == (2, True), result.output
    assert "canary" not in result.output


@pytest.mark.requirement("database:address:bad")
def test_an_address_that_is_none_and_one_where_nobody_listens(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://app:canary-0123456789@db/chats")
    result = run("up")
    assert (result.exit_code, "database_url: must begin with postgresql://" in result.output) == (2, True)
    monkeypatch.setenv("DATABASE_URL", "postgres://app:canary-0123456789@127.0.0.1:1/chats")
    status = run("status")
    assert status.exit_code == 1
    assert status.output == (
        "PostgreSQL 'chats' at 127.0.0.1:1: can't be reached: nobody listens there; start it, or correct its address\n"
    )
    assert "canary" not in result.output
