"""A turn's events as messages, and as the next turn's history."""

from parlance.core.events import (
    Event,
    PartClosed,
    PartOpened,
    StepDropped,
    StepEnded,
    StepStarted,
    TextGrew,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    TurnStarted,
)
from parlance.core.ids import CallId, MessageId, TurnId
from parlance.core.messages import Message, Origin, user_message
from parlance.core.parts import Reasoning, Text, ToolCall, ToolResult
from parlance.core.transcript import NOT_ANSWERED, answer_open_calls, fold_history, fold_messages, tool_message
from parlance.core.usage import Usage

ORIGIN = Origin("lab", "qwen3-32b", "openai_chat")
INPUT = user_message("What's the weather?")
PARIS = ToolCall(CallId("paris"), "get_weather", '{"city":"Paris"}')
ROME = ToolCall(CallId("rome"), "get_weather", '{"city":"Rome"}')
STARTED = TurnStarted(TurnId("turn"), "fast", INPUT)
USAGE = Usage(input=3, output=4)


def step(number: int, *parts: tuple[int, Text | Reasoning | ToolCall], finish: str | None = "stop") -> list[Event]:
    finished = StepEnded(
        number, "tool_calls" if finish == "tool_calls" else "stop", MessageId(f"m{number}"), usage=USAGE
    )
    cut = StepEnded(number, None, MessageId(f"m{number}"), usage=USAGE)
    return [
        StepStarted(number, ORIGIN),
        *(PartClosed(place, part) for place, part in parts),
        finished if finish else cut,
    ]


def roles(messages: tuple[Message, ...]) -> list[str]:
    return [message.role for message in messages]


def results(messages: tuple[Message, ...]) -> list[tuple[str, object]]:
    return [
        (part.call_id, part.output) for message in messages for part in message.parts if isinstance(part, ToolResult)
    ]


def test_each_step_and_each_result_is_a_message() -> None:
    returned = ToolReturned(ToolResult(PARIS.id, PARIS.name, "Sunny"))
    asked = step(1, (1, Reasoning("hm")), (2, PARIS), finish="tool_calls")
    messages = fold_messages([STARTED, *asked, ToolCalled(PARIS, "server"), returned, *step(2, (3, Text("Sunny.")))])
    assert roles(messages) == ["assistant", "tool", "assistant"]
    assert messages[0] == Message(MessageId("m1"), "assistant", (Reasoning("hm"), PARIS), ORIGIN, "tool_calls", USAGE)
    assert messages[2].text == "Sunny."


def test_parts_stand_in_the_order_of_their_opening_not_of_their_closing() -> None:
    (message,) = fold_messages(step(1, (2, PARIS), (1, Text("Looking"))))
    assert message.parts == (Text("Looking"), PARIS)


def test_a_cut_step_keeps_its_prose_and_not_its_calls() -> None:
    (message,) = fold_messages(step(1, (1, Text("Let me")), (2, PARIS), finish=None))
    assert message.parts == (Text("Let me"),)
    assert message.finish is None


def test_a_step_that_showed_nothing_is_no_message() -> None:
    assert fold_messages(step(1, (1, PARIS), finish=None)) == ()
    assert fold_messages(step(1)) == ()


def test_a_dropped_step_is_no_message() -> None:
    dropped: list[Event] = [StepStarted(1, ORIGIN), PartClosed(1, Text("lost")), StepDropped(1, "away")]
    assert [message.text for message in fold_messages([*dropped, *step(2, (2, Text("kept")))])] == ["kept"]


def test_growth_and_openings_say_nothing_that_closings_do_not() -> None:
    whole: list[Event] = [StepStarted(1, ORIGIN), PartOpened(1, Text("")), TextGrew(1, "Hi"), PartClosed(1, Text("Hi"))]
    ended = StepEnded(1, "stop", MessageId("m1"))
    assert fold_messages([*whole, ended]) == fold_messages([whole[0], whole[3], ended])


def test_history_is_the_input_and_what_was_shown() -> None:
    events = [STARTED, *step(1, (1, Text("Sunny."))), TurnEnded("completed", "stop")]
    assert [message.text for message in fold_history(events)] == [INPUT.text, "Sunny."]


def test_of_a_cut_turn_what_was_shown_is_history() -> None:
    for status in ("cancelled", "incomplete"):
        events = [STARTED, *step(1, (1, Text("Sun")), finish=None), TurnEnded(status)]
        assert [message.text for message in fold_history(events)] == [INPUT.text, "Sun"]


def test_of_a_failed_turn_only_the_input_is_history() -> None:
    events = [STARTED, *step(1, (1, Text("Sun")), finish=None), TurnEnded("failed")]
    assert fold_history(events) == (INPUT,)


def test_a_turn_without_input_has_a_history_of_what_was_shown() -> None:
    events = [TurnStarted(TurnId("turn"), "fast"), *step(1, (1, Text("Hi"))), TurnEnded("completed")]
    assert roles(fold_history(events)) == ["assistant"]


def test_every_call_in_history_has_a_result() -> None:
    asked = step(1, (1, PARIS), (2, ROME), finish="tool_calls")
    returned = ToolReturned(ToolResult(ROME.id, ROME.name, "Rain"))
    history = fold_history([STARTED, *asked, returned, TurnEnded("cancelled")])
    assert roles(history) == ["user", "assistant", "tool", "tool"]
    assert results(history) == [(ROME.id, "Rain"), (PARIS.id, NOT_ANSWERED)]


def test_open_calls_are_answered_behind_the_results_of_their_own_step() -> None:
    def asked(name: str, *calls: ToolCall) -> Message:
        return Message(MessageId(name), "assistant", calls)

    rain = tool_message(ToolResult(ROME.id, ROME.name, "Rain"))
    answered = answer_open_calls([INPUT, asked("a", PARIS, ROME), rain, INPUT, asked("b", PARIS)])
    assert roles(answered) == ["user", "assistant", "tool", "tool", "user", "assistant", "tool"]
    assert results(answered) == [(ROME.id, "Rain"), (PARIS.id, NOT_ANSWERED), (PARIS.id, NOT_ANSWERED)]


def test_a_history_whose_calls_are_answered_stays_as_it_is() -> None:
    sunny = tool_message(ToolResult(PARIS.id, PARIS.name, "Sunny"))
    messages = (INPUT, Message(MessageId("a"), "assistant", (PARIS,)), sunny)
    assert answer_open_calls(messages) == messages
    assert answer_open_calls(()) == ()
