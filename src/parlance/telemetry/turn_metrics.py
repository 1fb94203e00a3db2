"""Counts turns: what ended how, how long it took, what it used. It sees no growth, so nothing is added to a token."""

import time
from collections import Counter as Tally
from collections.abc import Callable
from itertools import product
from typing import Literal, get_args

from msgspec import Struct
from prometheus_client import CollectorRegistry

from parlance.core.events import (
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
from parlance.core.ids import CallId, TurnId
from parlance.core.observers import TurnFacts
from parlance.core.parts import ToolResult
from parlance.core.usage import Usage
from parlance.telemetry import figures
from parlance.telemetry.bounded_names import OTHER, BoundedNames
from parlance.telemetry.series import counters, histograms

State = Literal["starting", "running", "waiting"]
STATES: tuple[State, ...] = get_args(State)

MOST_TOOLS = 100
TOKEN_KINDS = ("input", "output", "cached", "cache_written", "reasoning")


class _Call(Struct, frozen=True):
    """A call that was made and has not returned. `at` is in seconds of the monotonic clock."""

    tool: str
    runner: Runner
    at: float


class _Running(Struct):
    """A turn so far. `labels` are its provider and its model."""

    door: str
    labels: tuple[str, str]
    stepped: bool = False
    shown: bool = False
    calls: dict[CallId, _Call] = {}

    @property
    def state(self) -> State:
        if any(call.runner != "server" for call in self.calls.values()):
            return "waiting"
        return "running" if self.stepped else "starting"


class TurnMetrics:
    """A `TurnObserver`. `models` are the names that are told, each as `provider/name`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        models: BoundedNames,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._models = models
        self._tools = BoundedNames(most=MOST_TOOLS)
        self._doors: set[str] = set()
        self._running: dict[TurnId, _Running] = {}
        self._turns = counters(figures.TURNS, registry)
        self._faults = counters(figures.FAULTS, registry)
        self._turn_seconds = histograms(figures.TURN_SECONDS, registry)
        self._first_token_seconds = histograms(figures.FIRST_TOKEN_SECONDS, registry)
        self._steps = counters(figures.STEPS, registry)
        self._tokens = counters(figures.TOKENS, registry)
        self._uncounted = counters(figures.UNCOUNTED, registry)
        self._tool_calls = counters(figures.TOOL_CALLS, registry)
        self._tool_seconds = histograms(figures.TOOL_SECONDS, registry)

    def open_turns(self) -> Tally[tuple[str, str]]:
        """How many have not ended, by door and state; 0 where there were some once."""
        tally: Tally[tuple[str, str]] = Tally(dict.fromkeys(product(self._doors, STATES), 0))
        tally.update((running.door, running.state) for running in self._running.values())
        return tally

    def observe(self, facts: TurnFacts, event: Event) -> None:
        if isinstance(event, TurnStarted):
            self._doors.add(facts.door)
            self._running[facts.turn] = _Running(facts.door, self._labels(facts))
            return
        running = self._running[facts.turn]
        match event:
            case StepStarted(step=step):
                # A turn that was taken over from another process was shown something there.
                running.shown |= step > 1
                self._begin_step(facts, running)
            case PartOpened() if not running.shown:
                running.shown = True
                self._first_token_seconds.of(*running.labels).observe(self._clock() - facts.started)
            case StepEnded():
                self._end_step(running, event)
            case StepDropped():
                self._steps.of(*running.labels, "dropped").inc()
            case ToolCalled():
                self._call_tool(running, event)
            case ToolReturned(result=result):
                self._take_result(running, result)
            case TurnEnded():
                del self._running[facts.turn]
                self._end_turn(facts, running, event)
            case _:
                pass

    def _labels(self, facts: TurnFacts) -> tuple[str, str]:
        name = facts.model.removeprefix(f"{facts.provider}/")
        return facts.provider, name if f"{facts.provider}/{name}" in self._models else OTHER

    def _begin_step(self, facts: TurnFacts, running: _Running) -> None:
        """A model that answers is one: its name is no text that a caller made up."""
        running.stepped = True
        if running.labels[1] == OTHER:
            self._models.learn(f"{facts.provider}/{facts.model.removeprefix(f'{facts.provider}/')}")
            running.labels = self._labels(facts)

    def _end_step(self, running: _Running, ended: StepEnded) -> None:
        self._steps.of(*running.labels, ended.finish or "cut").inc()
        if ended.usage is None or ended.usage.total is None:
            self._uncounted.of(*running.labels).inc()
        else:
            self._count_tokens(running, ended.usage)

    def _count_tokens(self, running: _Running, usage: Usage) -> None:
        source = "estimated" if usage.estimated else "reported"
        tokens = (usage.input, usage.output, usage.cached, usage.cache_written, usage.reasoning)
        for kind, number in zip(TOKEN_KINDS, tokens, strict=True):
            if number:
                self._tokens.of(*running.labels, kind, source).inc(number)

    def _call_tool(self, running: _Running, called: ToolCalled) -> None:
        tool = OTHER
        if called.runner != "client":
            self._tools.learn(called.call.name)
            tool = self._tool(called.call.name)
        running.calls[called.call.id] = _Call(tool, called.runner, self._clock())

    def _take_result(self, running: _Running, result: ToolResult) -> None:
        call = running.calls.pop(result.call_id, None)
        if call is None:
            self._tool_calls.of(self._tool(result.name), "none", "refused").inc()
            return
        self._tool_calls.of(call.tool, call.runner, "error" if result.is_error else "ok").inc()
        self._tool_seconds.of(call.tool, call.runner).observe(self._clock() - call.at)

    def _tool(self, name: str) -> str:
        return name if name in self._tools else OTHER

    def _end_turn(self, facts: TurnFacts, running: _Running, ended: TurnEnded) -> None:
        self._turns.of(facts.door, *running.labels, ended.status).inc()
        self._turn_seconds.of(*running.labels).observe(self._clock() - facts.started)
        if ended.fault is not None:
            self._faults.of(facts.door, facts.provider, ended.fault.code).inc()
        for call in running.calls.values():
            self._tool_calls.of(call.tool, call.runner, "no_result").inc()
