"""Reads NDJSON: one JSON value per line, ended by LF alone."""

from parlance.core.errors import HostAnswerInvalid
from parlance.net.framing import MAX_FRAME, Frame


class NdjsonReader:
    """A `FrameReader`. Blank lines are ignored; a last line without its LF counts only when the body ended cleanly."""

    def __init__(self, *, host: str = "", max_line: int = MAX_FRAME) -> None:
        self._host = host
        self._max_line = max_line
        self._line = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        if b"\n" not in data:
            self._hold(data)
            return []
        lines = data.split(b"\n")
        if self._line:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        self._hold(lines.pop())
        frames = [(line, "") for line in lines if line and not line.isspace()]
        for line, _ in frames:
            self._check_size(len(line))
        return frames

    def close(self) -> list[Frame]:
        line = bytes(self._line)
        self._line.clear()
        return [(line, "")] if line.strip() else []

    def _hold(self, data: bytes) -> None:
        self._line += data
        self._check_size(len(self._line))

    def _check_size(self, size: int) -> None:
        if size > self._max_line:
            raise HostAnswerInvalid(
                f"The host {self._host!r} sent a line of more than {self._max_line} bytes; the stream was given up. "
                "Check that its address is that of a model's API.",
                host=self._host,
            )
