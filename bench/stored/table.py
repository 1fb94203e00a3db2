"""What was found as a table: medians over the rounds; shares and ratios are those of one round."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from bench.jobs import BUSY, SHARED, median
from bench.stored.findings import FEW, LIVE, Amount, AtStart, Findings, Growth, Kind, Place, Reads, Turns

T = TypeVar("T")
Cell = Callable[[Place], str]
NOTHING = "–"


def encode_findings(findings: Findings, amount: Amount) -> str:
    places = list(findings.turns)
    rows = [["", *(place.name for place in places)], ["---", *("---:" for _ in places)]]
    rows += [[label, *map(cell, places)] for label, cell in _lines(findings, amount)]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return table + "".join(f"\n{remark}\n" for remark in remarks(findings))


def _lines(findings: Findings, amount: Amount) -> Iterator[tuple[str, Cell]]:
    yield "Ready with a new database, s", _started(findings, lambda start: start.ready, 2)
    yield "At rest, MB", _started(findings, lambda start: start.rest, 1)
    yield "Bursts, 64 at once; kept ones with two watchers each: events/s", _turns(findings, lambda one: one.events)
    yield "… of live, %", _of_live(findings, lambda one: one.events)
    yield "… CPU, µs/event", _turns(findings, lambda one: one.event_cpu, 1)
    yield "Short turns, 64 at once: turns/s", _turns(findings, lambda one: one.shorts)
    yield "… of live, %", _of_live(findings, lambda one: one.shorts)
    yield "… CPU, µs/turn", _turns(findings, lambda one: one.short_cpu)
    yield "First word, one at a time: p50, ms", _turns(findings, lambda one: one.first_p50, 2)
    yield "… added to live, ms", _added(findings)
    yield f"Ready with {amount.many:,} chats, s", _full(findings, lambda start: start.ready, 2)
    yield f"At rest with {amount.many:,} chats, MB", _full(findings, lambda start: start.rest, 1)
    beside = f"Short turns with {amount.many:,} chats, of those with {FEW}"
    yield f"{beside}: CPU, ratio", _growth(findings, lambda one: one.cpu)
    yield "… turns/s, ratio", _growth(findings, lambda one: one.rate)
    yield "A chat of 1,000 messages: p50, ms", _reads(findings, lambda reads: reads.chat_p50, 1)
    yield "Resume in a turn of 10,000 events: first bytes, p99, ms", _reads(findings, lambda reads: reads.resume_p99, 1)
    yield "1,000 clients come back to it at once: all caught up, ms", _back(findings)
    yield "… to a server that was restarted since, ms", _reads(findings, lambda reads: reads.back)


def remarks(findings: Findings) -> Iterator[str]:
    """Where others on the machine, or the clients, had a share in the figures."""
    hindered = {place.name: sum(not one.disturbance.calm for one in rounds) for place, rounds in findings.turns.items()}
    if any(hindered.values()):
        rounds = ", ".join(f"{name} {count}" for name, count in hindered.items() if count)
        yield (
            f"Others had > {SHARED:.0%} of the server's core, or the clients' own was busy > {BUSY:.0%}, "
            f"so that it is faster than measured (rounds: {rounds})."
        )

    for kind, reads in findings.reads.items():
        if reads.refused:
            yield (
                f"{kind}: of those who came back to the restarted server some were sent away for a moment "
                f"({reads.refused} times) and asked again."
            )


def _turns(findings: Findings, of: Callable[[Turns], float | None], digits: int = 0) -> Cell:
    return lambda place: _number(median([of(one) for one in findings.turns[place]]), digits)


def _of_live(findings: Findings, of: Callable[[Turns], float]) -> Cell:
    def cell(place: Place) -> str:
        pairs = zip(findings.turns[place], findings.turns[LIVE], strict=True)
        return NOTHING if place == LIVE else _number(median([of(one) / of(live) * 100 for one, live in pairs]), 0)

    return cell


def _added(findings: Findings) -> Cell:
    def cell(place: Place) -> str:
        pairs = zip(findings.turns[place], findings.turns[LIVE], strict=True)
        return NOTHING if place == LIVE else _number(median([one.first_p50 - live.first_p50 for one, live in pairs]), 2)

    return cell


def _started(findings: Findings, of: Callable[[AtStart], float | None], digits: int) -> Cell:
    return lambda place: _number(of(findings.started[place]), digits)


def _full(findings: Findings, of: Callable[[AtStart], float | None], digits: int) -> Cell:
    def cell(place: Place) -> str:
        start = _of_kind(findings.full, place)
        return NOTHING if start is None else _number(of(start), digits)

    return cell


def _growth(findings: Findings, of: Callable[[Growth], float | None]) -> Cell:
    return lambda place: _number(median([of(one) for one in _of_kind(findings.growth, place) or ()]), 2)


def _reads(findings: Findings, of: Callable[[Reads], float], digits: int = 0) -> Cell:
    def cell(place: Place) -> str:
        reads = _of_kind(findings.reads, place)
        return NOTHING if reads is None else _number(of(reads), digits)

    return cell


def _back(findings: Findings) -> Cell:
    return lambda place: _number(_of_kind(findings.back, place), 0)


def _of_kind(found: Mapping[Kind, T], place: Place) -> T | None:
    """What is true of a kind of database stands in one column, that of its usual durability."""
    return None if place.kind is None or place.durability != "grouped" else found[place.kind]


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"
