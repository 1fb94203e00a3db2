"""How much memory events hold, about."""

from collections.abc import Iterable

from parlance.core.events import GROWTH, Event, PartClosed, ToolReturned, TurnStarted
from parlance.core.parts import part_size

EVENT_SIZE = 150
"""Bytes of an event without what it carries, about: the object, its string's head, and its place in the list."""


def characters(events: Iterable[Event]) -> int:
    """The text that grows in these events, in characters."""
    return sum([len(event.text) for event in events if isinstance(event, GROWTH)])


def carried(events: Iterable[Event]) -> int:
    """What these events hold besides themselves: growth, the wholes it became, and what came from outside."""
    return sum([len(event.text) if isinstance(event, GROWTH) else _whole(event) for event in events])


def _whole(event: Event) -> int:
    match event:
        case TurnStarted(input=message) if message is not None:
            return sum(map(part_size, message.parts))
        case PartClosed(what=part) | ToolReturned(result=part):
            return part_size(part)
        case _:
            return 0
