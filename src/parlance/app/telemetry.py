"""Settings into logs and observers."""

from parlance.config.describe import secrets_of
from parlance.config.settings import Settings
from parlance.core.attempts import AttemptObserver
from parlance.core.observers import TurnObserver
from parlance.telemetry.attempt_log import AttemptLog
from parlance.telemetry.logs import LogOptions, Logs, set_up_logs
from parlance.telemetry.observers import AttemptObserverList, ObserverList
from parlance.telemetry.redaction import Redactor
from parlance.telemetry.turn_log import TurnLog


def open_logs(settings: Settings) -> Logs:
    """`OSError` when the log file can't be written."""
    logging = settings.logging
    options = LogOptions(
        level=logging.level,
        format=logging.format,
        file=logging.file,
        max_bytes=logging.rotation.max_bytes,
        keep=logging.rotation.keep,
        provider_levels=tuple(
            (name, provider.log_level) for name, provider in settings.providers.items() if provider.log_level
        ),
    )
    return set_up_logs(options, Redactor(secrets_of(settings)))


def open_observers(*others: TurnObserver) -> ObserverList:
    """Those who watch every turn, in the order they are told. A new one is its file and a line here."""
    observers: list[TurnObserver] = [
        TurnLog(),
        *others,
    ]
    return ObserverList(observers)


def open_attempt_observers(*others: AttemptObserver) -> AttemptObserverList:
    """Those who watch every call of a host, in the order they are told."""
    observers: list[AttemptObserver] = [
        AttemptLog(),
        *others,
    ]
    return AttemptObserverList(observers)
