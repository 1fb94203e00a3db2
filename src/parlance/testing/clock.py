"""A clock that stands still until a test moves it."""

import asyncio
import heapq
import itertools


class FakeClock:
    """A `Clock`. Who sleeps is woken by `advance`, in the order of their times."""

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._slept = asyncio.Condition()

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), woken))
        async with self._slept:
            self._slept.notify_all()
        await woken

    @property
    def sleepers(self) -> int:
        """How many wait now."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    async def until_sleepers(self, count: int = 1) -> None:
        """Wait until at least so many sleep."""
        async with self._slept:
            await self._slept.wait_for(lambda: self.sleepers >= count)

    async def advance(self, seconds: float) -> None:
        """Move time on; return when all who were woken have run as far as they can without more time."""
        end = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await settle()
        self._now = end
        await settle()


async def settle(rounds: int = 10) -> None:
    """Give way, so that what is ready runs."""
    for _ in range(rounds):
        await asyncio.sleep(0)
