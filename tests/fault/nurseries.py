"""Processes to be killed without harm to the test: one is asked over a pipe, and forks a child for each order."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


@asynccontextmanager
async def nursery(module: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs `module`, whose main is `raise_children`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        # Also behind a test that failed: else whoever waits for it waits for ever.
        process.stdin.close()
        await process.wait()


def raise_children(kind: type[T], live: Callable[[T], None], tell_end: Callable[[int], None], *, longest: int) -> None:
    """For each order on standard input a child that lives `longest` seconds at most; `tell_end` gets its exit code."""
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=kind)
        child = os.fork()
        if child == 0:
            signal.alarm(longest)
            live(order)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        tell_end(os.waitstatus_to_exitcode(status))
