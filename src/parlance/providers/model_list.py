"""What a host lists of its models, remembered for a while; that it can't be had, for a shorter one."""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Final

from parlance.core.errors import UpstreamError

FRESH: Final = 60.0
"""Seconds for which a list is not asked for again."""

FRESH_FAILURE: Final = 5.0
"""Seconds for which a host that did not list its models isn't asked again: others' requests must not wait for it."""


class ModelList:
    """Asks once for all who want to know at the same time. `ask` raises `UpstreamError`."""

    def __init__(
        self, ask: Callable[[], Awaitable[tuple[str, ...]]], *, now: Callable[[], float] | None = None
    ) -> None:
        self._ask = ask
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._known: tuple[str, ...] | UpstreamError = ()
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def get(self) -> tuple[str, ...]:
        async with self._asking:
            if self._until <= self._now():
                await self._find()
        if isinstance(self._known, UpstreamError):
            # A fresh one for each: an exception that is raised again keeps what it was raised through.
            raise copy.copy(self._known) from self._known.__cause__
        return self._known

    async def _find(self) -> None:
        try:
            self._known, fresh = await self._ask(), FRESH
        except UpstreamError as error:
            self._known, fresh = error, FRESH_FAILURE
        self._until = self._now() + fresh
