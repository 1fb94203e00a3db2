"""All figures of this process in a registry of their own, and their text for those who scrape it."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

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
from parlance.telemetry.figures import Figure
from parlance.telemetry.loop_lag import LoopLag
from parlance.telemetry.series import histogram
from parlance.telemetry.turn_metrics import TurnMetrics


class Metrics:
    """`turns` is the observer that counts them. `begin` and `end`: while this process serves, on its loop."""

    def __init__(self, models: Collection[str] = ()) -> None:
        """`models` are the operator's names for models, each as `provider/name`."""
        self._registry = CollectorRegistry()
        self.turns = TurnMetrics(self._registry, models)
        self._lag = LoopLag(histogram(figures.LAG, self._registry).observe)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def watch(self, readership: Callable[[], Readership], connections: Callable[[], Mapping[str, int]]) -> None:
        """Ask these, at each scrape, for what goes on. `connections` are counted by kind. Once."""
        self._registry.register(_Levels(self.turns, readership, connections))

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

    def __init__(
        self,
        turns: TurnMetrics,
        readership: Callable[[], Readership],
        connections: Callable[[], Mapping[str, int]],
    ) -> None:
        self._turns = turns
        self._readership = readership
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        turns = _gauge(figures.OPEN_TURNS)
        for labels, number in self._turns.open_turns().items():
            turns.add_metric(labels, number)
        yield turns
        connections = _gauge(figures.CONNECTIONS)
        for kind, number in self._connections().items():
            connections.add_metric((kind,), number)
        yield connections
        readers = self._readership()
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


def _gauge(figure: Figure, value: float | None = None) -> GaugeMetricFamily:
    if value is None:
        return GaugeMetricFamily(figure.name, figure.meaning, labels=figure.labels)
    return GaugeMetricFamily(figure.name, figure.meaning, value=value)
