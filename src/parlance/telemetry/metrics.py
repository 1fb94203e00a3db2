"""All figures of this process in a registry of their own, and their text for those who scrape it."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from msgspec import Struct
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from parlance.core.journal import Readership
from parlance.telemetry import figures
from parlance.telemetry.attempt_metrics import AttemptMetrics
from parlance.telemetry.bounded_names import BoundedNames
from parlance.telemetry.figures import Figure
from parlance.telemetry.ledger import Backlog
from parlance.telemetry.loop_lag import LoopLag
from parlance.telemetry.series import histogram
from parlance.telemetry.turn_metrics import TurnMetrics

MOST_MODELS = 50
"""Of those that the operator does not name."""


class Watched(Struct, frozen=True):
    """What is asked, at each scrape, for what goes on. `connections` are counted by kind, `held` by limit, `refused` by
    reason since the start; `ledger` is the log of model calls.
    """

    readership: Callable[[], Readership]
    connections: Callable[[], Mapping[str, int]]
    held: Callable[[], Mapping[str, int]]
    refused: Callable[[], Mapping[str, int]]
    ledger: Callable[[], Backlog] = Backlog


class Metrics:
    """`turns` and `attempts` are the observers that count them. `begin` and `end`: while this process serves, on its
    loop.
    """

    def __init__(self, models: Collection[str] = ()) -> None:
        """`models` are the operator's names for models, each as `provider/name`."""
        self._registry = CollectorRegistry()
        names = BoundedNames(models, most=MOST_MODELS)
        self.turns = TurnMetrics(self._registry, names)
        self.attempts = AttemptMetrics(self._registry, names)
        self._lag = LoopLag(histogram(figures.LAG, self._registry).observe)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def watch(self, watched: Watched) -> None:
        """Once."""
        self._registry.register(_Levels(self.turns, watched))

    def begin(self) -> None:
        self._lag.begin()

    def end(self) -> None:
        self._lag.end()

    async def expose(self) -> tuple[str, bytes]:
        """Content type and text, in the format that every scraper takes."""
        parts = []
        for metric in self._registry.collect():
            parts.append(generate_latest(_Plain(metric)))
            # With many models there are thousands of lines: others' tokens must not wait for all of them.
            await asyncio.sleep(0)
        return CONTENT_TYPE_PLAIN_0_0_4, b"".join(parts)


class _Levels(Collector):
    """What is not counted as it happens, but looked at when somebody asks."""

    def __init__(self, turns: TurnMetrics, watched: Watched) -> None:
        self._turns = turns
        self._watched = watched

    def collect(self) -> Iterator[Metric]:
        turns = _gauge(figures.OPEN_TURNS)
        for labels, number in self._turns.open_turns().items():
            turns.add_metric(labels, number)
        yield turns
        yield _filled(_gauge(figures.CONNECTIONS), self._watched.connections())
        yield _filled(_gauge(figures.HELD), self._watched.held())
        refused = CounterMetricFamily(figures.REFUSED.name, figures.REFUSED.meaning, labels=figures.REFUSED.labels)
        yield _filled(refused, self._watched.refused())
        backlog = self._watched.ledger()
        yield _gauge(figures.WAITING_CALLS, backlog.waiting)
        yield CounterMetricFamily(figures.DROPPED_CALLS.name, figures.DROPPED_CALLS.meaning, value=backlog.dropped)
        readers = self._watched.readership()
        yield _gauge(figures.FOLLOWERS, readers.followers)
        yield _gauge(figures.BEHIND, readers.behind)
        yield _gauge(figures.MOST_BEHIND, readers.most_behind)
        yield CounterMetricFamily(figures.CUT.name, figures.CUT.meaning, value=readers.cut)


class _Plain(Collector):
    """One figure without the times at which its series were created: in this format they would be as many gauges."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterable[Metric]:
        self._metric.samples = [sample for sample in self._metric.samples if not sample.name.endswith("_created")]
        return (self._metric,)


Family = TypeVar("Family", GaugeMetricFamily, CounterMetricFamily)


def _filled(family: Family, numbers: Mapping[str, int]) -> Family:
    for label, number in numbers.items():
        family.add_metric((label,), number)
    return family


def _gauge(figure: Figure, value: float | None = None) -> GaugeMetricFamily:
    if value is None:
        return GaugeMetricFamily(figure.name, figure.meaning, labels=figure.labels)
    return GaugeMetricFamily(figure.name, figure.meaning, value=value)
