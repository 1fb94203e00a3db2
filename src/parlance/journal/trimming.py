"""The oldest events of a log, once they can't be told one by one any more: without openings and without growth.

Nothing is rewritten, and numbers keep holes. When this happens to which events is the log's to say.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from parlance.core.events import GROWTH, Event, PartClosed, PartOpened
from parlance.core.snapshot import grown_part
from parlance.journal.sizes import EVENT_SIZE, carried

WINDOW = 1 << 20
"""Bytes of newest events that a log keeps one by one, where nothing else was said."""


class _Open(Struct):
    """A part that has not closed yet: its opening, and what has grown of it, in few pieces."""

    number: int
    opened: PartOpened
    growth: list[str]


class TrimmedEvents:
    """A log's events up to number `end`. `lost` is the number of the last of them that is gone.

    A part that is still open stands as an opening that holds what has grown of it, so that a fold of these events and
    of those behind them comes to the same as before.
    """

    def __init__(self) -> None:
        self.end = 0
        self.lost = 0
        self.size = 0
        self._kept: list[tuple[int, Event]] = []
        self._open: dict[int, _Open] = {}

    def take(self, events: Sequence[Event]) -> None:
        """Those that follow `end`. The work is proportional to their number, however much is here already."""
        growth: dict[int, list[str]] = {}
        for number, event in enumerate(events, self.end + 1):
            if isinstance(event, GROWTH):
                growth.setdefault(event.part, []).append(event.text)
                self.lost = number
            elif isinstance(event, PartOpened):
                self._open[event.part] = _Open(number, event, [])
                self.size += EVENT_SIZE
                self.lost = number
            else:
                self._keep(number, event)
                if isinstance(event, PartClosed):
                    growth.pop(event.part, None)
        self.end += len(events)
        for part, texts in growth.items():
            if part in self._open:
                self._open[part].growth.append("".join(texts))
                self.size += len(self._open[part].growth[-1])

    def restore(self, events: Sequence[tuple[int, Event]], lost: int) -> None:
        """What somebody else had trimmed, up to and with the number `lost`."""
        for number, event in events:
            self._keep(number, event)
            self.end = number
        self.lost = lost

    def numbered(self) -> Iterator[tuple[int, Event]]:
        """What is left of them, in order."""
        if not self._open:
            return iter(self._kept)
        openings = [(one.number, _melted(one)) for one in self._open.values()]
        return iter(sorted([*self._kept, *openings], key=lambda item: item[0]))

    def _keep(self, number: int, event: Event) -> None:
        self._kept.append((number, event))
        self.size += EVENT_SIZE + carried((event,))
        if isinstance(event, PartClosed) and (closed := self._open.pop(event.part, None)) is not None:
            self.size -= EVENT_SIZE + sum(map(len, closed.growth))


def oldest(events: Sequence[Event], size: int, most: int) -> int:
    """How many of these events, from the first on but `most` at most, hold so many bytes."""
    held = 0
    for count, event in enumerate(events[:most]):
        if held >= size:
            return count
        held += EVENT_SIZE + (len(event.text) if isinstance(event, GROWTH) else carried((event,)))
    return min(most, len(events))


def _melted(one: _Open) -> PartOpened:
    return msgspec.structs.replace(one.opened, what=grown_part(one.opened.what, "".join(one.growth)))
