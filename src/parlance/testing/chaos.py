"""Faults at chosen moments: an exception at the k-th suspension of a coroutine, or at the k-th batch of a provider.

for at in itertools.count(1):
    fault = FaultAt(at, asyncio.CancelledError())
    await outcome_of(fault.run(work()))     # whatever happens, the laws must hold
    if not fault.struck:
        break                               # the work has fewer suspensions: all were tried
"""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Generator, Sequence
from contextlib import aclosing
from types import coroutine
from typing import Any, TypeVar

from parlance.core.deltas import Delta, TextDelta
from parlance.core.parts import Family
from parlance.core.provider import Listener, Provider, nobody, open_stream
from parlance.core.requests import Request

_T = TypeVar("_T")


class FaultAt:
    """Runs one coroutine and throws `error` into it at its suspension number `at`, counted from 1, in place of waiting.

    A `CancelledError` comes by a real cancel, of a task that the work gets for itself: libraries tell a cancel from an
    exception that merely looks like one. Afterwards `struck` says whether it came so far, and `suspensions` how often
    the work was suspended.
    """

    def __init__(self, at: int, error: BaseException) -> None:
        self.struck = False
        self.suspensions = 0
        self._at = at
        self._error = error

    async def run(self, work: Coroutine[object, None, _T]) -> _T:
        if isinstance(self._error, asyncio.CancelledError):
            return await asyncio.create_task(self._drive(work))
        return await self._drive(work)

    async def _drive(self, work: Coroutine[object, None, _T]) -> _T:
        return await _driven(work, self)

    def due(self) -> BaseException | None:
        """Count a suspension; the error to throw, when it is the one."""
        self.suspensions += 1
        if self.suspensions != self._at:
            return None
        self.struck = True
        task = asyncio.current_task()
        if isinstance(self._error, asyncio.CancelledError) and task is not None:
            task.cancel()
            return None
        return self._error


@coroutine
def _driven(work: Coroutine[Any, Any, _T], fault: FaultAt) -> Generator[Any, Any, _T]:
    """Hands what `work` waits for to the event loop, and what comes back to `work`."""
    try:
        wanted = work.send(None)
        while True:
            error = fault.due()
            if error is None:
                try:
                    answer = yield wanted
                except BaseException as thrown:  # a cancellation from outside belongs to `work`
                    error = thrown
                else:
                    wanted = work.send(answer)
                    continue
            wanted = work.throw(error)
    except StopIteration as ended:
        result: _T = ended.value
        return result
    finally:
        work.close()


class FaultyProvider:
    """A `Provider` around another one whose streams raise `error` in place of their batch number `at`, from 1."""

    def __init__(self, provider: Provider, at: int, error: BaseException) -> None:
        self._provider = provider
        self._at = at
        self._error = error

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def family(self) -> Family:
        return self._provider.family

    def stream(self, request: Request) -> AsyncGenerator[Sequence[Delta], None]:
        return self.stream_to(request, nobody)

    async def stream_to(self, request: Request, listener: Listener) -> AsyncGenerator[Sequence[Delta], None]:
        number = 0

        def hear(delta: TextDelta) -> bool:
            nonlocal number
            if number + 1 == self._at or not listener(delta):
                return False
            number += 1
            return True

        async with aclosing(open_stream(self._provider, request, hear)) as batches:
            async for batch in batches:
                number += 1
                if number == self._at:
                    raise self._error
                yield batch

    async def list_models(self) -> Sequence[str]:
        return await self._provider.list_models()

    async def close(self) -> None:
        await self._provider.close()
