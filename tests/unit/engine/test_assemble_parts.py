"""Calls, annotations, skeletons and what is mended: what a step tells besides its laws."""

import msgspec
import pytest
from msgspec import Raw

from parlance.core.deltas import (
    Annotated,
    ArgumentsDelta,
    Began,
    Delta,
    Done,
    Finished,
    Noted,
    Opened,
    ReasoningDelta,
    TextDelta,
    Unknown,
)
from parlance.core.events import (
    ArgumentsGrew,
    PartAnnotated,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    StepEnded,
    StepStarted,
    Warned,
)
from parlance.core.ids import CallId
from parlance.core.messages import Origin
from parlance.core.parts import Annotation, Reasoning, Text, ToolCall
from parlance.core.transcript import fold_messages
from parlance.core.usage import Finish
from parlance.engine.assemble import whole_calls
from tests.unit.engine.assembling import CALL, MESSAGE, ORIGIN, assemble, closed, finish, new_assembler

CITATION = Annotation("openai_chat", "url_citation", Raw(b'{"url":"https://example.com"}'))


def test_calls_grow_side_by_side_and_keep_their_order() -> None:
    second = ToolCall(CallId("call-2"), "client_pick", "")
    deltas: list[Delta] = [Opened(0, CALL), Opened(1, second), ArgumentsDelta(1, "{"), ArgumentsDelta(0, "{}")]
    events, message = finish(new_assembler(), [*deltas, ArgumentsDelta(1, "}"), Done(1), Done(0), Finished("stop")])
    assert [event.text for event in events if isinstance(event, ArgumentsGrew)] == ["{", "{}", "}"]
    assert [(event.part, event.runner) for event in events if isinstance(event, PartOpened)] == [
        (1, "server"),
        (2, "client"),
    ]
    assert [call.name for call in whole_calls(message.parts)] == ["get_weather", "client_pick"]


def test_no_arguments_at_all_mean_that_none_are_needed() -> None:
    _, message = finish(new_assembler(), [Opened(0, CALL), Done(0), Finished("stop")])
    assert [call.arguments for call in whole_calls(message.parts)] == ["{}"]
    freeform = ToolCall(CallId("c"), "shell", "", freeform=True)
    assert [call.arguments for call in whole_calls((freeform,))] == [""]


def test_a_call_gets_another_id_when_its_own_is_taken_or_missing() -> None:
    again = [Opened(0, CALL), Opened(1, CALL), Opened(2, ToolCall(CallId(""), "nameless", ""))]
    calls = closed([*again, Finished("stop")])
    assert [(call.id, call.upstream_id) for call in calls if isinstance(call, ToolCall)] == [
        ("call-1", None),
        ("call-1_2", "call-1"),
        ("call_3", None),
    ]
    events = assemble([Opened(0, CALL)], taken={CALL.id})
    assert PartOpened(1, msgspec.structs.replace(CALL, id=CallId("call-1_1"), upstream_id="call-1"), "server") in events


def test_annotations_are_told_and_stay_with_their_text() -> None:
    given = Text("", (CITATION,))
    events = assemble([Opened(0, given), TextDelta(0, "see"), Annotated(0, CITATION), Done(0)])
    assert PartAnnotated(1, CITATION) in events
    assert PartClosed(1, Text("see", (CITATION, CITATION))) in events


def test_an_annotation_opens_a_text_and_is_dropped_elsewhere() -> None:
    assert closed([Annotated("t", CITATION), TextDelta("t", "see")]) == [Text("see", (CITATION,))]
    assert closed([Opened(0, CALL), Annotated(0, CITATION)]) == [CALL]


def test_content_of_a_skeleton_is_growth() -> None:
    events = assemble([Opened(0, Reasoning("because", summary=True)), Done(0)])
    assert events[1:] == [
        PartOpened(1, Reasoning("", summary=True)),
        ReasoningGrew(1, "because"),
        PartClosed(1, Reasoning("because", summary=True)),
        StepEnded(1, None, MESSAGE),
    ]


def test_a_key_may_be_opened_again_which_ends_what_it_named() -> None:
    assert closed([Opened(0, Text("A")), Opened(0, Text("B")), TextDelta(0, "C")]) == [Text("A"), Text("BC")]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("a\0b", "a\ufffdb"),
        ("half \ud83d", "half \ufffd"),
        ("\ud83d\ude00", "\N{GRINNING FACE}"),
        ("żółw \N{TURTLE}", "żółw \N{TURTLE}"),
    ],
)
def test_text_that_no_store_takes_is_mended(said: str, shown: str) -> None:
    assert closed([TextDelta("t", "x"), TextDelta("t", said)]) == [Text("x" + shown)]
    assert closed([Opened(0, Text(said)), ReasoningDelta("r", said)]) == [Text(shown), Reasoning(shown)]


def test_names_that_no_store_takes_are_mended() -> None:
    call = ToolCall(CallId("a\0"), "get\ud83d", "")
    events = assemble([Began(model="qwen\0"), Opened(0, call), Finished("stop", "st\0p")])
    assert isinstance(events[0], StepStarted)
    assert events[0].origin.model == "qwen\ufffd"
    assert isinstance(events[1], PartOpened)
    assert events[1].what == ToolCall(CallId("a\ufffd"), "get\ufffd", "", upstream_id="a\ufffd")
    assert events[-1] == StepEnded(1, "tool_calls", MESSAGE, "st\ufffdp")


def test_what_began_leaves_out_is_known_from_the_provider() -> None:
    assert assemble([Began()])[0] == StepStarted(1, ORIGIN)
    assert assemble([Began(model="q", host="h", family="f"), Began(model="late")])[0] == StepStarted(
        1, Origin("h", "q", "f")
    )


def test_notes_and_what_has_no_word_become_warnings() -> None:
    events = assemble([Noted("dropped", "No seed there."), Unknown("x.y", Raw(b"{}")), Unknown("x.y", Raw(b"{}"))])
    assert events == [
        Warned("dropped", "No seed there."),
        Warned("unknown_upstream_event", "lab sent 'x.y': left out."),
    ]


@pytest.mark.parametrize("cut", [None, "length", "filtered", "error"])
def test_a_call_that_is_half_there_is_shown_but_does_not_stand(cut: Finish | None) -> None:
    deltas: list[Delta] = [TextDelta("t", "I'll look"), Opened(0, CALL), ArgumentsDelta(0, '{"city":"Par')]
    events, message = finish(new_assembler(), [*deltas, *([Finished(cut)] if cut else [])])
    assert message.parts == (Text("I'll look"),)
    assert [folded.parts for folded in fold_messages(events)] == [message.parts]


def test_a_whole_call_stands_also_where_the_answer_was_too_long() -> None:
    whole: list[Delta] = [Opened(0, CALL), ArgumentsDelta(0, '{"city":"Paris"}'), Done(0)]
    _, message = finish(new_assembler(), [*whole, Finished("length")])
    assert len(message.parts) == 1
