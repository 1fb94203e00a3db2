"""Figures as the library's counters and histograms, their series found quickly."""

from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram

from parlance.telemetry.figures import Figure

Kind = TypeVar("Kind", Counter, Histogram)


class Series(Generic[Kind]):
    """The series of one figure by the values of its labels. The library finds them too, at several times the cost."""

    def __init__(self, figure: Kind) -> None:
        self._figure: Kind = figure
        self._known: dict[tuple[str, ...], Kind] = {}

    def of(self, *values: str) -> Kind:
        known = self._known.get(values)
        if known is None:
            known = self._known[values] = self._figure.labels(*values)
        return known


def counters(figure: Figure, registry: CollectorRegistry) -> Series[Counter]:
    return Series(Counter(figure.name, figure.meaning, figure.labels, registry=registry))


def histogram(figure: Figure, registry: CollectorRegistry) -> Histogram:
    return Histogram(figure.name, figure.meaning, figure.labels, registry=registry, buckets=figure.buckets)


def histograms(figure: Figure, registry: CollectorRegistry) -> Series[Histogram]:
    return Series(histogram(figure, registry))
