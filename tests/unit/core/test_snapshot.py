"""What a turn has shown so far, at any moment of it."""

from msgspec import Raw

from parlance.core.events import (
    ArgumentsGrew,
    Event,
    PartAnnotated,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    StepDropped,
    StepEnded,
    StepStarted,
    TextGrew,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    TurnStarted,
    Warned,
)
from parlance.core.ids import CallId, MessageId, TurnId
from parlance.core.messages import Origin
from parlance.core.parts import Annotation, Image, Kept, Part, Reasoning, Signature, Text, ToolCall, ToolResult, Url
from parlance.core.snapshot import Snapshot, fold_snapshot

ORIGIN = Origin("lab", "qwen3-32b", "openai_chat")
CITATION = Annotation("openai_chat", "url_citation", Raw(b"{}"))
SKELETON = ToolCall(CallId("paris"), "get_weather", "")
CALL = ToolCall(CallId("paris"), "get_weather", '{"city":"Paris"}')
RESULT = ToolResult(CALL.id, CALL.name, "Sunny")

TURN: list[tuple[Event, tuple[Part, ...]]] = [
    (TurnStarted(TurnId("turn"), "fast"), ()),
    (StepStarted(1, ORIGIN), ()),
    (PartOpened(1, Reasoning("")), (Reasoning(""),)),
    (ReasoningGrew(1, "hm"), (Reasoning("hm"),)),
    (PartOpened(2, SKELETON, "server"), (Reasoning("hm"), SKELETON)),
    (ArgumentsGrew(2, '{"city":"Paris"}'), (Reasoning("hm"), CALL)),
    (PartClosed(2, CALL), (Reasoning("hm"), CALL)),
    (PartClosed(1, Reasoning("hm")), (Reasoning("hm"), CALL)),
    (StepEnded(1, "tool_calls", MessageId("m1")), (Reasoning("hm"), CALL)),
    (ToolCalled(CALL, "server"), (Reasoning("hm"), CALL)),
    (ToolReturned(RESULT), (Reasoning("hm"), CALL, RESULT)),
    (Warned("note", "A word."), (Reasoning("hm"), CALL, RESULT)),
    (StepStarted(2, ORIGIN), (Reasoning("hm"), CALL, RESULT)),
    (PartOpened(3, Text("")), (Reasoning("hm"), CALL, RESULT, Text(""))),
    (TextGrew(3, "Sun"), (Reasoning("hm"), CALL, RESULT, Text("Sun"))),
    (PartAnnotated(3, CITATION), (Reasoning("hm"), CALL, RESULT, Text("Sun", (CITATION,)))),
    (TextGrew(3, "ny"), (Reasoning("hm"), CALL, RESULT, Text("Sunny", (CITATION,)))),
    (PartClosed(3, Text("Sunny", (CITATION,))), (Reasoning("hm"), CALL, RESULT, Text("Sunny", (CITATION,)))),
    (StepDropped(2, "away"), (Reasoning("hm"), CALL, RESULT)),
    (TurnEnded("cancelled"), (Reasoning("hm"), CALL, RESULT)),
]


def test_after_every_event_it_holds_what_was_shown_by_then() -> None:
    events = [event for event, _ in TURN]
    for number, (event, parts) in enumerate(TURN, 1):
        status = "cancelled" if isinstance(event, TurnEnded) else "running"
        assert fold_snapshot(events[:number]) == Snapshot(parts, status)


def test_of_a_trimmed_log_it_holds_the_same() -> None:
    trimmed = [
        event for event, _ in TURN if not isinstance(event, PartOpened | TextGrew | ReasoningGrew | ArgumentsGrew)
    ]
    assert fold_snapshot(trimmed) == fold_snapshot(event for event, _ in TURN)


def test_of_nothing_it_holds_nothing() -> None:
    assert fold_snapshot([]) == Snapshot((), "running")


def test_what_came_whole_is_shown_whole() -> None:
    image = Image(Url("https://example.com/cat.png"))
    assert fold_snapshot([StepStarted(1, ORIGIN), PartOpened(1, image)]).parts == (image,)


def test_a_client_sees_no_proofs_nor_foreign_blocks_and_thoughts_only_if_it_asked() -> None:
    proof = Signature("gemini", "c2ln")
    thought, call = Reasoning("hm", proof), ToolCall(CALL.id, CALL.name, "{}", proof)
    parts = (thought, Text("Hi", signature=proof), call, Kept("gemini", "executableCode", Raw(b"{}")))
    open_hearted, plain = (Snapshot(parts, "running").told(thoughts=asked) for asked in (True, False))
    assert open_hearted.parts == (Reasoning("hm"), Text("Hi"), ToolCall(CALL.id, CALL.name, "{}"))
    assert plain == Snapshot(open_hearted.parts[1:], "running")
