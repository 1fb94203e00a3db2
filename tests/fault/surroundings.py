"""What a turn calls, with a while to wait at every step of it: that is where faults come in."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from parlance.core.deltas import Delta
from parlance.core.observers import TurnFacts
from parlance.core.parts import Family
from parlance.core.requests import Request
from parlance.engine.prepare.preparer import Prepared
from parlance.testing.provider import ScriptedProvider

Reach = Callable[[], Awaitable[None]]
"""Suspends a few times, as waiting for a wire does."""


class Distant:
    """A provider whose every batch is a while away."""

    def __init__(self, provider: ScriptedProvider, reach: Reach) -> None:
        self._provider = provider
        self._reach = reach

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def family(self) -> Family:
        return self._provider.family

    async def stream(self, request: Request) -> AsyncGenerator[Sequence[Delta], None]:
        async with aclosing(self._provider.stream(request)) as batches:
            await self._reach()
            async for batch in batches:
                yield batch
                await self._reach()

    async def list_models(self) -> Sequence[str]:
        return await self._provider.list_models()

    async def close(self) -> None:
        await self._provider.close()


class Careful:
    """A preparer that takes its time."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def prepare(self, request: Request, facts: TurnFacts) -> Prepared:
        await self._reach()
        return Prepared(request)
