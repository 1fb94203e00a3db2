"""The benchmark runs: every mode on every target, with figures that are whole. No speed is asserted."""

import asyncio
import math

import pytest

from bench import page, stages
from bench.jobs import Job, Mode, Reading, percentile
from bench.load import Client, PacedClient, Tally
from bench.processes import Cores
from bench.report import encode_report, lines_of, ratios
from bench.rounds import TARGETS, Findings, Plan, Round, failures_of, run
from bench.wires import wire_of
from parlance.providers.languages import LANGUAGES

TINY = Plan(
    rounds=1,
    rest=0.0,
    modes=(
        Mode("paced", "4 paced streams", "paced", 4, 0.1, 0.3),
        Mode("alone", "Short turns, one at a time", "short", 1, 0.0, 0.2),
        Mode("burst", "Bursts, 4 connections", "burst", 4, 0.0, 0.2),
    ),
)
SYSTEMS_OWN = ("memory", "CPU", "At rest")
"""Figures that not every system tells, and that may be too small to see in so short a time."""


async def test_every_mode_on_every_target_gives_whole_figures() -> None:
    told: list[str] = []
    findings = await run(TINY, Cores(), told.append)
    assert told == ["round 1 of 1"]
    assert not failures_of(findings)
    for line in lines_of(TINY):
        for target in TARGETS:
            (found,) = findings[target.name]
            value = line.pick(found)
            if not any(word in line.label for word in SYSTEMS_OWN):
                assert value is not None, f"{target.name}: {line.label}"
                assert math.isfinite(value)
                assert value > 0
    report = encode_report(TINY, findings)
    assert all(line.label in report for line in lines_of(TINY))


def test_every_stage_has_its_cost() -> None:
    measured = stages.measure(answers=1)
    assert all(0 < cost < math.inf for stage in measured for cost in (stage.alone, stage.together))
    assert all(stage.name in stages.encode_stages(measured) for stage in measured)


def test_hosts_of_every_language_have_their_costs() -> None:
    measured = stages.measure_languages(answers=1)
    assert [cost.family for cost in measured] == list(LANGUAGES)
    assert all(0 < cost < math.inf for each in measured for cost in (each.read, each.speak, each.assemble, each.tell))
    table = stages.encode_languages(measured)
    row = next(row for row in table.splitlines() if stages.YARDSTICK in row.split("|")[1])
    assert row.rstrip("| ").endswith("1.00")


def reading(events: float, *, failures: int = 0, busy: float = 0.0) -> Reading:
    return Reading(1.0, events, failures, "why" * bool(failures), load_core_busy=busy)


def found(*events: float, busy: float = 0.0) -> list[Round]:
    return [Round(1.0, None, {"burst": reading(each, busy=busy)}) for each in events]


BURSTS = Plan(rounds=3, modes=(Mode("burst", "Bursts", "burst", 1, 0.0, 1.0),))


def test_a_ratio_is_that_of_the_same_round() -> None:
    findings: Findings = {
        "baseline": found(10, 20, 40),
        "lines": found(5, 10, 10),
        "socket": found(1, 2, 4),
        "rpc": found(20, 40, 80),
    }
    line = next(line for line in lines_of(BURSTS) if line.label == "Bursts: events/s")
    assert ratios(line, "lines", findings) == [0.5, 0.5, 0.25]
    row = next(row for row in encode_report(BURSTS, findings).splitlines() if line.label in row)
    assert [cell.strip() for cell in row.strip("|").split("|")[1:]] == ["20", "10", "0.50", "2", "0.10", "40", "2.00"]


def test_what_the_system_does_not_tell_is_left_open() -> None:
    findings: Findings = {target.name: found(1) for target in TARGETS}
    row = next(row for row in encode_report(BURSTS, findings).splitlines() if "At rest" in row)
    assert row.count("–") == 1 + 2 * (len(TARGETS) - 1)


