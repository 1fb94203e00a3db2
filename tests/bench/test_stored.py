"""The benchmark of what is kept runs, and says what it has found. No speed is asserted."""

import asyncio
import re
from pathlib import Path

import pytest

from bench.processes import BenchFailed, Cores
from bench.stored.clients import check, side_by_side, turn_of
from bench.stored.databases import Databases
from bench.stored.findings import LIVE, Amount, AtStart, Disturbance, Findings, Growth, Place, Reads, Turns
from bench.stored.run import run
from bench.stored.table import encode_findings
from tests.probes.postgres import PostgresServer

TINY = Amount(bursts=2, shorts=4, singles=2, rounds=1, many=20, reads=3, messages=10, events=200, comers=5)


ENDS = ("", ", strict")
NOTHING = "–"


@pytest.fixture
def server(long_run: bool, request: pytest.FixtureRequest) -> PostgresServer | None:
    """In the long form PostgreSQL is measured as well."""
    found: PostgresServer | None = request.getfixturevalue("postgres") if long_run else None
    return found


async def test_every_database_gives_a_whole_table(server: PostgresServer | None) -> None:
    told: list[str] = []
    found = await run(TINY, Cores(), server.address() if server else None, told.append)
    kinds = ["SQLite", "PostgreSQL"] if server else ["SQLite"]
    assert told[0] == "turns, round 1 of 1"
    assert [place.name for place in found.turns] == ["live", *(f"{kind}{end}" for kind in kinds for end in ENDS)]
    assert list(found.reads) == list(found.growth) == list(found.full) == list(found.back) == kinds
    assert all(rounds[0].events > 0 and rounds[0].first_p50 > 0 for rounds in found.turns.values())
    table = rows(encode_findings(found, TINY))
    assert NOTHING not in {cell for label, cells in table if "CPU" not in label for cell in cells[1:2]}
    if server:
        databases = await asyncio.to_thread(server.sql, "SELECT datname FROM pg_database")
        assert "parlance_bench" not in databases


def rows(table: str) -> list[tuple[str, list[str]]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    return [(label, values) for label, *values in cells[2:]]


def turns(events: float, first: float, *, shared: float = 0.0) -> Turns:
    return Turns(events, None, events, 1_000.0, first, Disturbance(shared, 0.0))


KEPT = Place("SQLite", "SQLite")
STRICT = Place("SQLite, strict", "SQLite", "strict")
FOUND = Findings(
    turns={
        LIVE: [turns(100, 1.0), turns(200, 2.0), turns(400, 4.0)],
        KEPT: [turns(50, 3.0), turns(120, 4.5), turns(200, 8.0, shared=0.5)],
        STRICT: [turns(10, 11.0), turns(20, 12.0), turns(40, 14.0)],
    },
    started={place: AtStart(1.5, 90.0) for place in (LIVE, KEPT, STRICT)},
    full={"SQLite": AtStart(2.0, None)},
    reads={"SQLite": Reads(20.0, 30.0, 4_000.0, refused=7)},
    back={"SQLite": 1_100.0},
    growth={"SQLite": [Growth(1.1, 0.9), Growth(None, 0.8), Growth(1.3, 0.7)]},
)


def test_shares_are_of_live_in_the_same_round() -> None:
    table = rows(encode_findings(FOUND, TINY))
    assert [cells for label, cells in table if label == "… of live, %"] == [[NOTHING, "50", "10"]] * 2
    assert dict(table)["… added to live, ms"] == [NOTHING, "2.50", "10.00"]


def test_what_is_of_a_database_stands_once_and_what_nobody_tells_is_left_open() -> None:
    table = dict(rows(encode_findings(FOUND, TINY)))
    assert table["Ready with 20 chats, s"] == [NOTHING, "2.00", NOTHING]
    assert table["At rest with 20 chats, MB"] == [NOTHING] * 3
    assert table["Short turns with 20 chats, of those with 10: CPU, ratio"] == [NOTHING, "1.20", NOTHING]
    assert table["… to a server that was restarted since, ms"] == [NOTHING, "4,000", NOTHING]


def test_what_hindered_the_run_is_said() -> None:
    told = encode_findings(FOUND, TINY)
    assert "(rounds: SQLite 1)" in told
    assert "sent away for a moment (7 times)" in told


def test_an_answer_that_is_not_whole_ends_the_run() -> None:
    whole = b'{"meta":{"turn_id":"t"}}\n{"delta":"~a"}\n{"delta":"~b"}\n{"done":true}\n'
    check(whole, 2)
    assert turn_of(whole) == "t"
    for broken in (whole.replace(b"~b", b"b"), whole.replace(b"true", b"false")):
        with pytest.raises(BenchFailed, match=r"of 2 chunks, and ended with"):
            check(broken, 2)
    with pytest.raises(BenchFailed, match="an answer began with"):
        turn_of(b'{"error":{}}')


async def test_the_first_failure_of_many_is_the_one_that_is_told() -> None:
    async def fail() -> None:
        raise BenchFailed("why")

    with pytest.raises(BenchFailed, match=re.escape("why")):
        await side_by_side(3, 2, fail)


async def test_an_address_that_is_no_postgresql_is_refused(tmp_path: Path) -> None:
    for address in ("sqlite:///a.db", "elsewhere"):
        with pytest.raises(BenchFailed, match="--postgres"):
            await Databases(tmp_path, address).address_of(Place("p", "PostgreSQL"))
