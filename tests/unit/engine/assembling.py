"""Deltas in, events out, without a turn around it."""

from collections.abc import Collection, Iterable, Sequence

from parlance.core.deltas import Began, Delta
from parlance.core.events import Event, Growth, PartClosed, PartOpened, Runner, Warned
from parlance.core.ids import CallId, MessageId
from parlance.core.messages import Message, Origin
from parlance.core.parts import Part, ToolCall
from parlance.engine.assemble import Assembler

ORIGIN = Origin("lab", "qwen3-32b", "openai_chat")
MESSAGE = MessageId("message-1")
BEGAN = Began(model="qwen3-32b")


CALL = ToolCall(CallId("call-1"), "get_weather", "")


def runner_of(name: str) -> Runner:
    return "client" if name.startswith("client") else "server"


def new_assembler(*, taken: Collection[CallId] = ()) -> Assembler:
    return Assembler(step=1, origin=ORIGIN, first_part=1, runner_of=runner_of, taken=taken)


def assemble(deltas: Iterable[Delta], *, taken: Collection[CallId] = ()) -> list[Event]:
    """All events of one model call, to its end."""
    return finish(new_assembler(taken=taken), deltas)[0]


def finish(assembler: Assembler, deltas: Iterable[Delta]) -> tuple[list[Event], Message]:
    events = [*assembler.feed(deltas), *assembler.close(), *assembler.end(MESSAGE)]
    return events, assembler.message(MESSAGE)


def closed(deltas: Iterable[Delta]) -> list[Part]:
    """The parts of one model call, in the order of their closing."""
    return [event.what for event in assemble(deltas) if isinstance(event, PartClosed)]


def trimmed(events: Iterable[Event]) -> list[Event]:
    """What is left of a log that was trimmed."""
    return [event for event in events if not isinstance(event, PartOpened | Growth)]


def kinds(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def warnings(events: Sequence[Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, Warned)]
