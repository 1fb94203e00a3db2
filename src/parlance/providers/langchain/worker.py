"""A thread with an event loop of its own: code that blocks there holds up nobody here, and can be abandoned."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor, Future
from contextlib import aclosing
from typing import Final, Generic, ParamSpec, TypeVar

from msgspec import Struct

T = TypeVar("T")
P = ParamSpec("P")

AHEAD: Final = 64
"""Items that may wait for a slow reader."""

LEAVE_SECONDS: Final = 1.0
"""How long the thread may take to end. What blocks it longer is abandoned."""


class _End(Struct, frozen=True):
    error: Exception | None = None


class _Loop(asyncio.SelectorEventLoop):
    """Its blocking calls run in daemon threads, one each: one that never returns must not keep the process alive."""

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: object) -> "asyncio.Future[T]":
        called: Future[T] = Future()

        def run() -> None:
            if not called.set_running_or_notify_cancel():
                return
            # The loop may be gone when an abandoned call returns after all.
            with contextlib.suppress(RuntimeError):
                try:
                    called.set_result(func(*args))
                except BaseException as error:
                    called.set_exception(error)

        threading.Thread(target=run, name="parlance-model-call", daemon=True).start()
        return asyncio.wrap_future(called, loop=self)


class Worker:
    """Started by its first use."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: _Loop | None = None
        self._thread: threading.Thread | None = None

    async def relay(self, source: Callable[[], AsyncIterator[T]]) -> AsyncGenerator[list[T], None]:
        """What `source` yields over there, in batches; what it raises. Closing this cancels it without waiting."""
        here = asyncio.get_running_loop()
        queue: asyncio.Queue[T | _End] = asyncio.Queue(AHEAD)
        pump = _Pump(source, queue, here)
        running = asyncio.run_coroutine_threadsafe(pump.run(), self._started())
        try:
            while True:
                batch, end = await _take(queue)
                if batch:
                    yield batch
                if end is not None:
                    if end.error is not None:
                        raise end.error
                    return
        finally:
            running.cancel()

    async def close(self) -> None:
        """End the thread; what does not end in time is abandoned."""
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            await asyncio.to_thread(thread.join, LEAVE_SECONDS)

    def _started(self) -> _Loop:
        if self._loop is None:
            self._loop = _Loop()
            self._thread = threading.Thread(target=_live, args=(self._loop,), name=self._name, daemon=True)
            self._thread.start()
        return self._loop


class _Pump(Generic[T]):
    """Runs over there; hands over what comes."""

    def __init__(
        self, source: Callable[[], AsyncIterator[T]], queue: "asyncio.Queue[T | _End]", there: asyncio.AbstractEventLoop
    ) -> None:
        self._source = source
        self._queue = queue
        self._there = there

    async def run(self) -> None:
        error: Exception | None = None
        try:
            async with closing(self._source()) as items:
                async for item in items:
                    await self._hand(item)
        except asyncio.CancelledError:
            raise
        except BaseException as raised:
            # Also what would end the thread, or this process: the caller is told, and all others go on.
            error = raised if isinstance(raised, Exception) else RuntimeError(type(raised).__name__)
        await self._hand(_End(error))

    async def _hand(self, item: T | _End) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._queue.put(item), self._there))


async def _take(queue: "asyncio.Queue[T | _End]") -> tuple[list[T], _End | None]:
    """All that is there, once something is."""
    items: list[T] = []
    item = await queue.get()
    while not isinstance(item, _End):
        items.append(item)
        if queue.empty():
            return items, None
        item = queue.get_nowait()
    return items, item


@contextlib.asynccontextmanager
async def closing(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """`aclosing` for what may be no generator, and needs no closing then."""
    if isinstance(items, AsyncGenerator):
        async with aclosing(items):
            yield items
    else:
        yield items


def _live(loop: _Loop) -> None:
    """The thread's life."""
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
