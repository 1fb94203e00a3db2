"""The lines of a turn, and observers that are kept from hurting each other."""

import json
from itertools import count

from parlance.core.events import Event, ToolReturned, TurnEnded, TurnStarted
from parlance.core.ids import CallId
from parlance.core.observers import TurnFacts, TurnObserver
from parlance.core.parts import ToolResult
from parlance.telemetry.logs import LogOptions
from parlance.telemetry.observers import ObserverList
from parlance.telemetry.turn_log import TurnLog
from tests.unit.telemetry.conftest import Record, Written
from tests.unit.telemetry.turns import FACTS, FAILED, events


def watch(observer: TurnObserver, turn: list[Event]) -> None:
    for event in turn:
        observer.observe(FACTS, event)


def lines(written: Written) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.lines]


def ticking() -> TurnLog:
    """Its clock says 101, 102, 103 …; the turn began at 100."""
    ticks = count(101)
    return TurnLog(clock=lambda: float(next(ticks)))


def test_a_turn_has_a_line_at_its_start_one_for_each_tool_call_and_one_at_its_end(record: Record) -> None:
    written = record(LogOptions(format="json", level="DEBUG"))
    watch(ticking(), events())
    started, tool, ended = lines(written)
    assert [line["event"] for line in (started, tool, ended)] == ["turn started", "tool returned", "turn ended"]
    for line in (started, tool, ended):
        assert (line["turn_id"], line["request_id"]) == ("turn-1", "request-1")
    for line in (started, ended):
        assert (line["door"], line["model"], line["provider"]) == ("ws_chat", "fast", "lab")
        assert (line["key"], line["subtenant"]) == ("web", "acme")
    assert (tool["tool"], tool["duration"], tool["error"]) == ("get_weather", 1.0, False)
    assert (ended["status"], ended["finish"], ended["fault"], ended["steps"]) == ("completed", "stop", None, 2)
    assert (ended["input_tokens"], ended["output_tokens"], ended["tokens_estimated"]) == (12, 34, False)
    assert (ended["first_step"], ended["duration"]) == (1.0, 4.0)


def test_a_failed_turn_is_a_warning_with_the_faults_code(record: Record) -> None:
    written = record(LogOptions(format="json"))
    watch(ticking(), events(FAILED, is_error=True))
    tool, ended = lines(written)
    assert tool["error"] is True
    assert (ended["level"], ended["status"], ended["fault"], ended["host"]) == (
        "warning",
        "failed",
        "upstream_failed",
        "lab",
    )


def test_nothing_that_anybody_wrote_is_in_the_lines(record: Record) -> None:
    written = record(LogOptions(level="DEBUG", format="json"))
    watch(TurnLog(), events())
    watch(TurnLog(), events(FAILED))
    assert "WORDS" not in written.text


def test_a_tools_name_is_shown_only_if_it_is_one(record: Record) -> None:
    written = record(LogOptions(format="json"))
    watch(TurnLog(), [ToolReturned(ToolResult(CallId("c"), "what somebody wrote", ""))])
    assert "somebody" not in written.text
    assert "(not a name)" in written.text


def test_an_ended_turn_leaves_nothing_behind() -> None:
    observer = ticking()
    watch(observer, events())
    assert observer._running == {}


class Broken:
    """Raises at every event."""

    def observe(self, facts: TurnFacts, event: Event) -> None:
        raise ValueError("WORDS")


class Counting:
    """Keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, facts: TurnFacts, event: Event) -> None:
        self.seen.append(event)


def test_a_broken_observer_is_logged_once_and_hurts_nobody(record: Record) -> None:
    written = record(LogOptions(format="json"))
    first, last = Counting(), Counting()
    watch(ObserverList([first, Broken(), Broken(), last]), events())
    assert first.seen == last.seen
    assert (len(last.seen), type(last.seen[0]), type(last.seen[-1])) == (12, TurnStarted, TurnEnded)
    (line,) = lines(written)
    assert (line["observer"], line["error"]) == ("Broken", "ValueError")
    assert "test_turn_log.py" in str(line["place"])
