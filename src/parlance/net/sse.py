"""Reads `text/event-stream` as the HTML standard has it (section 9.2), byte-exact: data is never decoded here."""

import re

from parlance.core.errors import HostAnswerInvalid
from parlance.net.framing import MAX_FRAME, Frame

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")


class SseReader:
    """A `FrameReader`. An event without its blank line at the end of the body is dropped, as the standard says.

    `last_id` and `retry` (milliseconds) hold what the stream last said of them. JSON that stands bare between the
    events is none of them; but hosts that fail in mid-stream tell their error so, and such a one is given as a frame.
    """

    def __init__(self, *, host: str = "", max_event: int = MAX_FRAME) -> None:
        self.last_id = ""
        self.retry: int | None = None
        self._host = host
        self._max_event = max_event
        self._begun = False
        self._after_cr = False
        self._line = bytearray()  # the unfinished line; grows in place, so that a dripped event costs no copies
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""
        self._bare: list[bytes] = []  # lines of JSON outside of any field
        self._clean = True  # nothing of an event but the unfinished line is held
        self._plain = False  # nothing at all is held, and the stream has begun

    def feed(self, data: bytes) -> list[Frame]:
        # Nearly always one read brings one event of one line, and nothing is left of what came before.
        if (
            self._plain
            and data.startswith(b"data: ")
            and data.endswith(b"\n\n")
            and data.count(b"\n") == 2
            and b"\r" not in data
            and len(data) <= self._max_event
        ):
            return [(data[6:-2], "")]
        frames = self._take_named(data) or self._feed(data)
        self._plain = self._begun and self._clean and not self._line and not self._after_cr
        return frames

    def _take_named(self, data: bytes) -> list[Frame]:
        """The same for one event with a name before its line; empty for anything else."""
        if not self._plain or data[:7] != b"event: " or data[-2:] != b"\n\n" or data.count(b"\n") != 3 or b"\r" in data:
            return []
        name, found, line = data[7:-2].partition(b"\ndata: ")
        if not found or len(data) > self._max_event:
            return []
        return [(line, name.decode(errors="replace"))]

    def _feed(self, data: bytes) -> list[Frame]:
        if not self._begun:
            data = self._skip_bom(data)
        if self._clean and not self._after_cr:
            plain = data if b"\r" not in data else data.replace(b"\r\n", b"\n")
            if b"\r" not in plain:
                return self._feed_events(plain)
        return self._feed_lines(data)

    def close(self) -> list[Frame]:
        frames: list[Frame] = []
        line = bytes(self._line)
        self._line.clear()
        if self._bare or line.startswith((b"{", b"[")):
            self._bare.append(line)
            self._end_bare(frames)
        return frames

    def _feed_events(self, data: bytes) -> list[Frame]:
        """Between events, and every line ends with LF: whole events are split off without looking at their lines."""
        if self._line and b"\n" in data:
            data = bytes(self._line) + data
            self._line.clear()
        end = data.rfind(b"\n\n")
        if end < 0:
            return self._feed_lines(data) if b"\n" in data else self._hold(data)
        bare = data[6:end].split(b"\n\ndata: ")
        if data.count(b"\n", 0, end) == 2 * len(bare) - 2 and data.startswith(b"data: ") and end <= self._max_event:
            frames = [(bare[0], "")] if len(bare) == 1 else [(event, "") for event in bare]
        else:
            frames = self._take_lines(data[: end + 2].split(b"\n"), [])
        if end + 2 < len(data):
            frames += self._feed_lines(data[end + 2 :])
        return frames

    def _feed_lines(self, data: bytes) -> list[Frame]:
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        lines: list[bytes] = _LINE_END.split(data)
        rest = lines.pop()
        self._after_cr = self._after_cr or data.endswith(b"\r")
        frames: list[Frame] = []
        if lines:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
            frames = self._take_lines(lines, frames)
        self._hold(rest)
        return frames

    def _take_lines(self, lines: list[bytes], frames: list[Frame]) -> list[Frame]:
        for line in lines:
            self._take_line(line, frames)
        return frames

    def _take_line(self, line: bytes, frames: list[Frame]) -> None:
        if not line:
            self._dispatch(frames)
            return
        if self._bare or line[0] in b"{[":
            self._take_bare(line, frames)
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
                self._size += len(value) + 1
                self._clean = False
                self._check_size()
            case b"event":
                self._event = value.decode(errors="replace")
                self._clean = False
            case b"id" if b"\0" not in value:
                self.last_id = value.decode(errors="replace")
            case b"retry" if value.isdigit() and len(value) < 10:
                self.retry = int(value)
            case _:
                pass

    def _take_bare(self, line: bytes, frames: list[Frame]) -> None:
        """JSON without `data:`, on one line or laid out over several: it ends with its first bracket's partner."""
        closing = b"}" if (self._bare or [line])[0].startswith(b"{") else b"]"
        ended = line.startswith(closing) if self._bare else line.endswith(closing)
        self._bare.append(line)
        self._size += len(line) + 1
        self._clean = False
        self._check_size()
        if ended:
            self._end_bare(frames)

    def _end_bare(self, frames: list[Frame]) -> None:
        told = b"\n".join(self._bare)
        self._bare.clear()
        self._size = sum(len(line) + 1 for line in self._data)
        if b'"error"' in told:
            frames.append((told, ""))

    def _dispatch(self, frames: list[Frame]) -> None:
        if self._bare:
            self._end_bare(frames)
        if self._data:
            frames.append((b"\n".join(self._data), self._event))
            self._data.clear()
            self._size = 0
        self._event = ""
        self._clean = True

    def _hold(self, data: bytes) -> list[Frame]:
        self._line += data
        self._check_size()
        return []

    def _check_size(self) -> None:
        if self._size + len(self._line) > self._max_event:
            raise HostAnswerInvalid(
                f"The host {self._host!r} sent an event of more than {self._max_event} bytes; the stream was given up. "
                "Check that its address is that of a model's API.",
                host=self._host,
            )

    def _skip_bom(self, data: bytes) -> bytes:
        data = bytes(self._line) + data
        self._line.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._line += data
            return b""
        self._begun = True
        return data.removeprefix(_BOM)