def test_a_busy_load_generator_is_said() -> None:
    findings: Findings = {target.name: found(1, 1, busy=0.95 * (target.name == "baseline")) for target in TARGETS}
    assert "own core was busy > 90%" in encode_report(BURSTS, findings)
    assert "Bursts (rounds: Baseline 2)" in encode_report(BURSTS, findings)
    assert not Reading(1, 1, 0, load_core_busy=0.95).calm
    assert Reading(1, 1, 0, load_core_busy=0.85, target_core_shared=0.05).calm


def test_failures_are_named() -> None:
    findings: Findings = {"lines": [Round(1.0, None, {"burst": reading(1, failures=2)})]}
    assert failures_of(findings) == ["lines, burst: 2 failed; the first: why"]


def test_a_table_of_the_page_is_renewed_and_only_that() -> None:
    other = "<!-- measured: other -->\nkept\n<!-- end -->\n"
    text = f"before\n<!-- measured: stages -->\n\nold\n\n<!-- end -->\nbehind\n{other}"
    renewed = page.renew(text, "stages", "| new |\n")
    assert renewed == text.replace("old", "| new |")
    with pytest.raises(ValueError, match="0 places for the table 'none'"):
        page.renew(text, "none", "")


def test_the_page_has_a_place_for_each_table() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert all(page.renew(text, name, "new") != text for name in ("targets", "stages", "languages", "stored"))


def test_percentiles_are_values_that_came() -> None:
    assert percentile([], 0.5) is None
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert percentile([1.0, 2.0], 0.99) == 2.0


def test_a_socket_numbers_its_requests() -> None:
    question = wire_of("socket", "@burst").question(7)
    assert question.endswith(b'"request_id":"00000007"}')
    assert question[1] & 0x7F == len(question) - 6
    assert Job(BURSTS.modes[0], "socket", 1, 1).target_core is None


class Wired(asyncio.Transport):
    """The client's side of a connection: what it has written, and whether it left."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


STAMPS = [b"%019d" % number for number in (1, 22, 333)]
TOLD = b"".join(b'\x81\x7e\0\x80{"method":"text_chunk","params":{"chunk":"~%b","cursor":"e-1"}}' % at for at in STAMPS)
ENDED = (
    b'\x81\x7e\0\xf0{"method":"end","params":{"status_message":"completed","final_text":"~'
    + b"~".join(STAMPS)
    + b'","usage":{"input":1,"output":2},"cursor":"e-9"}}'
)


@pytest.mark.parametrize("kind", [Client, PacedClient])
@pytest.mark.parametrize("size", [1, 2, 7, 29, 64])
async def test_an_answer_at_door_d_is_whole_however_it_is_cut(kind: type[Client], size: int) -> None:
    tally, wire, connection = Tally(expected=len(STAMPS)), wire_of("rpc", "@paced:3", "5e55"), Wired()
    tally.open = True
    client = kind(wire, tally, once=True)
    client.connection_made(connection)
    assert connection.written[0].startswith(b"GET /ws/5e55 HTTP/1.1\r\n")
    client.data_received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    assert b'"message":"@paced:3"},"id":"00000001"}' in connection.written[1]
    answer = TOLD + ENDED
    for at in range(0, len(answer), size):
        assert not connection.closed
        client.data_received(answer[at : at + size])
    assert connection.closed
    assert not tally.failures, tally.failure
    assert tally.events == len(STAMPS)
    assert len(tally.delays) == (len(STAMPS) if kind is PacedClient else 0)


async def test_a_lost_chunk_and_a_refusal_at_door_d_are_failures() -> None:
    for answer in (TOLD[: len(TOLD) // 3] + ENDED, b'\x81\x40{"id":"00000001","error":{"code":-32001}}'):
        tally = Tally(expected=len(STAMPS))
        client = Client(wire_of("rpc", "@short", "5e55"), tally, once=True)
        client.connection_made(Wired())
        client.data_received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        client.data_received(answer)
        assert tally.failures == 1
