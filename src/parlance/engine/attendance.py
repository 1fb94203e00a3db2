"""Who still listens to a live turn, and when it is given up."""

import asyncio
from collections.abc import Callable


def _nothing() -> None:
    """In place of a callback of the turn's, which would hold it: a forgotten turn must not wait for the collector."""


class Attendance:
    """Calls `abandoned` once nobody has followed for `grace` seconds; never where that is None.

    The time does not run while the turn waits for its caller: that wait has a deadline of its own.
    """

    def __init__(self, grace: float | None, abandoned: Callable[[], None]) -> None:
        self._grace = grace
        self._abandoned = abandoned
        self._followers = 0
        self._waiting = False
        self._timer: asyncio.TimerHandle | None = None
        self._over = False

    def begin(self) -> None:
        self._arm()

    def came(self) -> None:
        self._followers += 1
        self._arm()

    def left(self) -> None:
        self._followers -= 1
        self._arm()

    def wait(self, waiting: bool) -> None:
        self._waiting = waiting
        self._arm()

    def end(self) -> None:
        """The turn has ended: nothing is left to give up."""
        self._over = True
        self._arm()
        self._abandoned = _nothing

    def _arm(self) -> None:
        alone = not (self._followers or self._waiting or self._over)
        if self._grace is None:
            return
        if alone and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._grace, self._abandoned)
        elif not alone and self._timer is not None:
            self._timer.cancel()
            self._timer = None
