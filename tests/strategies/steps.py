"""One model step of any shape, as the events of a turn: for the law that every language keeps."""

from collections.abc import Callable, Sequence

import msgspec
from hypothesis import strategies as st
from msgspec import Raw, Struct

from parlance.core.deltas import Delta
from parlance.core.events import (
    ArgumentsGrew,
    Event,
    PartAnnotated,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    RefusalGrew,
    Runner,
    StepEnded,
    StepStarted,
    TextGrew,
    TurnEnded,
    TurnStarted,
)
from parlance.core.ids import CallId, MessageId, TurnId
from parlance.core.messages import Message, Origin
from parlance.core.parts import Annotation, Kept, Part, Reasoning, Refusal, Signature, Text, ToolCall
from parlance.core.transcript import fold_messages
from parlance.core.usage import Finish, Usage
from parlance.engine.assemble import Assembler

FAMILIES = ("openai_chat", "openai_responses", "anthropic_messages", "gemini", "ollama")
ORIGIN = Origin("host", "model-1", "openai_chat")
MESSAGE = MessageId("message")

# Lone surrogates and NUL never get past the assembler.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
proofs = st.from_regex(r"[A-Za-z0-9+/]{1,12}={0,2}", fullmatch=True)
signatures = st.builds(Signature, st.sampled_from(FAMILIES), proofs, st.none() | names)
raw_json = st.builds(
    lambda type, value: Raw(msgspec.json.encode({"type": type, "value": value})), names, texts | st.integers(0, 9)
)


def _annotation(family: str, data: Raw) -> Annotation:
    return Annotation(family, msgspec.json.decode(data)["type"], data)


annotations = st.builds(_annotation, st.sampled_from(FAMILIES), raw_json)
arguments = st.dictionaries(names, texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=3)
calls = st.builds(
    lambda call, name, given, signature, freeform, upstream: ToolCall(
        CallId(call), name, given, signature, freeform, upstream
    ),
    names,
    names,
    arguments.map(lambda given: msgspec.json.encode(given).decode()) | texts,
    st.none() | signatures,
    st.booleans(),
    st.none() | names,
)
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, texts, st.lists(annotations, max_size=2).map(tuple), st.none() | signatures),
    st.builds(Reasoning, texts, st.none() | signatures, summary=st.booleans()),
    st.builds(lambda signature: Reasoning("", signature, redacted=True), signatures),
    st.builds(Refusal, texts),
    calls,
    st.builds(Kept, st.sampled_from(FAMILIES), names, raw_json),
)
finishes: st.SearchStrategy[Finish] = st.sampled_from(["stop", "tool_calls", "length", "filtered"])


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    count = st.integers(0, 10**6)
    rest = st.none() | count
    return Usage(draw(count), draw(count), draw(rest), draw(rest), draw(rest), draw(st.booleans()))


class Step(Struct, frozen=True):
    """The events of a turn of one step, and the message that they make."""

    events: tuple[Event, ...]
    message: Message


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Parts in any order; each grows in pieces, and several grow at once."""
    given = draw(
        st.lists(parts, max_size=6, unique_by=lambda part: part.id if isinstance(part, ToolCall) else id(part))
    )
    finish = draw(finishes)
    if finish in ("stop", "tool_calls"):
        finish = "tool_calls" if any(isinstance(part, ToolCall) for part in given) else "stop"
    usage = draw(st.none() | usages())
    grown = [draw(_growth(number, part)) for number, part in enumerate(given)]
    events: tuple[Event, ...] = (
        TurnStarted(TurnId("turn"), "asked-model"),
        StepStarted(1, ORIGIN),
        *draw(_interleaved(grown)),
        StepEnded(1, finish, MESSAGE, None, usage),
        TurnEnded("completed", finish, usage),
    )
    return Step(events, message_of(events))


def message_of(events: Sequence[Event]) -> Message:
    """What the law compares: parts, finish and usage, without where they came from."""
    ended = next(event for event in reversed(events) if isinstance(event, StepEnded))
    made = fold_messages(events)
    message = made[0] if made else Message(MESSAGE, "assistant", ())
    return Message(MESSAGE, "assistant", message.parts, None, ended.finish, ended.usage)


def assemble(deltas: Sequence[Delta]) -> Message:
    """The message that a language's deltas make; every tool in it is the client's."""
    assembler = Assembler(step=1, origin=ORIGIN, first_part=0, runner_of=lambda name: "client")
    events = [*assembler.feed(deltas), *assembler.close(), *assembler.end(MESSAGE)]
    return message_of(events)


@st.composite
def _growth(draw: st.DrawFn, number: int, part: Part) -> list[Event]:
    content, grew, skeleton = _taken_apart(part)
    borders = sorted(draw(st.lists(st.integers(0, len(content)), max_size=3)))
    pieces = [content[a:b] for a, b in zip([0, *borders], [*borders, len(content)], strict=True)]
    grown = [grew(number, piece) for piece in pieces if piece]
    noted = [PartAnnotated(number, one) for one in part.annotations] if isinstance(part, Text) else []
    runner: Runner | None = "client" if isinstance(part, ToolCall) else None
    return [PartOpened(number, skeleton, runner), *grown, *noted, PartClosed(number, part)]


def _taken_apart(part: Part) -> tuple[str, Callable[[int, str], Event], Part]:
    """What grows in a part, the event it grows by, and the part before."""
    match part:
        case Text(text=text):
            return text, TextGrew, Text("")
        case Reasoning(text=text, redacted=redacted):
            return text, ReasoningGrew, Reasoning("", redacted=redacted)
        case Refusal(text=text):
            return text, RefusalGrew, Refusal("")
        case ToolCall(arguments=text):
            return text, ArgumentsGrew, msgspec.structs.replace(part, arguments="", signature=None)
        case _:
            return "", TextGrew, part


@st.composite
def _interleaved(draw: st.DrawFn, grown: list[list[Event]]) -> list[Event]:
    """One row of events: parts open in the order of their numbers, and go on in any."""
    events: list[Event] = []
    running: list[list[Event]] = []
    waiting = [list(one) for one in grown]
    while waiting or running:
        choice = draw(st.integers(0, len(running) if waiting else len(running) - 1))
        if choice == len(running):
            running.append(waiting.pop(0))
        events.append(running[choice].pop(0))
        running = [one for one in running if one]
    return events
