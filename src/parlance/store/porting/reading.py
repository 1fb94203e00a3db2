"""Lines of a file, one by one, as what they say. Whether they fit together is `store.porting.order`."""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import msgspec

from parlance.store.porting.lines import FORMAT, VERSION, End, Head, Line
from parlance.store.porting.refusal import LineRefused

LONGEST: Final = 512 << 20
"""Bytes of a line: more than any message can hold."""

_decode: Final[Callable[[bytes], Line]] = msgspec.json.Decoder(Line).decode

Numbered = tuple[int, Line]


class Source(Protocol):
    def readline(self, size: int, /) -> bytes: ...


class LineReader:
    """`head` at once, then `rest`. `LineRefused` for what is no export of Parlance's, is of another version, or
    was cut.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._number = 0
        self.head = self._read_head()

    def rest(self) -> Iterator[Numbered]:
        """What stands between the first line and the last, each with its number."""
        said = 1
        while True:
            match self._next():
                case None:
                    raise LineRefused(self._number, "the file ends behind it, without its last line: it was cut")
                case End(lines=lines):
                    self._check_end(lines, said)
                    return
                case line:
                    said += 1
                    yield self._number, line

    def _read_head(self) -> Head:
        try:
            first = self._next()
        except LineRefused as error:
            raise LineRefused(1, f"this is no export of Parlance's ({_reason(error)})") from None
        if not isinstance(first, Head) or first.format != FORMAT:
            raise LineRefused(1, "this is no export of Parlance's: it does not begin with a line of kind `head`")
        if first.version != VERSION:
            raise LineRefused(
                1, f"the file is of version {first.version}, made by {first.made_by}, and this program reads {VERSION}"
            )
        return first

    def _check_end(self, lines: int, said: int) -> None:
        if lines != said:
            raise LineRefused(self._number, f"$.lines: {lines} lines should stand above, and there are {said}")
        if self._next() is not None:
            raise LineRefused(self._number, "it stands behind the last line")

    def _next(self) -> Line | None:
        """None at the file's end. Empty lines are passed over."""
        while True:
            text = self._read()
            if not text:
                return None
            self._number += 1
            if len(text) > LONGEST:
                raise LineRefused(self._number, f"it is longer than {LONGEST >> 20} MiB")
            if text.strip():
                return self._decode(text)

    def _read(self) -> bytes:
        try:
            return self._source.readline(LONGEST + 1)
        except OSError as error:
            raise LineRefused(self._number + 1, f"it can't be read: {error.strerror or error}") from None

    def _decode(self, text: bytes) -> Line:
        try:
            return _decode(text)
        except msgspec.ValidationError as error:
            raise LineRefused(self._number, _placed(str(error))) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LineRefused(self._number, f"not valid JSON: {error}") from None
        except RecursionError:
            raise LineRefused(self._number, "it is nested too deep") from None


def _placed(message: str) -> str:
    """The place first, as in all our messages."""
    fault, _, place = message.partition(" - at `")
    return f"{place.rstrip('`') or '$'}: {fault}"


def _reason(error: LineRefused) -> str:
    return error.message.removeprefix("Line 1: ").removesuffix(". Nothing was imported.")
