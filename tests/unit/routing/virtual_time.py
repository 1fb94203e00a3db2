"""An event loop whose time passes only while everybody waits, and then at once."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar


class _Jumping(selectors.SelectSelector):
    """Waits for nothing: the time that it was to wait has passed."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("Everybody waits, and nobody for a time.")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """What it returns, after as much virtual time as it takes."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def now() -> float:
    return asyncio.get_running_loop().time()


async def pass_by(seconds: float) -> None:
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


async def offer(rate: float, seconds: float, call: Callable[[], Awaitable[None]]) -> int:
    """Begins calls, `rate` of them a second, and waits for all; how many they were."""
    offered = int(rate * seconds)
    async with asyncio.TaskGroup() as group:
        for _ in range(offered):
            group.create_task(_awaited(call))
            await pass_by(1 / rate)
    return offered


async def _awaited(call: Callable[[], Awaitable[None]]) -> None:
    await call()
