"""What the processes of a run tell each other: jobs for the load generator, and its readings. No measuring here."""

import statistics
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Door = Literal["relay", "lines", "socket", "rpc"]
"""How a target is asked. `relay`: the baseline, in the host's own language; `lines`: door C; `socket`: door A; `rpc`:
door D.
"""

Act = Literal["short", "burst", "paced"]
"""What the scripted host says: a few words, many chunks as fast as it can, or a chunk every `INTERVAL`."""

WORDS = 3
"""Chunks of text in a short answer."""

CHUNKS = 100
"""Chunks of text in a burst."""

INTERVAL = 0.05
"""Seconds between two chunks of a paced answer."""

MARK = b'"~'
"""How every chunk's text begins, within its JSON string, in whatever language it is told."""

STAMP_DIGITS = 19
"""A paced chunk's text is `~` and the time of its writing, in nanoseconds of the system's monotonic clock."""


BUSY = 0.9
"""Where the load generator's own core is busier than this, the figure is a floor: the target may be faster."""

SHARED = 0.1
"""Where others had more of the target's core than this, it was slower than it is."""


class Mode(Struct, frozen=True):
    """One way to load a target.

    For `short` and `burst`, `connections` ask again and again, and are measured for `seconds` after `warm` seconds.
    `paced` opens its streams over `warm` seconds and then measures.
    """

    name: str
    title: str
    act: Act
    connections: int
    warm: float
    seconds: float


class Job(Struct, frozen=True):
    """`target_core` and `load_core` are None where processes are not pinned."""

    mode: Mode
    door: Door
    port: int
    pid: int
    target_core: int | None = None
    load_core: int | None = None


class Reading(Struct, frozen=True):
    """What one job found. Rates are per second, times in milliseconds, shares of one core.

    `answer_p50` and `answer_p99`: from asking to the whole answer. `delay_p50` and `delay_p99`: from the host's write
    of a chunk to its reading by the client; `delivered`: chunks that came, as a share of those due. None: there was
    nothing to measure, or the system does not tell.
    """

    answers: float
    events: float
    failures: int
    failure: str = ""
    answer_p50: float | None = None
    answer_p99: float | None = None
    delivered: float | None = None
    delay_p50: float | None = None
    delay_p99: float | None = None
    cpu: float | None = None
    cpu_per_event: float | None = None
    memory: float | None = None
    load_core_busy: float | None = None
    target_core_shared: float | None = None

    @property
    def disturbance(self) -> float:
        """How far this reading is of something else than the target: by what share of their cores it was hindered."""
        return max((self.target_core_shared or 0.0) - SHARED, (self.load_core_busy or 0.0) - BUSY, 0.0)

    @property
    def calm(self) -> bool:
        return not self.disturbance

    @property
    def cpu_per_answer(self) -> float | None:
        """In microseconds."""
        return None if self.cpu is None or not self.answers else self.cpu / self.answers * 1e6


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The value below which `share` of the values lie; None of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def median(values: Sequence[float | None]) -> float | None:
    """Of the values there are; None of none."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
