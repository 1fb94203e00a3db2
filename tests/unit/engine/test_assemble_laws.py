"""The laws of deltas and of events, one by one."""

import msgspec
import pytest
from msgspec import Raw

from parlance.core.deltas import (
    ArgumentsDelta,
    Began,
    Delta,
    Done,
    Finished,
    Opened,
    ReasoningDelta,
    RefusalDelta,
    Restarted,
    Signed,
    TextDelta,
    UsageReported,
)
from parlance.core.events import (
    PartClosed,
    PartOpened,
    StepDropped,
    StepEnded,
    StepStarted,
    TextGrew,
)
from parlance.core.messages import Origin
from parlance.core.parts import Kept, Part, Reasoning, Refusal, Signature, Text
from parlance.core.transcript import fold_messages
from parlance.core.usage import Finish, Usage
from tests.unit.engine.assembling import BEGAN, CALL, MESSAGE, ORIGIN, assemble, closed, kinds, warnings

SIGNATURE = Signature("openai_chat", "proof")
SEARCH = Kept("anthropic", "server_tool_use", Raw(b'{"name":"web_search"}'))


def test_an_answer_is_one_step_with_one_part() -> None:
    events = assemble([BEGAN, TextDelta("t", "Hel"), TextDelta("t", "lo"), Finished("stop", "stop")])
    assert events == [
        StepStarted(1, ORIGIN),
        PartOpened(1, Text("")),
        TextGrew(1, "Hel"),
        TextGrew(1, "lo"),
        PartClosed(1, Text("Hello")),
        StepEnded(1, "stop", MESSAGE, "stop"),
    ]


# Deltas 1: `Finished` is last, once.


def test_a_call_without_finished_ends_without_a_finish() -> None:
    assert assemble([BEGAN, TextDelta("t", "Hel")])[-1] == StepEnded(1, None, MESSAGE)


def test_what_a_host_says_after_it_finished_is_left_out_and_warned_of_once() -> None:
    after: list[Delta] = [TextDelta("t", "more"), Opened(1, CALL), Finished("length"), Restarted("late")]
    events = assemble([TextDelta("t", "done"), Finished("stop"), *after])
    assert [event.what for event in events if isinstance(event, PartClosed)] == [Text("done")]
    assert events[-1] == StepEnded(1, "stop", MESSAGE)
    assert warnings(events) == ["stray_growth"]


def test_usage_may_still_come_after_the_end() -> None:
    events = assemble([TextDelta("t", "x"), Finished("stop"), UsageReported(Usage(input=3))])
    assert events[-1] == StepEnded(1, "stop", MESSAGE, None, Usage(input=3))


def test_nothing_at_all_is_no_step() -> None:
    assert assemble([]) == []
    assert assemble([UsageReported(Usage(input=1)), Done(1), Restarted("nothing was shown")]) == []


# Deltas 2: growth opens an implicit part, arguments never do.


@pytest.mark.parametrize(
    ("delta", "part"),
    [
        (TextDelta("k", "x"), Text("x")),
        (RefusalDelta("k", "x"), Refusal("x")),
        (ReasoningDelta("k", "x"), Reasoning("x")),
    ],
)
def test_growth_for_a_key_that_is_not_open_opens_a_part_of_its_kind(delta: Delta, part: Part) -> None:
    assert closed([delta]) == [part]


def test_arguments_for_no_call_are_left_out_and_warned_of_once() -> None:
    events = assemble([BEGAN, ArgumentsDelta(7, "{"), ArgumentsDelta(7, "}"), Finished("stop")])
    assert kinds(events) == ["StepStarted", "Warned", "StepEnded"]


def test_prose_inside_a_call_is_left_out() -> None:
    events = assemble([Opened(1, CALL), TextDelta(1, "stray"), ArgumentsDelta(1, "{}"), Done(1)])
    assert warnings(events) == ["stray_growth"]
    assert PartClosed(1, msgspec.structs.replace(CALL, arguments="{}")) in events


def test_growth_by_nothing_opens_nothing_and_tells_nothing() -> None:
    assert assemble([TextDelta("t", ""), ReasoningDelta("r", "")]) == []
    grown = assemble([TextDelta("t", "x"), TextDelta("t", "")])
    assert kinds(grown) == ["StepStarted", "PartOpened", "TextGrew", "PartClosed", "StepEnded"]


