"""How a run begins and ends: on cores of its own, bounded in time, and over when it is told so, with all it started."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from bench.processes import BenchFailed, Cores, choose_cores

LONGEST = 1800.0
"""Seconds after which the whole run is given up."""

T = TypeVar("T")


def carry_out(measure: Callable[[Cores], Awaitable[T]]) -> T | int:
    """What was found; where there is nothing, the exit code, and why has been said."""
    try:
        return uvloop.run(_bounded(measure))
    except (BenchFailed, TimeoutError) as error:
        tell(str(error) or f"not done within {LONGEST:g} s")
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


def tell(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


async def _bounded(measure: Callable[[Cores], Awaitable[T]]) -> T:
    """The run, which SIGTERM ends as Ctrl-C does: with all that it started."""
    task = asyncio.current_task()
    if task is not None and sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    cores = choose_cores()
    if cores.target is not None:
        os.sched_setaffinity(0, os.sched_getaffinity(0) - {cores.target})
    else:
        tell("no cores to pin to: the figures are noisier")
    async with asyncio.timeout(LONGEST):
        return await measure(cores)
