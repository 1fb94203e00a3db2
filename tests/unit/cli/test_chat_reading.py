"""Frames of the WebSocket chat, read by a client: each thing told once, in order, with one ending."""

import json

import pytest

from parlance.cli.chat.conversation import MAX_HISTORY, Conversation
from parlance.cli.chat.endings import exit_code, tell_trouble, tell_usage
from parlance.cli.chat.heard import decode_frame
from parlance.cli.chat.reading import AnswerReading
from parlance.cli.chat.told import CallTold, Ended, ReasoningTold, ResultTold, Started, TextTold, Told, Warned
from parlance.core.usage import Usage


def read(reading: AnswerReading, *frames: dict[str, object]) -> list[Told]:
    return [told for frame in frames for told in reading.take(decode_frame(json.dumps({"request_id": "1", **frame})))]


def chunk(kind: str, data: object) -> dict[str, object]:
    text = data if isinstance(data, str) else json.dumps(data)
    return {"status": "chunk", "chunk": {"type": kind, "data": text}, "turn_id": "t", "cursor": f"e-{text}"}


def snapshot(*parts: dict[str, object]) -> dict[str, object]:
    return {"status": "snapshot", "snapshot": {"parts": parts, "status": "running"}, "turn_id": "t", "cursor": "f-9"}


def test_each_frame_is_told_in_its_kind_and_what_is_unknown_is_left_out() -> None:
    reading = AnswerReading("1")
    told = read(
        reading,
        {"status": "processing", "chunk": {"metadata": {"user_message": "Hello"}}, "turn_id": "t", "later": [1]},
        chunk("reasoning", "Hm."),
        chunk("tool_call", {"id": "c", "name": "stock", "arguments": "{}", "runner": "server", "expires_at": None}),
        chunk("tool_result", {"tool_call_id": "c", "output": None, "error": "sold out"}),
        chunk("picture", "?"),
        {"status": "later"},
        chunk("warning", {"code": "w", "message": "Careful."}),
        chunk("text", "Hi"),
        {"status": "complete", "metadata": {"status": "completed", "finish_reason": "stop", "usage": {"input": 1}}},
    )
    assert told == [
        Started("1", "t"),
        ReasoningTold("Hm."),
        CallTold("c", "stock", "{}", "server"),
        ResultTold("c", None, "sold out"),
        Warned("w", "Careful."),
        TextTold("Hi"),
        Ended("completed", "1", "t", "e-Hi", finish="stop", usage=Usage(input=1)),
    ]
    assert reading.text == "Hi"


def test_a_snapshot_adds_what_was_not_told_yet() -> None:
    reading = AnswerReading("1")
    read(reading, chunk("reasoning", "Hm"), chunk("text", "one tw"), chunk("tool_call", {"id": "c"}))
    told = read(
        reading,
        snapshot(
            {"kind": "reasoning", "text": "Hm."},
            {"kind": "text", "text": "one "},
            {"kind": "tool_call", "id": "c", "name": "stock", "arguments": "{}"},
            {"kind": "tool_result", "call_id": "c", "name": "stock", "output": "12"},
            {"kind": "text", "text": "two"},
            {"kind": "tool_call", "id": "d", "name": "look", "arguments": "{}"},
            {"kind": "tool_result", "call_id": "d", "output": [{"kind": "text", "text": "x"}], "is_error": True},
            {"kind": "refusal", "text": "No."},
        ),
        chunk("text", " three"),
    )
    assert told == [
        ReasoningTold("."),
        ResultTold("c", "12", None),
        TextTold("o"),
        CallTold("d", "look", "{}", "server"),
        ResultTold("d", None, '[{"kind": "text", "text": "x"}]'),
        TextTold("No."),
        TextTold(" three"),
    ]
    assert reading.text == "one twoNo. three"


def test_a_snapshot_of_another_answer_is_told_whole_and_said_to_be_so() -> None:
    reading = AnswerReading("1")
    read(reading, chunk("text", "one"))
    warned, text = read(reading, snapshot({"kind": "text", "text": "another"}))
    assert isinstance(warned, Warned)
    assert text == TextTold("another")
    assert reading.text == "another"


@pytest.mark.parametrize(
    ("frame", "concerns"),
    [
        ({"request_id": "1", "status": "chunk"}, True),
        ({"request_id": "0", "status": "error"}, False),
        ({"request_id": None, "status": "error", "code": "key_missing"}, True),
        ({"request_id": None, "status": "error", "rejected_request_id": "1"}, False),
        ({"request_id": None, "status": "authenticated"}, False),
    ],
)
def test_only_frames_of_the_answer_and_errors_of_nobody_concern_it(frame: dict[str, object], concerns: bool) -> None:
    assert AnswerReading("1").concerns(decode_frame(json.dumps(frame))) is concerns


@pytest.mark.parametrize(
    ("ended", "code", "trouble"),
    [
        (Ended("completed", "1", finish="stop"), 0, None),
        (Ended("completed", "1", finish="filtered"), 0, "content filter"),
        (Ended("cancelled", "1"), 130, None),
        (Ended("cancelled", "1", code="left"), 130, None),
        (Ended("cancelled", "1", code="abandoned", message="Given up."), 1, "Given up."),
        (Ended("failed", "1", code="overloaded", message="Too much.", retry_after=2.0), 1, "again in 2 s"),
        (Ended("failed", "1", code="key_missing", message='Send {"action"}'), 1, "PARLANCE_KEY"),
        (Ended("incomplete", "1"), 1, "incomplete"),
    ],
)
def test_an_ending_has_an_exit_code_and_says_what_is_wrong(ended: Ended, code: int, trouble: str | None) -> None:
    assert exit_code(ended) == code
    told = tell_trouble(ended)
    assert told is None if trouble is None else trouble in (told or "")


def test_usage_that_nobody_told_is_not_made_up() -> None:
    assert tell_usage(Ended("completed", "1"), 1.25) == "unknown model · 1.2 s"
    told = tell_usage(Ended("completed", "1", model="m", usage=Usage(output=3, estimated=True)), 0.0)
    assert told == "m · about ? tokens in, 3 out · 0.0 s"


def test_a_history_keeps_the_newest_within_its_bound() -> None:
    conversation = Conversation("Be brief.")
    for number in range(5):
        conversation.add(f"question {number}", "x" * (MAX_HISTORY // 3))
    said = [(message.role, message.content[:10]) for message in conversation.history()]
    assert said == [
        ("system", "Be brief."),
        ("user", "question 3"),
        ("assistant", "xxxxxxxxxx"),
        ("user", "question 4"),
        ("assistant", "xxxxxxxxxx"),
    ]


def test_a_conversation_is_saved_as_markdown() -> None:
    conversation = Conversation()
    conversation.add("Is it so?\n", "It **is**.")
    conversation.add("And now?", "")
    assert conversation.to_markdown() == (
        "# Conversation\n\n## You\n\nIs it so?\n\n## Assistant\n\nIt **is**.\n\n"
        "## You\n\nAnd now?\n\n## Assistant\n\n(no answer)\n"
    )
