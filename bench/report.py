"""Findings as a table: medians over the rounds, and each door's ratio to the baseline of the same round."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from bench.jobs import BUSY, SHARED, Mode, Reading, median
from bench.rounds import TARGETS, Findings, Plan, Round

BASELINE = TARGETS[0]
Pick = Callable[[Round], float | None]


class Line(Struct, frozen=True):
    """One figure of the table. `digits` behind the point."""

    label: str
    pick: Pick
    digits: int = 0


def encode_report(plan: Plan, findings: Findings) -> str:
    """The table, with a remark below on what hindered the run."""
    doors = TARGETS[1:]
    head = ["", BASELINE.title, *(cell for door in doors for cell in (door.title, "ratio"))]
    rows = [head, [":--", *["--:"] * (len(head) - 1)], *(_row(line, findings) for line in lines_of(plan))]
    return _aligned(rows) + "".join(f"\n{remark}\n" for remark in remarks(plan, findings))


def lines_of(plan: Plan) -> Iterator[Line]:
    yield Line("Ready, s", lambda found: found.ready, 2)
    yield Line("At rest, MB", lambda found: found.rest, 1)
    for mode in plan.modes:
        yield from _lines_of_mode(mode)


def _lines_of_mode(mode: Mode) -> Iterator[Line]:
    def line(label: str, read: Callable[[Reading], float | None], digits: int = 0) -> Line:
        return Line(f"{mode.title}: {label}", lambda found: read(found.readings[mode.name]), digits)

    match mode.act:
        case "short":
            yield line("turns/s", lambda reading: reading.answers)
            yield line("p50, ms", lambda reading: reading.answer_p50, 2)
            yield line("p99, ms", lambda reading: reading.answer_p99, 2)
            yield line("CPU, µs/turn", lambda reading: reading.cpu_per_answer)
        case "burst":
            yield line("events/s", lambda reading: reading.events)
            yield line("CPU, µs/event", lambda reading: reading.cpu_per_event, 1)
        case "paced":
            yield line("delivered, %", lambda reading: _percent(reading.delivered), 1)
            yield line("CPU, % of a core", lambda reading: _percent(reading.cpu))
            yield line("CPU, µs/event", lambda reading: reading.cpu_per_event, 1)
            yield line("delay p50, ms", lambda reading: reading.delay_p50, 2)
            yield line("delay p99, ms", lambda reading: reading.delay_p99, 2)
            yield Line(f"{mode.title}: memory, KB/stream", lambda found: _per_stream(found, mode))


def ratios(line: Line, door: str, findings: Findings) -> list[float]:
    """A door's figure over the baseline's, round by round."""
    pairs = zip(findings[door], findings[BASELINE.name], strict=True)
    values = [(line.pick(found), line.pick(base)) for found, base in pairs]
    return [value / base for value, base in values if value is not None and base]


def remarks(plan: Plan, findings: Findings) -> Iterator[str]:
    """Where the load generator, or others on the machine, had a share in the figures."""
    if busy := _where(plan, findings, lambda reading: (reading.load_core_busy or 0) > BUSY):
        yield f"The load generator's own core was busy > {BUSY:.0%}, so that the target may be faster: {busy}."
    if shared := _where(plan, findings, lambda reading: (reading.target_core_shared or 0) > SHARED):
        yield f"Others had > {SHARED:.0%} of the target's core, so that it is faster than measured: {shared}."


def _where(plan: Plan, findings: Findings, holds: Callable[[Reading], bool]) -> str:
    """The modes in which it holds, and in how many rounds of each target."""
    modes = []
    for mode in plan.modes:
        counted = {
            target.title: sum(holds(found.readings[mode.name]) for found in findings[target.name]) for target in TARGETS
        }
        if any(counted.values()):
            rounds = ", ".join(f"{title} {count}" for title, count in counted.items() if count)
            modes.append(f"{mode.title} (rounds: {rounds})")
    return "; ".join(modes)


def _row(line: Line, findings: Findings) -> list[str]:
    cells = [line.label, _number(median([line.pick(found) for found in findings[BASELINE.name]]), line.digits)]
    for door in TARGETS[1:]:
        cells.append(_number(median([line.pick(found) for found in findings[door.name]]), line.digits))
        cells.append(_number(median(ratios(line, door.name, findings)), 2))
    return cells


def _per_stream(found: Round, mode: Mode) -> float | None:
    memory = found.readings[mode.name].memory
    return None if memory is None or found.rest is None else (memory - found.rest) * 1e3 / mode.connections


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _aligned(rows: list[list[str]]) -> str:
    """A table of Markdown that reads as well where it is not rendered."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "".join(f"| {' | '.join(map(_padded, row, widths, range(len(row))))} |\n" for row in rows)


def _padded(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)