# Deltas 3: when an implicit part ends.


def test_other_prose_ends_an_implicit_part() -> None:
    assert closed([ReasoningDelta("r", "hm"), TextDelta("t", "A"), ReasoningDelta("r", "so"), TextDelta("t", "B")]) == [
        Reasoning("hm"),
        Text("A"),
        Reasoning("so"),
        Text("B"),
    ]


def test_other_prose_under_the_same_key_ends_an_implicit_part() -> None:
    assert closed([TextDelta("k", "A"), RefusalDelta("k", "B")]) == [Text("A"), Refusal("B")]


def test_growth_of_an_opened_part_ends_an_implicit_one() -> None:
    deltas: list[Delta] = [Opened(0, Text("")), TextDelta("t", "A"), TextDelta(0, "B"), TextDelta("t", "C")]
    assert closed(deltas) == [Text("A"), Text("B"), Text("C")]
    events = assemble(deltas)
    assert [event.part for event in events if isinstance(event, TextGrew)] == [2, 1, 3]


def test_an_opening_ends_an_implicit_part() -> None:
    events = assemble([TextDelta("t", "A"), Opened(1, CALL), TextDelta("t", "B")])
    assert [event.part for event in events if isinstance(event, PartOpened)] == [1, 2, 3]


def test_arguments_beside_an_implicit_part_do_not_end_it() -> None:
    deltas: list[Delta] = [
        Opened(1, CALL),
        TextDelta("t", "A"),
        ArgumentsDelta(1, "{"),
        TextDelta("t", "B"),
        ArgumentsDelta(1, "}"),
    ]
    assert closed([*deltas, Finished("stop")]) == [msgspec.structs.replace(CALL, arguments="{}"), Text("AB")]


def test_what_was_opened_ends_only_at_done_or_finished() -> None:
    events = assemble([Opened(0, Text("")), TextDelta(0, "A"), Opened(1, CALL), TextDelta(0, "B"), Done(0)])
    assert PartClosed(1, Text("AB")) in events


def test_a_signature_seals_an_implicit_part() -> None:
    assert closed([ReasoningDelta("r", "one"), Signed("r", SIGNATURE), ReasoningDelta("r", "two")]) == [
        Reasoning("one", SIGNATURE),
        Reasoning("two"),
    ]


def test_a_signature_does_not_end_what_was_opened() -> None:
    deltas: list[Delta] = [
        Opened(0, Reasoning("")),
        ReasoningDelta(0, "A"),
        Signed(0, SIGNATURE),
        ReasoningDelta(0, "B"),
    ]
    assert closed(deltas) == [Reasoning("AB", SIGNATURE)]


def test_a_proof_without_words_is_reasoning_that_is_hidden() -> None:
    assert closed([Signed("r", SIGNATURE), ReasoningDelta("r", "shown")]) == [
        Reasoning("", SIGNATURE, redacted=True),
        Reasoning("shown"),
    ]


# Deltas 4: `Done` may bring the whole.


def test_a_missing_tail_is_shown_as_growth() -> None:
    events = assemble([Opened(0, Text("")), TextDelta(0, "Hel"), Done(0, Text("Hello"))])
    assert [event.text for event in events if isinstance(event, TextGrew)] == ["Hel", "lo"]
    assert PartClosed(1, Text("Hello")) in events


def test_a_whole_that_was_never_opened_is_told_from_its_opening_on() -> None:
    whole = msgspec.structs.replace(CALL, arguments='{"a":1}')
    assert kinds(assemble([Done(0, whole)])) == [
        "StepStarted",
        "PartOpened",
        "ArgumentsGrew",
        "PartClosed",
        "StepEnded",
    ]


def test_a_signature_of_the_whole_is_taken() -> None:
    assert closed([Opened(0, Reasoning("")), ReasoningDelta(0, "hm"), Done(0, Reasoning("hm", SIGNATURE))]) == [
        Reasoning("hm", SIGNATURE)
    ]


def test_a_whole_that_contradicts_what_was_shown_loses_with_a_warning() -> None:
    events = assemble([Opened(0, Text("")), TextDelta(0, "Hello"), Done(0, Text("Goodbye"))])
    assert PartClosed(1, Text("Hello")) in events
    assert warnings(events) == ["part_contradicted"]


