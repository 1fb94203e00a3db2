"""The processes of a run: started in a clean environment, pinned to cores, and ended with the run. Only its own."""

import asyncio
import contextlib
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 30.0
STOP_SECONDS = 5.0
AGAIN = 0.01
"""Seconds between two looks whether a process is ready."""


class BenchFailed(Exception):
    """The run can't go on; the text says why."""


class Cores(Struct, frozen=True):
    """Where processes run. None: wherever the system puts them. The target has its core alone."""

    target: int | None = None
    host: int | None = None
    load: int | None = None


def choose_cores() -> Cores:
    """One core for the target, the others for the rest. Nothing is pinned where that is impossible or pointless."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores()
    target, *others = sorted(os.sched_getaffinity(0))
    return Cores(target, others[0], others[-1]) if others else Cores()


def clean_environment(folder: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """All that a process knows: nothing of the developer's keys and settings."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src"))),
        "PYTHONUTF8": "1",
        **(settings or {}),
    }


class Child:
    """`async with Child(name, arguments, folder) as child:` a Python process, from its first line to the block's end.

    `started` is how many seconds it took until that line, which ends with the child's port where it has one.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        folder: Path,
        *,
        core: int | None = None,
        settings: Mapping[str, str] | None = None,
        greets: bool = True,
    ) -> None:
        self.name = name
        self.port = 0
        self.started = 0.0
        self._arguments = arguments
        self._folder = folder
        self._core = core
        self._settings = settings
        self._greets = greets
        self._log = folder / f"{name}.log"
        self._process: Process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def __aenter__(self) -> Self:
        begun = time.perf_counter()
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._arguments,
                cwd=self._folder,
                env=clean_environment(self._folder, self._settings),
                stdin=PIPE,
                stdout=PIPE,
                stderr=log,
            )
        try:
            if self._core is not None:
                os.sched_setaffinity(self.pid, {self._core})
            if self._greets:
                line = await self.read_line(START_SECONDS)
                self.port = int(line.rstrip().rpartition(b":")[2])
                await self._ready()
                self.started = time.perf_counter() - begun
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def ask(self, line: bytes, seconds: float) -> bytes:
        """Write a line to the child, and return the line that it answers within so many seconds."""
        if self._process.stdin is not None:
            self._process.stdin.write(line + b"\n")
        return await self.read_line(seconds)

    async def read_line(self, seconds: float) -> bytes:
        """`BenchFailed` when the child has ended, or says nothing for so long."""
        line = b""
        if self._process.stdout is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    line = await self._process.stdout.readline()
        if not line:
            said = await asyncio.to_thread(self._log.read_text, errors="replace")
            raise BenchFailed(
                f"{self.name} ended, or said nothing for {seconds:g} s. Its log ends with:\n{said[-2000:]}"
            )
        return line

    async def _ready(self) -> None:
        """What has to come behind the first line, so that it counts as started."""

    async def _stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.communicate()
        except TimeoutError:
            self._process.kill()
            await self._process.communicate()


class Server(Child):
    """`parlance serve`: it has started when clients can connect and `/ready` says that it takes turns."""

    def __init__(
        self, name: str, folder: Path, *, core: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(name, ["-m", "parlance", "serve", "--port", "0"], folder, core=core, settings=settings)

    async def _ready(self) -> None:
        last = time.perf_counter() + START_SECONDS
        while not await _answers_well(self.port, "/ready"):
            if time.perf_counter() > last:
                raise BenchFailed(f"{self.name} listens, and is not ready after {START_SECONDS:g} s.")
            await asyncio.sleep(AGAIN)


async def _answers_well(port: int, path: str) -> bool:
    """Whether a server of this machine answers the path with 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n".encode())
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
    finally:
        writer.close()
