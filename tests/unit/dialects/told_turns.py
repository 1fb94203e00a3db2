"""Turns of one step and of several, with any text in them, for folding."""

from hypothesis import strategies as st

from parlance.core.errors import Fault
from parlance.core.events import (
    Event,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    StepEnded,
    StepStarted,
    TextGrew,
    TurnEnded,
    TurnStarted,
)
from parlance.core.ids import MessageId, TurnId
from parlance.core.messages import Origin, user_message
from parlance.core.parts import Reasoning, Text
from parlance.core.usage import Usage

TURN = TurnId("turn")

# No lone surrogates: no wire of ours lets one in.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.sampled_from(
    [
        "\n",
        "\r\n",
        "\u2028",
        "\u2029",
        "\x85",
        "\x0b\x0c\x1c\x1d\x1e",
        "\0",
        "\x1b[0m",
        "data: [DONE]\n\n",
        '{"done":true}\n',
        '"\\',
    ]
)
endings = st.sampled_from(
    [
        TurnEnded("completed", "stop", Usage(1, 2)),
        TurnEnded("completed", "length"),
        TurnEnded("cancelled"),
        TurnEnded("failed", None, None, Fault("upstream_failed", "It\u2028failed.\n", retryable=True, retry_after=1.5)),
        TurnEnded("incomplete", None, None, Fault("upstream_truncated", "It was\x85cut.")),
    ]
)


@st.composite
def turns(draw: st.DrawFn) -> list[Event]:
    asked = draw(texts)
    events: list[Event] = [TurnStarted(TURN, "lab/m", user_message(asked))]
    part = 0
    for step in range(1, draw(st.integers(0, 3)) + 1):
        events.append(StepStarted(step, Origin("lab", "m", "openai_chat")))
        for _ in range(draw(st.integers(0, 2))):
            part += 1
            events += draw(prose(part))
        events.append(StepEnded(step, "stop", MessageId(f"m{step}")))
    return [*events, draw(endings)]


@st.composite
def prose(draw: st.DrawFn, part: int) -> list[Event]:
    pieces = draw(st.lists(texts, max_size=3))
    whole = "".join(pieces)
    if draw(st.booleans()):
        return [PartOpened(part, Text("")), *(TextGrew(part, piece) for piece in pieces), PartClosed(part, Text(whole))]
    grown = [ReasoningGrew(part, piece) for piece in pieces]
    return [PartOpened(part, Reasoning("")), *grown, PartClosed(part, Reasoning(whole))]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextGrew))