def test_a_whole_of_another_kind_loses_with_a_warning() -> None:
    events = assemble([Opened(0, Text("")), TextDelta(0, "Hello"), Done(0, CALL)])
    assert PartClosed(1, Text("Hello")) in events
    assert warnings(events) == ["part_contradicted"]


def test_a_whole_without_words_only_ends() -> None:
    events = assemble([Opened(0, Text("")), TextDelta(0, "Hello"), Done(0, Text(""))])
    assert PartClosed(1, Text("Hello")) in events
    assert not warnings(events)


def test_done_for_what_is_not_open_is_nothing() -> None:
    assert closed([TextDelta("t", "A"), Done(9)]) == [Text("A")]


# Deltas 5: what is kept is whole at `Done`.


def test_a_kept_block_is_told_once_whole_when_it_is_done() -> None:
    grown = Kept("anthropic", "server_tool_use", Raw(b'{"name":"web_search","input":{"q":"x"}}'))
    events = assemble([Opened(0, SEARCH), Done(0, grown)])
    assert events[1:3] == [PartOpened(1, grown), PartClosed(1, grown)]


def test_numbers_rise_in_the_order_of_the_openings_also_beside_a_kept_block() -> None:
    events = assemble([Opened(0, SEARCH), Opened(1, Text("")), TextDelta(1, "A"), Done(0), Done(1)])
    assert [event.part for event in events if isinstance(event, PartOpened)] == [1, 2]
    assert PartClosed(2, SEARCH) in events


# Deltas 6: usage is the total so far.


def test_the_last_usage_counts() -> None:
    reports = [UsageReported(Usage(input=5, output=1)), UsageReported(Usage(input=5, output=9))]
    ended = assemble([TextDelta("t", "x"), *reports, Finished("stop")])[-1]
    assert isinstance(ended, StepEnded)
    assert ended.usage == Usage(input=5, output=9)


# Deltas 7 and events 5: a restart.


def test_a_restart_drops_the_step_and_uses_none_of_its_numbers_again() -> None:
    first: list[Delta] = [
        BEGAN,
        TextDelta("t", "lost"),
        UsageReported(Usage(output=4)),
        Restarted("the host went away"),
    ]
    events = assemble([*first, BEGAN, TextDelta("t", "kept"), Finished("stop")])
    assert kinds(events)[3:6] == ["PartClosed", "StepDropped", "StepStarted"]
    assert StepDropped(1, "the host went away") in events
    assert events[-4:] == [
        PartOpened(2, Text("")),
        TextGrew(2, "kept"),
        PartClosed(2, Text("kept")),
        StepEnded(2, "stop", MESSAGE),
    ]
    assert [message.text for message in fold_messages(events)] == ["kept"]


def test_a_restart_before_anything_was_shown_is_not_told() -> None:
    events = assemble([Restarted("no answer"), BEGAN, TextDelta("t", "x"), Finished("stop")])
    assert kinds(events)[0] == "StepStarted"
    assert events[-1] == StepEnded(1, "stop", MESSAGE)


def test_after_a_restart_another_host_may_answer() -> None:
    other = Began(model="sonnet", host="other", family="anthropic")
    events = assemble([TextDelta("t", "x"), Restarted("away"), other, TextDelta("t", "y")])
    assert StepStarted(2, Origin("other", "sonnet", "anthropic")) in events


# Deltas 8: `stop` with calls.


@pytest.mark.parametrize(
    ("said", "told"),
    [("stop", "tool_calls"), ("tool_calls", "tool_calls"), ("length", "length"), ("unknown", "unknown")],
)
def test_stop_with_calls_becomes_tool_calls(said: Finish, told: Finish) -> None:
    ended = assemble([Opened(0, CALL), ArgumentsDelta(0, "{}"), Finished(said, "raw word")])[-1]
    assert ended == StepEnded(1, told, MESSAGE, "raw word")


def test_stop_with_calls_of_a_dropped_attempt_stays_stop() -> None:
    events = assemble([Opened(0, CALL), Restarted("away"), TextDelta("t", "x"), Finished("stop")])
    assert events[-1] == StepEnded(2, "stop", MESSAGE)
