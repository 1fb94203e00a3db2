"""Counts attempts: which host answered how often, and what it cost. Dollars that are not known are counted as such."""

from prometheus_client import CollectorRegistry

from parlance.core.attempts import Attempt
from parlance.telemetry import figures
from parlance.telemetry.bounded_names import OTHER, BoundedNames
from parlance.telemetry.series import counters


class AttemptMetrics:
    """An `AttemptObserver`. `models` are the operator's names for models, each as `provider/name`."""

    def __init__(self, registry: CollectorRegistry, models: BoundedNames) -> None:
        self._models = models
        self._attempts = counters(figures.ATTEMPTS, registry)
        self._cost = counters(figures.COST, registry)
        self._unpriced = counters(figures.UNPRICED, registry)

    def observe_attempt(self, attempt: Attempt) -> None:
        name = f"{attempt.provider}/{attempt.model}"
        if attempt.outcome == "answered":
            # A model that answers is one: its name is no text that a caller made up.
            self._models.learn(name)
        labels = attempt.provider, attempt.model if name in self._models else OTHER
        self._attempts.of(*labels, attempt.fault or attempt.outcome).inc()
        if attempt.cost is not None:
            estimated = attempt.usage is not None and attempt.usage.estimated
            self._cost.of(*labels, "estimated" if estimated else "reported").inc(attempt.cost)
        elif attempt.usage is not None or attempt.outcome != "failed":
            self._unpriced.of(*labels).inc()
