"""`parlance export` and `parlance import`: what they write, say and refuse."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parlance.cli.main import main
from parlance.store.own_file import take
from tests.probes.postgres import PostgresServer
from tests.unit.store.porting.older_service import ROWS, TABLES

CHAT = "01a1fcb2-075c-7355-ab35-b3086e33e69a"
TIME = "2026-02-03T04:05:06Z"
FILE = "chats.jsonl"


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def a_file(subtenants: tuple[str, ...] = ("default",)) -> bytes:
    times = {"created_at": TIME, "updated_at": TIME}
    lines = [{"kind": "head", "format": "parlance-export", "version": 1, "made_by": "a test", "model_calls": False}]
    for number, id in enumerate(subtenants):
        lines.append({"kind": "subtenant", "id": id, "name": None, "metadata": {}, **times})
        told = {"title": "Trip", "system_message": None, "enabled_functions": None, "enabled_mcp_tools": None}
        chat = CHAT[:-1] + str(number)
        lines.append({"kind": "chat", "id": chat, "subtenant_id": id, "assistant_id": None, **told, **times})
    lines.append({"kind": "end", "lines": len(lines)})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@pytest.mark.requirement("porting:command")
def test_what_was_imported_is_exported_again(in_folder: Path) -> None:
    (in_folder / FILE).write_bytes(a_file(("default", "anna")))
    assert run("import", FILE).stdout == "Imported subtenants: 2, chats: 2\n"
    assert run("export", "out.jsonl").stdout == "Exported subtenants: 1, chats: 1\n"
    assert stat.S_IMODE((in_folder / "out.jsonl").stat().st_mode) == 0o600
    assert not (in_folder / "out.jsonl.part").exists()
    streamed = run("export")
    assert (streamed.stdout, streamed.stderr) == (
        (in_folder / "out.jsonl").read_text(),
        "Exported subtenants: 1, chats: 1\n",
    )
    anna = run("export", "--subtenant", "anna").stdout.splitlines()
    assert [json.loads(line)["kind"] for line in anna] == ["head", "subtenant", "chat", "end"]
    assert run("export", "--all").stderr == "Exported subtenants: 2, chats: 2\n"


def test_a_file_may_come_through_a_pipe() -> None:
    result = CliRunner().invoke(main, ["import", "-"], input=a_file())
    assert result.output == "Imported subtenants: 1, chats: 1\n"


@pytest.mark.requirement("porting:replace")
def test_what_is_there_is_replaced_only_when_that_is_said(in_folder: Path) -> None:
    (in_folder / FILE).write_bytes(a_file())
    run("import", FILE)
    again = run("import", FILE)
    assert again.exit_code == 1
    assert again.output == (
        "Line 2: the subtenant 'default' is there already, and has chats. With --replace, everything of it is deleted "
        "first. Nothing was imported.\n"
    )
    assert run("import", "--replace", FILE).exit_code == 0


def test_what_is_no_export_makes_no_database(in_folder: Path) -> None:
    (in_folder / FILE).write_text("hello\n")
    result = run("import", FILE)
    assert (result.exit_code, "Line 1: this is no export of Parlance's" in result.output) == (1, True)
    assert not (in_folder / ".parlance").exists()
    nothing = run("export", "out.jsonl")
    assert (nothing.exit_code, "There is nothing to export" in nothing.output) == (1, True)
    assert not (in_folder / ".parlance").exists()
    assert not list(in_folder.glob("out*"))


def test_an_export_that_fails_leaves_what_was_there(in_folder: Path) -> None:
    (in_folder / FILE).write_bytes(a_file())
    run("import", FILE)
    before = (in_folder / FILE).read_bytes()
    unknown = run("export", "--subtenant", "nobody", FILE)
    assert (unknown.exit_code, unknown.output) == (1, "There is no subtenant 'nobody'.\n")
    assert (in_folder / FILE).read_bytes() == before
    nowhere = run("export", "nowhere/out.jsonl")
    assert (nowhere.exit_code, "No such file or directory" in nowhere.output) == (1, True)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no device that is always full")
def test_a_full_disk_is_told_of(in_folder: Path) -> None:
    (in_folder / FILE).write_bytes(a_file())
    run("import", FILE)
    full = run("export", "/dev/full")
    assert (full.exit_code, "No space left on device" in full.output) == (1, True)
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize(
    "arguments",
    [
        ("import",),
        ("import", FILE, "--from-wrapper", "postgresql://db/old"),
        ("import", "--replace", "--from-wrapper", "postgresql://db/old"),
        ("export", "--all", "--subtenant", "anna"),
    ],
)
def test_what_contradicts_itself_is_a_mistake(in_folder: Path, arguments: tuple[str, ...]) -> None:
    (in_folder / FILE).write_bytes(a_file())
    result = run(*arguments)
    assert (result.exit_code, "Error: Name a" in result.output) == (2, True)


@pytest.mark.requirement("porting:stopped")
def test_a_running_server_on_sqlite_is_to_be_stopped_first(in_folder: Path) -> None:
    (in_folder / FILE).write_bytes(a_file())
    run("import", FILE)
    lock = take(in_folder / ".parlance" / "parlance.db")
    for arguments in (("export",), ("import", FILE), ("import", "--from-wrapper", "postgresql://127.0.0.1:1/old")):
        result = run(*arguments)
        assert (result.exit_code, "is in use by another Parlance" in result.output) == (2, True)
    lock.release()


@pytest.mark.requirement("porting:stopped")
def test_on_postgresql_others_may_use_it_meanwhile(
    in_folder: Path, postgres: PostgresServer, postgres_with_tables: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (in_folder / FILE).write_bytes(a_file())
    postgres.sql(
        "CREATE TABLE parlance.revisions (version_num varchar(32)); INSERT INTO parlance.revisions VALUES ('0001')",
        postgres_with_tables.rpartition("/")[2],
    )
    monkeypatch.setenv("DATABASE_URL", postgres_with_tables)
    assert run("import", FILE).output == "Imported subtenants: 1, chats: 1\n"
    assert run("export", "--all").stderr == "Exported subtenants: 1, chats: 1\n"


@pytest.mark.requirement("porting:wrapper")
def test_an_older_service_is_read_by_its_address(
    in_folder: Path, postgres: PostgresServer, empty_postgres: str
) -> None:
    for statements in (TABLES, ROWS):
        postgres.sql(statements, empty_postgres.rpartition("/")[2])
    result = run("import", "--from-wrapper", empty_postgres.replace("postgresql://", "postgresql+psycopg2://"))
    assert result.output == (
        "Imported subtenants: 1, assistants: 1, memories: 1, chats: 1, messages: 4\n"
        "Left out messages of the role 'moderator', which there is not: 1\n"
        "Not understood, and left there: chats.colour, request_logs\n"
    )
    again = run("import", "--from-wrapper", empty_postgres)
    assert again.output.splitlines()[:2] == [
        "Imported nothing",
        "There already subtenants: 1, assistants: 1, memories: 1, chats: 1, messages: 4",
    ]


def test_an_address_of_an_older_service_that_is_none_is_told_without_its_secrets() -> None:
    for address, said in (
        ("mysql://app:canary-0123456789@db/old", "must begin with postgresql://"),
        ("sqlite:///old.db", "The older service's database is a PostgreSQL"),
        ("postgres://app:canary-0123456789@127.0.0.1:1/old", "PostgreSQL 'old' at 127.0.0.1:1 can't be reached"),
    ):
        result = run("import", "--from-wrapper", address)
        assert (result.exit_code, said in result.output, "canary" in result.output) == (1, True, False), result.output
