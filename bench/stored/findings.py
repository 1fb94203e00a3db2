"""How much is asked of stored turns, and what was found. No measuring here."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from bench.gauges import Gauge, busy_share
from bench.jobs import BUSY, SHARED

Kind = Literal["SQLite", "PostgreSQL"]
Durability = Literal["grouped", "strict"]

CONNECTIONS = 64
WATCHERS = 2
FEW = 10


class Amount(Struct, frozen=True):
    """How much each round asks of each server: answers of a burst, short answers, and single ones. `many` chats stand
    in a full database, besides one of `messages` and a turn of `events`; `reads` is how often those are read, and
    `comers` come back to the turn at once.
    """

    bursts: int
    shorts: int
    singles: int
    rounds: int
    many: int
    reads: int
    messages: int = 1_000
    events: int = 10_000
    comers: int = 1_000


FULL = Amount(bursts=640, shorts=1_920, singles=150, rounds=3, many=100_000, reads=200)
QUICK = Amount(bursts=256, shorts=640, singles=40, rounds=1, many=10_000, reads=50)


class Place(Struct, frozen=True):
    """Where a server keeps its turns. `kind` None: nowhere, they pass. `name`: also that of its folder."""

    name: str
    kind: Kind | None = None
    durability: Durability = "grouped"


LIVE = Place("live")


class Disturbance(Struct, frozen=True):
    """What somebody else did meanwhile: shares of the target's core that it did not have, and of the clients' core."""

    target_core_shared: float | None = None
    load_core_busy: float | None = None

    @property
    def calm(self) -> bool:
        return (self.target_core_shared or 0.0) <= SHARED and (self.load_core_busy or 0.0) <= BUSY


def disturbance(before: Gauge, after: Gauge, seconds: float) -> Disturbance:
    busy = busy_share(before.target_core, after.target_core)
    if busy is None or before.process is None or after.process is None:
        return Disturbance()
    own = (after.process - before.process) / seconds
    return Disturbance(max(0.0, busy - own), busy_share(before.load_core, after.load_core))


class Turns(Struct, frozen=True):
    """Of one round at one server: rates per second, microseconds of its CPU, and milliseconds to the first word."""

    events: float
    event_cpu: float | None
    shorts: float
    short_cpu: float | None
    first_p50: float
    disturbance: Disturbance = Disturbance()


class Reads(Struct, frozen=True):
    """Milliseconds, at a server that has just started: to read a chat, to the first bytes of a resumed turn, and until
    all who came back were told. `refused`: how often one of those had to ask again.
    """

    chat_p50: float
    resume_p99: float
    back: float
    refused: int = 0


class Growth(Struct, frozen=True):
    """A short turn in a full database, over the same in a nearly empty one: CPU, and turns per second."""

    cpu: float | None
    rate: float


class AtStart(Struct, frozen=True):
    """Seconds until a server was ready, and megabytes before its first request."""

    ready: float
    rest: float | None


class Findings(Struct, frozen=True):
    """By place, in the order of the table; by kind of database, what was found in a full one. `back`: milliseconds
    until all who came back were told, by the server that had told them the beginning.
    """

    turns: Mapping[Place, Sequence[Turns]]
    started: Mapping[Place, AtStart]
    full: dict[Kind, AtStart]
    reads: dict[Kind, Reads]
    back: dict[Kind, float]
    growth: dict[Kind, Sequence[Growth]]
