"""What a test may have left behind: tasks of its event loop, sockets of this process or of a server's."""

import asyncio
import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SETTLE_SECONDS = 5.0


class LeakProbe:
    """Remembers tasks and sockets when it is made, and tells what has come since and not gone.

    `pid` names the process whose sockets are counted: this one, or a server's."""

    def __init__(self, pid: int | None = None) -> None:
        self.pid = pid or os.getpid()
        self.tasks = other_tasks()
        self.sockets = open_sockets(self.pid)

    def left(self) -> list[str]:
        """What is there now and was not before, in words."""
        tasks = [f"task {task.get_name()}: {task.get_coro()}" for task in other_tasks() - self.tasks]
        sockets = [f"socket {socket} of process {self.pid}" for socket in open_sockets(self.pid) - self.sockets]
        return sorted(tasks + sockets)

    async def settled(self, within: float = SETTLE_SECONDS) -> None:
        """Wait until nothing is left; AssertionError with what is, after `within` seconds."""
        deadline = time.monotonic() + within
        while (left := self.left()) and time.monotonic() < deadline:  # noqa: ASYNC110 - a closed socket tells nobody
            await asyncio.sleep(0.01)
        assert not left, "left behind:\n  " + "\n  ".join(left)


async def settled(true: Callable[[], bool], within: float = SETTLE_SECONDS) -> None:
    """Wait until it is true; AssertionError after `within` seconds."""
    deadline = time.monotonic() + within
    while not true() and time.monotonic() < deadline:  # noqa: ASYNC110 - there is no event for it, nobody tells
        await asyncio.sleep(0.005)
    assert true(), "what must have settled by now has not"


def other_tasks() -> set[asyncio.Task[Any]]:
    """The tasks of the running loop that are not done, but for the one that asks."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def open_sockets(pid: int) -> set[str]:
    """The sockets that a process holds open; none where the system has no /proc to tell."""
    found = set()
    folder = Path(f"/proc/{pid}/fd")
    for entry in folder.iterdir() if folder.is_dir() else ():
        try:
            target = os.readlink(entry)
        except OSError:  # closed since
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def alive(kind: type) -> int:
    """How many objects of this very type are in memory."""
    return sum(type(one) is kind for one in gc.get_objects())


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system has no /proc to tell."""
    file = Path(f"/proc/{pid}/statm")
    return int(file.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") if file.exists() else 0


def open_files(pid: int) -> int:
    """How many files and sockets a process holds open; 0 where the system has no /proc to tell."""
    folder = Path(f"/proc/{pid}/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0
