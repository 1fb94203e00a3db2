"""What each turn leaves in the figures, and that nothing a caller wrote becomes a label."""

from collections import Counter
from itertools import count

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from parlance.core.events import (
    GROWTH,
    Event,
    PartOpened,
    Runner,
    StepDropped,
    StepEnded,
    StepStarted,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    TurnStarted,
)
from parlance.core.ids import CallId, MessageId, TurnId
from parlance.core.observers import TurnFacts
from parlance.core.parts import Text, ToolCall, ToolResult
from parlance.core.usage import Usage
from parlance.telemetry.bounded_names import BoundedNames
from parlance.telemetry.metrics import MOST_MODELS
from parlance.telemetry.turn_metrics import MOST_TOOLS, TurnMetrics
from tests.turns.scripts import TURNS, ScriptedTurn, play
from tests.turns.stage import of
from tests.unit.telemetry.turns import CALL, FACTS, FAILED, ORIGIN, events

STARTED = TurnStarted(FACTS.turn, FACTS.model)
STEP = StepStarted(1, ORIGIN)
ENDED = TurnEnded("completed", "stop")
MODEL = {"provider": "lab", "model": "fast"}


class Watched:
    """Turns told to `TurnMetrics`, whose clock says 101, 102, 103 …; they began at 100."""

    def __init__(self, *models: str) -> None:
        ticks = count(101)
        self.registry = CollectorRegistry()
        self.metrics = TurnMetrics(
            self.registry, BoundedNames(models, most=MOST_MODELS), clock=lambda: float(next(ticks))
        )

    def tell(self, *told: Event, facts: TurnFacts = FACTS) -> None:
        for event in told:
            if not isinstance(event, GROWTH):
                self.metrics.observe(facts, event)

    def turn_of(self, model: str, *, answers: bool = True) -> None:
        step = (STEP,) if answers else ()
        self.tell(STARTED, *step, ENDED, facts=msgspec.structs.replace(FACTS, model=model))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def sums(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """A figure's samples of that name, summed over all labels but these."""
        sums: Counter[tuple[str, ...]] = Counter()
        for metric in self.registry.collect():
            for sample in metric.samples:
                if sample.name == name:
                    sums[tuple(sample.labels[label] for label in labels)] += int(sample.value)
        return dict(sums)


@pytest.fixture
def watched() -> Watched:
    return Watched("lab/fast")


def called(runner: Runner, name: str = CALL.name, call_id: str = "call-1") -> ToolCalled:
    return ToolCalled(ToolCall(CallId(call_id), name, "{}"), runner)


def returned(name: str = CALL.name, call_id: str = "call-1", *, is_error: bool = False) -> ToolReturned:
    return ToolReturned(ToolResult(CallId(call_id), name, "", is_error=is_error))


@pytest.mark.parametrize("script", TURNS, ids=lambda script: script.name)
async def test_every_turn_is_counted_once_with_all_that_it_did(script: ScriptedTurn) -> None:
    told, _ = await play(script)
    watched = Watched("lab/fast")
    watched.tell(*told)
    assert watched.sums("parlance_turns_total", "status") == {(script.status,): 1}
    assert watched.sums("parlance_turn_faults_total", "code") == ({(script.code,): 1} if script.code else {})
    assert watched.sums("parlance_turn_seconds_count", *MODEL) == {("lab", "fast"): 1}
    shown = {("lab", "fast"): 1} if of(told, PartOpened) else {}
    assert watched.sums("parlance_first_token_seconds_count", *MODEL) == shown
    finishes = [event.finish or "cut" for event in of(told, StepEnded)] + ["dropped"] * len(of(told, StepDropped))
    assert watched.sums("parlance_steps_total", "finish") == {(name,): finishes.count(name) for name in finishes}
    tokens = sum(watched.sums("parlance_tokens_total", "kind").get((kind,), 0) for kind in ("input", "output"))
    assert tokens == sum((event.usage.total or 0) if event.usage else 0 for event in of(told, StepEnded))
    assert sum(watched.sums("parlance_tool_calls_total").values()) == len(of(told, ToolReturned))
    assert set(watched.metrics.open_turns().values()) == {0}


def test_the_first_token_is_the_first_part_and_the_end_is_the_end(watched: Watched) -> None:
    watched.tell(STARTED, STEP, PartOpened(1, Text("")), PartOpened(2, Text("")), ENDED)
    assert watched.value("parlance_first_token_seconds_sum", **MODEL) == 1
    assert watched.value("parlance_first_token_seconds_count", **MODEL) == 1
    assert watched.value("parlance_turn_seconds_sum", **MODEL) == 2


def test_the_first_token_of_a_turn_that_was_taken_over_was_told_elsewhere(watched: Watched) -> None:
    watched.tell(STARTED, called("client"))
    assert watched.metrics.open_turns()[FACTS.door, "waiting"] == 1
    watched.tell(returned(), StepStarted(2, ORIGIN), PartOpened(3, Text("")), ENDED)
    assert not watched.value("parlance_first_token_seconds_count", **MODEL)
    assert watched.sums("parlance_tool_calls_total") == {(): 1}


def test_tokens_that_were_reported_are_told_from_those_that_are_guessed(watched: Watched) -> None:
    reported = Usage(input=12, output=34, cached=5, cache_written=6, reasoning=7)
    for usage in (reported, Usage(input=3, estimated=True), Usage(), None):
        watched.tell(STARTED, STEP, StepEnded(1, "stop", MessageId("m"), usage=usage), ENDED)
    assert watched.sums("parlance_tokens_total", "kind", "source") == {
        ("input", "reported"): 12,
        ("output", "reported"): 34,
        ("cached", "reported"): 5,
        ("cache_written", "reported"): 6,
        ("reasoning", "reported"): 7,
        ("input", "estimated"): 3,
    }
    assert watched.value("parlance_steps_without_usage_total", **MODEL) == 2


def test_a_fault_is_counted_by_its_code(watched: Watched) -> None:
    watched.tell(*events(FAILED))
    assert watched.value("parlance_turn_faults_total", door="ws_chat", provider="lab", code="upstream_failed") == 1
    assert watched.value("parlance_turns_total", door="ws_chat", **MODEL, status="failed") == 1


def test_tool_calls_are_counted_by_what_became_of_them(watched: Watched) -> None:
    watched.tell(
        *(STARTED, STEP, called("server"), returned(), called("server"), returned(is_error=True)),
        *(
            called("client"),
            returned(),
            returned("made up"),
            returned(),
            called("server"),
            called("client", call_id="2"),
        ),
        ENDED,
    )
    assert watched.sums("parlance_tool_calls_total", "tool", "runner", "outcome") == {
        ("get_weather", "server", "ok"): 1,
        ("get_weather", "server", "error"): 1,
        ("other", "client", "ok"): 1,
        ("other", "none", "refused"): 1,
        ("get_weather", "none", "refused"): 1,
        ("get_weather", "server", "no_result"): 1,
        ("other", "client", "no_result"): 1,
    }
    assert watched.value("parlance_tool_seconds_sum", tool="get_weather", runner="server") == 2


def test_open_turns_are_counted_by_what_they_wait_for(watched: Watched) -> None:
    states = []
    for event in (STARTED, STEP, called("server"), called("client", call_id="2"), returned(call_id="2"), ENDED):
        watched.tell(event)
        states.append(dict(+watched.metrics.open_turns()))
    running = {("ws_chat", "running"): 1}
    assert states == [{("ws_chat", "starting"): 1}, running, running, {("ws_chat", "waiting"): 1}, running, {}]


def test_turns_side_by_side_are_told_apart(watched: Watched) -> None:
    other = msgspec.structs.replace(FACTS, turn=TurnId("turn-2"), door="ndjson_chat")
    watched.tell(STARTED, STEP)
    watched.tell(STARTED, facts=other)
    assert dict(+watched.metrics.open_turns()) == {("ws_chat", "running"): 1, ("ndjson_chat", "starting"): 1}


def test_a_model_that_never_answered_is_other(watched: Watched) -> None:
    watched.turn_of("what somebody wrote", answers=False)
    watched.turn_of("made-up", answers=False)
    assert watched.sums("parlance_turns_total", "model") == {("other",): 2}


def test_a_model_of_the_operators_is_named_though_it_never_answered(watched: Watched) -> None:
    watched.turn_of("fast", answers=False)
    watched.turn_of("lab/fast", answers=False)
    assert watched.sums("parlance_turns_total", "model") == {("fast",): 2}


def test_models_that_answer_are_named_up_to_a_bound(watched: Watched) -> None:
    for number in range(MOST_MODELS + 20):
        watched.turn_of(f"model-{number}")
    watched.turn_of("fast")
    watched.turn_of("model-0", answers=False)
    models = watched.sums("parlance_turns_total", "model")
    assert len(models) == MOST_MODELS + 2
    assert (models["model-0",], models["fast",], models["other",]) == (2, 1, 20)


def test_what_can_be_no_name_is_none_even_where_a_host_answers_to_it(watched: Watched) -> None:
    for text in ("what somebody wrote", 'quoted"name', "x" * 200, "line\nline"):
        watched.turn_of(text)
    assert watched.sums("parlance_turns_total", "model") == {("other",): 4}


def test_tools_of_this_server_are_named_up_to_a_bound_and_those_of_callers_never(watched: Watched) -> None:
    for number in range(MOST_TOOLS + 20):
        name, call_id = f"tool_{number}", str(number)
        watched.tell(STARTED, called("client", f"own_{name}", call_id), returned(name, call_id), ENDED)
        watched.tell(STARTED, called("server", name, call_id), returned(name, call_id), ENDED)
    tools = watched.sums("parlance_tool_calls_total", "tool", "runner")
    assert len(tools) == MOST_TOOLS + 2
    assert tools["other", "client"] == MOST_TOOLS + 20
    assert tools["other", "server"] == 20
