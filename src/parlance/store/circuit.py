"""Spares a database that is down, and those who need it: they fail at once, while one of them at a time tries it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from parlance.core.errors import StorageUnavailable
from parlance.net.clock import SYSTEM_CLOCK, Clock
from parlance.store.faults import Outage

PAUSE = 0.25
"""Seconds between two tries."""

RETRY_AFTER = 1.0

UNCHANGED = "Nothing was changed."
UNKNOWN = "What was to be kept may have been kept, or not."

log = logging.getLogger(__name__)


class Circuit:
    """Open while the database is down. `shown`: what the database is called in messages."""

    def __init__(self, shown: str, clock: Clock = SYSTEM_CLOCK) -> None:
        self._shown = shown
        self._clock = clock
        self._outage: Outage | None = None
        self._again_at = 0.0
        self._trying = False

    @property
    def outage(self) -> str | None:
        """Why the database can't be used, as it was seen last; None while it can."""
        return None if self._outage is None else f"{self._shown} {self._outage.text}."

    @property
    def lasting(self) -> bool:
        """Whether waiting for it is of no use."""
        return self._outage is not None and self._outage.lasting

    def check(self, *, writes: bool = True) -> None:
        """`StorageUnavailable` while it is down, for who writes or also for who reads, and it is not time to try it
        again.
        """
        if (outage := self._standing(writes)) and (self._trying or self._clock.monotonic() < self._again_at):
            raise self.refusal(outage)

    @contextmanager
    def use(self, *, writes: bool = True) -> Iterator[None]:
        """Around each use, behind `check`: while the database is down, the one within is the one who tries it."""
        self.check(writes=writes)
        mine = self._standing(writes) is not None
        self._trying = self._trying or mine
        try:
            yield
        finally:
            if mine:
                self._trying = False

    def heal(self, *, writes: bool = True) -> None:
        """The database has answered."""
        if self._standing(writes) is not None:
            log.info("%s is there again", self._shown)
            self._outage = None

    def _standing(self, writes: bool) -> Outage | None:
        """What keeps these away; what can't be written may be read."""
        return None if self._outage is None or (self._outage.writing and not writes) else self._outage

    def blow(self, outage: Outage, *, kept: bool | None = False) -> StorageUnavailable:
        """It has not, for this reason; the error to raise. `kept` None: what was written may have been kept."""
        if outage.down:
            if self._outage is None:
                log.warning("%s %s", self._shown, outage.text)
            self._outage = outage
            self._again_at = self._clock.monotonic() + PAUSE
        return self.refusal(outage, kept=kept)

    def refusal(self, outage: Outage, *, kept: bool | None = False) -> StorageUnavailable:
        rest = UNCHANGED if kept is False else UNKNOWN
        shown = f"{self._shown} {outage.text}. {rest}"
        return StorageUnavailable(shown, retry_after=RETRY_AFTER, maybe_kept=kept is None)
