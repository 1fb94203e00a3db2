"""One observer made of several, so that whoever runs turns knows one, and no observer can hurt another or the turn."""

import traceback
from collections.abc import Sequence

import structlog

from parlance.core.attempts import Attempt, AttemptObserver
from parlance.core.events import Event
from parlance.core.observers import TurnFacts, TurnObserver

_log = structlog.stdlib.get_logger(__name__)


class ObserverList:
    """Tells each event to all observers, in the order given.

    What one raises is dropped, and logged once per class of observer: it would come with every event.
    """

    def __init__(self, observers: Sequence[TurnObserver]) -> None:
        self._observers = tuple(observers)
        self._complained: set[type[TurnObserver]] = set()

    def observe(self, facts: TurnFacts, event: Event) -> None:
        for observer in self._observers:
            try:
                observer.observe(facts, event)
            except Exception as error:
                self._complain(observer, event, error)

    def _complain(self, observer: TurnObserver, event: Event, error: Exception) -> None:
        if type(observer) not in self._complained:
            self._complained.add(type(observer))
            _tell_failure(observer, type(event).__name__, error)


class AttemptObserverList:
    """The same for those who watch attempts."""

    def __init__(self, observers: Sequence[AttemptObserver]) -> None:
        self._observers = tuple(observers)
        self._complained: set[type[AttemptObserver]] = set()

    def observe_attempt(self, attempt: Attempt) -> None:
        for observer in self._observers:
            try:
                observer.observe_attempt(attempt)
            except Exception as error:
                if type(observer) not in self._complained:
                    self._complained.add(type(observer))
                    _tell_failure(observer, "Attempt", error)


def _tell_failure(observer: object, observed: str, error: Exception) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    _log.error(
        "observer failed; its further errors are not logged",
        observer=type(observer).__qualname__,
        observed=observed,
        error=error,
        place=f"{place.filename}:{place.lineno}",
    )
