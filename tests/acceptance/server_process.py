"""A real server in a process of its own, with an environment and a working folder that the test wrote down."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

SOURCE = Path(__file__).resolve().parents[2] / "src"
START_SECONDS = 30.0
STOP_SECONDS = 15.0

# What no run may leave in its log: bugs that were caught, and what the interpreter says of forgotten tasks and sockets.
SIGNS_OF_BUGS = ("failed by a bug", "Traceback", "never retrieved", "never awaited", "was destroyed but it is pending")


def clean_environment(folder: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """All that the process knows: nothing of the developer's, and `settings`."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(SOURCE),
        "PYTHONUTF8": "1",
        "PARLANCE_DISCOVERY": "false",
        "COLUMNS": "200",
        **(settings or {}),
    }


def run_command(
    *arguments: str, folder: Path, settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `parlance` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "parlance", *arguments],
        cwd=folder,
        env=clean_environment(folder, settings),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


class ServerProcess:
    """`with ServerProcess(folder) as server:` it listens on a free port of loopback until the block ends.

    Leaving the block checks that the run left no sign of a bug in its log.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str] | None = None, *, arguments: Sequence[str] = ()
    ) -> None:
        self.folder = folder
        self.greeting: list[str] = []
        self._settings = settings
        self._arguments = arguments
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._log = folder / "stderr.log"
        self._process: subprocess.Popen[str]
        self._reader: threading.Thread
        self.port = 0

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "parlance", "serve", "--port", "0", *self._arguments],
                cwd=self.folder,
                # A test that leaves a turn running must not wait for it.
                env=clean_environment(self.folder, {"PARLANCE_SERVER__STOP_GRACE": "0.2", **(self._settings or {})}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._reader = threading.Thread(target=self._read_output, daemon=True)
        self._reader.start()
        try:
            self._await_greeting()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        status = self.stop()
        log = self.log
        assert not [sign for sign in SIGNS_OF_BUGS if sign in log], log
        assert status in (0, -signal.SIGTERM), f"the server ended with {status}:\n{log}"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_address(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/chat"

    @property
    def log(self) -> str:
        """Standard error, so far."""
        return self._log.read_text()

    @property
    def log_lines(self) -> list[dict[str, object]]:
        """The log's lines, decoded."""
        return [json.loads(line) for line in self.log.splitlines()]

    @property
    def output(self) -> str:
        """Standard output, so far."""
        while not self._lines.empty():
            self._keep(self._lines.get_nowait())
        return "\n".join(self.greeting)

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """As a machine that loses its power: nothing is finished. The block must not be left the usual way then."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def wait(self, seconds: float) -> int:
        """The exit code, once it has ended; fails after `seconds`."""
        return self._process.wait(seconds)

    def stop(self) -> int:
        if self._process.poll() is None:
            self.terminate()
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def _await_greeting(self) -> None:
        while not any(line.startswith("Try: ") for line in self.greeting):
            line = self._lines.get(timeout=START_SECONDS)
            if line is None:
                raise RuntimeError(f"the server ended before it listened:\n{self.log}")
            self._keep(line)
        address = next(line for line in self.greeting if line.startswith("Parlance listens on "))
        self.port = int(address.rpartition(":")[2])

    def _keep(self, line: str | None) -> None:
        if line is not None:
            self.greeting.append(line.rstrip("\n"))

    def _read_output(self) -> None:
        if self._process.stdout is not None:
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put(None)


@asynccontextmanager
async def started(
    folder: Path, settings: Mapping[str, str] | None = None, *, arguments: Sequence[str] = ()
) -> AsyncIterator[ServerProcess]:
    """A `ServerProcess` for tests on a loop, which must not wait for processes."""
    server = ServerProcess(folder, settings, arguments=arguments)
    await asyncio.to_thread(server.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.__exit__)
