"""How late the event loop runs what is due."""

import asyncio
import time
from collections.abc import Callable

INTERVAL = 1.0
"""Seconds between samples."""


class LoopLag:
    """Tells `record` once a second, in seconds, how late that very call came. One timer; no task."""

    def __init__(self, record: Callable[[float], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._record = record
        self._clock = clock
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """On the running loop."""
        self._due = self._clock() + INTERVAL
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._sample)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sample(self) -> None:
        # A loop that counts in milliseconds may be early by one.
        self._record(max(0.0, self._clock() - self._due))
        self.begin()
