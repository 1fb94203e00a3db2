"""`parlance chat` in a process of its own: with pipes, and in a terminal; and a relay that can cut its connection."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.chat_lines import DEADLINE
from tests.acceptance.server_process import clean_environment

READY = "\x1b[?2004h"
"""What the terminal is told when a line can be typed."""

# Makes the terminal that it was given its own, so that Ctrl-C there is a signal to it.
_LAUNCHER = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.executable, [sys.executable, '-m', 'parlance', *sys.argv[1:]])"
)

Line = dict[str, Any]


class Piped:
    """A running command, its standard streams piped."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> Line:
        """The next line of `--json`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            line: Line = json.loads(await self.process.stdout.readline())
        return line

    async def until(self, kind: str) -> Line:
        while (line := await self.line())["kind"] != kind:
            pass
        return line

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    async def rest(self) -> tuple[int, str, str]:
        """Its exit code, and what it still says on both streams."""
        async with asyncio.timeout(DEADLINE):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, (out or b"").decode(), err.decode()


@asynccontextmanager
async def piped(
    *arguments: str, folder: Path, settings: dict[str, str] | None = None, stdout: int = asyncio.subprocess.PIPE
) -> AsyncIterator[Piped]:
    """`parlance chat` with these arguments; it is killed if it still runs behind the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "parlance", "chat", *arguments),
        cwd=folder,
        env=clean_environment(folder, settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Piped(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def ask_piped(
    *arguments: str, folder: Path, given: str = "", settings: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a whole run."""
    async with piped(*arguments, folder=folder, settings=settings) as chat, asyncio.timeout(DEADLINE):
        out, err = await chat.process.communicate(given.encode())
        assert chat.process.returncode is not None
        return chat.process.returncode, out.decode(), err.decode()


class Terminal:
    """A terminal with a command in it: type, and wait for what it shows."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self.shown = ""
        self._master = master
        self._seen = 0
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    async def expect(self, text: str) -> str:
        """What was shown up to this text, since the last one that was expected."""
        try:
            async with asyncio.timeout(DEADLINE):
                while (place := self.shown.find(text, self._seen)) < 0:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{text!r} was not shown, but {self.shown[self._seen :]!r}") from None
        begin, self._seen = self._seen, place + len(text)
        return self.shown[begin : self._seen]

    async def enter(self, line: str) -> None:
        """Once a line can be typed."""
        await self.expect(READY)
        self.type(f"{line}\r")

    async def ended(self) -> int:
        async with asyncio.timeout(DEADLINE):
            return await self.process.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _read(self) -> None:
        try:
            self.shown += os.read(self._master, 65536).decode(errors="replace")
        except OSError:
            asyncio.get_running_loop().remove_reader(self._master)
        self._news.set()


@asynccontextmanager
async def terminal(*arguments: str, folder: Path, settings: dict[str, str] | None = None) -> AsyncIterator[Terminal]:
    """`parlance chat` in a terminal of 100 columns."""
    master, slave = pty.openpty()
    environment = {"TERM": "xterm", "COLUMNS": "100", "LINES": "30", "PROMPT_TOOLKIT_NO_CPR": "1", **(settings or {})}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _LAUNCHER, "chat", *arguments),
        cwd=folder,
        env=clean_environment(folder, environment),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = Terminal(process, master)
    try:
        yield shown
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        shown.close()


class Relay:
    """Passes bytes on between a port of its own and a server's, until it is told to cut."""

    def __init__(self, port: int) -> None:
        self.connections = 0
        self._target = port
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass_both, "127.0.0.1", 0)

    def cut(self) -> None:
        """Every connection, at once. New ones are taken."""
        for writer in self._writers:
            writer.transport.abort()

    def refuse(self) -> None:
        """Cut, and take no new connection either."""
        self._server.close()
        self.cut()

    async def close(self) -> None:
        self.refuse()
        await self._server.wait_closed()

    async def _pass_both(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        both: Sequence[asyncio.StreamWriter] = (writer, far_writer)
        self._writers.update(both)
        await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))
        self._writers.difference_update(both)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def relay_to(port: int) -> AsyncIterator[Relay]:
    relay = Relay(port)
    await relay.open()
    try:
        yield relay
    finally:
        await relay.close()
