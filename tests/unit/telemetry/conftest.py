"""Logs that a test can read."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from parlance.telemetry.logs import LogOptions, set_up_logs
from parlance.telemetry.redaction import Redactor


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Written:
    """What one set-up wrote."""

    def __init__(self, stream: io.StringIO, path: Path | None) -> None:
        self._stream = stream
        self._path = path

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def in_file(self) -> str:
        return self._path.read_text(encoding="utf-8") if self._path else ""


Record = Callable[..., Written]


@pytest.fixture
def record() -> Iterator[Record]:
    """Sets logging up as told and gives what it writes; puts all back at the end."""
    closing = []

    def start(options: LogOptions, secrets: tuple[str, ...] = (), *, terminal: bool = False) -> Written:
        stream = Terminal() if terminal else io.StringIO()
        closing.append(set_up_logs(replace(options), Redactor(secrets), stream=stream))
        return Written(stream, options.file)

    yield start
    for logs in reversed(closing):
        logs.close()
