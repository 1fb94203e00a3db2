"""Logging, set up once: structlog and the standard library's loggers in one pipeline, to a stream and to a file."""

import json
import logging
import re
import sys
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal, TextIO

import msgspec
import structlog
from msgspec import Struct
from structlog.typing import EventDict, Processor, WrappedLogger

from parlance.core import trace
from parlance.telemetry.redaction import LONGEST_TRACEBACK, Redactor, escape, escape_value
from parlance.telemetry.tracebacks import find_error, render_error

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

# They configure themselves otherwise, or log bodies and headers at DEBUG.
_SERVER_LOGGERS = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
# What structlog's formatter passes along a line, and removes.
_META = ("_record", "_from_structlog")

_QUERY = re.compile(r"\?[^\s\"]*")
_OUTCOME = re.compile(r"\b(result|exception)=.*")


class LogOptions(Struct, frozen=True):
    """How to log.

    `auto`: console on a terminal, JSON elsewhere. The file is always JSON, is turned over at `max_bytes`, and `keep`
    old ones stay. `provider_levels`: a provider's id and its own level. `error_texts`: tracebacks show what exceptions
    say, which may quote users.
    """

    level: Level = "INFO"
    format: Literal["auto", "console", "json"] = "auto"
    file: Path | None = None
    max_bytes: int = 10_485_760
    keep: int = 5
    provider_levels: tuple[tuple[str, Level], ...] = ()
    error_texts: bool = False


class Logs:
    """The pipeline while it stands. `close` puts things back as they were."""

    def __init__(self, options: LogOptions, redactor: Redactor, stream: TextIO) -> None:
        """`OSError` when the file can't be written."""
        self._root = logging.getLogger()
        self._before = list(self._root.handlers), self._root.level
        self._named: list[logging.Logger] = []
        self._handlers: list[logging.Handler] = [_StreamHandler(stream)]
        form = options.format if options.format != "auto" else "console" if stream.isatty() else "json"
        renderers = _console(colors=stream.isatty()) if form == "console" else _json()
        self._handlers[0].setFormatter(_formatter(redactor, renderers, options))
        if options.file is not None:
            self._handlers.append(_open_file(options, options.file))
            self._handlers[1].setFormatter(_formatter(redactor, _json(), options))
        self._root.handlers = list(self._handlers)
        self._set_levels(options)
        _configure_structlog()

    def close(self) -> None:
        self._root.handlers, level = self._before
        self._root.setLevel(level)
        for logger in self._named:
            logger.setLevel(logging.NOTSET)
        logging.captureWarnings(False)
        structlog.reset_defaults()
        for handler in self._handlers:
            handler.close()

    def _set_levels(self, options: LogOptions) -> None:
        """Only Parlance itself goes below INFO: at DEBUG, libraries log what passes through them."""
        level = logging.getLevelNamesMapping()[options.level]
        self._root.setLevel(max(level, logging.INFO))
        self._set_level("parlance", level)
        for provider, own_level in options.provider_levels:
            self._set_level(provider_logger(provider), logging.getLevelNamesMapping()[own_level])
        for name in _SERVER_LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers = []
            logger.propagate = True
            self._set_level(name, logging.NOTSET)
        logging.captureWarnings(True)

    def _set_level(self, name: str, level: int) -> None:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        self._named.append(logger)


def set_up_logs(options: LogOptions, redactor: Redactor, *, stream: TextIO | None = None) -> Logs:
    """Log from here on, to standard error unless another stream is given. Once per process, before anything logs.

    Every line bears the time (UTC), its level, its logger, and the request and turn that it belongs to. No line holds
    a secret that `redactor` knows, nor an object's insides. The server must be started without a log configuration of
    its own (uvicorn: `log_config=None`).
    """
    return Logs(options, redactor, stream or sys.stderr)


def provider_logger(provider: str) -> str:
    """The name of a provider's logger."""
    return f"parlance.providers.{provider}"


class _StreamHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        """Says nothing: the stream is gone, and the library's own report would show the raw record."""


class _FileHandler(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk must not end requests, nor put the raw record on standard error."""
        error = sys.exc_info()[1]
        sys.stderr.write(f"A log line could not be written to {self.baseFilename}: {type(error).__name__}\n")


def _open_file(options: LogOptions, path: Path) -> logging.Handler:
    path.parent.mkdir(parents=True, exist_ok=True)
    return _FileHandler(
        path, maxBytes=options.max_bytes, backupCount=options.keep, encoding="utf-8", errors="backslashreplace"
    )


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _formatter(redactor: Redactor, renderers: tuple[Processor, ...], options: LogOptions) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            _mend_library_line,
            _add_trace,
            _ErrorRenderer(options.error_texts),
            _Redaction(redactor),
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *renderers,
        ]
    )


def _json() -> tuple[Processor, ...]:
    return (structlog.processors.JSONRenderer(serializer=_encode_line),)


def _encode_line(event: EventDict, *, default: Callable[[object], object]) -> str:
    """Nearly all lines are ASCII, and quick. The others are escaped, since some characters end or turn a line."""
    try:
        line = msgspec.json.encode(event, enc_hook=default)
    except (TypeError, ValueError, UnicodeError):
        line = b"\xff"
    return line.decode() if line.isascii() else json.dumps(event, default=default)


def _console(*, colors: bool) -> tuple[Processor, ...]:
    renderer = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    return _escape_line, renderer


def _mend_library_line(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Query strings and the results of tasks have no place in a log."""
    record = event["_record"]
    if record.name.startswith("uvicorn"):
        event["event"] = _QUERY.sub("?…", str(event["event"]))
    elif record.name == "asyncio":
        event["event"] = _OUTCOME.sub(r"\1=…", str(event["event"]))
    return event


def _add_trace(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """What the line itself says comes first: an observer may tell of a turn that is not its own context's."""
    for name, value in (("request_id", trace.request_id.get()), ("turn_id", trace.turn_id.get())):
        if value is not None:
            event.setdefault(name, value)
    return event


class _ErrorRenderer:
    def __init__(self, texts: bool) -> None:
        self._texts = texts

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        error = find_error(event.pop("exc_info", None))
        event.pop("stack_info", None)
        if error is not None:
            event["exception"] = render_error(error, texts=self._texts)
        return event


class _Redaction:
    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        error = event.pop("exception", None)
        line: EventDict = {name: event.pop(name) for name in _META}
        line.update({str(name): self._redactor.field(str(name), value) for name, value in event.items()})
        if error is not None:
            line["exception"] = self._redactor.bounded(str(error), LONGEST_TRACEBACK)
        return line


def _escape_line(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Console lines: no value can end one, nor colour it, and a traceback stands to the right of where lines begin."""
    error = event.pop("exception", None)
    line: EventDict = {escape(name): escape_value(value) for name, value in event.items()}
    if error is not None:
        line["exception"] = "\n".join(f"  | {escape(part)}" for part in str(error).split("\n"))
    return line
