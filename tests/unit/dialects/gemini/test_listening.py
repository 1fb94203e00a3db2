"""Answers of hosts beyond the recorded ones: what a stream may bring, and answers in one piece."""

import json

import pytest

from parlance.core.deltas import Began, Finished, Opened, ReasoningDelta, Signed, TextDelta, UsageReported
from parlance.core.errors import HostAnswerInvalid, HostFailed, TruncatedAnswer
from parlance.core.parts import Kept, Signature, Text, ToolCall
from parlance.core.provider import HostAnswer
from parlance.core.usage import Finish, Usage
from parlance.dialects.gemini.speak import LANGUAGE
from parlance.net.sse import SseReader
from tests.unit.dialects.gemini.told import chunk, feed


@pytest.mark.requirement("gemini:finish:words")
@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "filtered"),
        ("RECITATION", "filtered"),
        ("LANGUAGE", "filtered"),
        ("BLOCKLIST", "filtered"),
        ("PROHIBITED_CONTENT", "filtered"),
        ("SPII", "filtered"),
        ("MODEL_ARMOR", "filtered"),
        ("ESCALATION", "filtered"),
        ("PUP_LIMITED_DISABLED", "filtered"),
        ("IMAGE_SAFETY", "filtered"),
        ("IMAGE_PROHIBITED_CONTENT", "filtered"),
        ("IMAGE_RECITATION", "filtered"),
        ("IMAGE_OTHER", "filtered"),
        ("CONTINUATION", "continue"),
        ("NO_IMAGE", "error"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("UNEXPECTED_TOOL_CALL", "error"),
        ("TOO_MANY_TOOL_CALLS", "error"),
        ("MISSING_THOUGHT_SIGNATURE", "error"),
        ("MALFORMED_RESPONSE", "error"),
        ("OTHER", "error"),
        ("FINISH_REASON_UNSPECIFIED", "unknown"),
        ("SOMETHING_NEW", "unknown"),
    ],
)
def test_every_finish_reason_has_its_meaning(word: str, finish: Finish) -> None:
    assert feed(chunk(finish=word), ends=True)[-1] == Finished(finish, word)


@pytest.mark.requirement("gemini:usage")
@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"promptTokenCount": 9, "candidatesTokenCount": 4, "totalTokenCount": 13}, Usage(9, 4)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 3}, Usage(9, 7, reasoning=3)),
        ({"promptTokenCount": 9, "thoughtsTokenCount": 3}, Usage(9, 3, reasoning=3)),
        ({"promptTokenCount": 9, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 1}, Usage(14, 1)),
        ({"promptTokenCount": 9, "cachedContentTokenCount": 8, "candidatesTokenCount": 1}, Usage(9, 1, cached=8)),
        ({"promptTokenCount": 9, "totalTokenCount": 9}, Usage(9, 0)),
        ({"promptTokenCount": 9, "totalTokenCount": 12}, Usage(9, None)),
        ({"totalTokenCount": 12}, Usage(None, None)),
    ],
)
def test_totals_are_summed_from_what_the_wire_counts_apart(told: dict[str, int], usage: Usage) -> None:
    assert feed({**chunk(finish="STOP"), "usageMetadata": told})[-1] == UsageReported(usage)


@pytest.mark.requirement("gemini:stream:usage_running")
def test_a_running_count_of_the_prompt_alone_is_no_count_of_the_answer() -> None:
    running = {**chunk({"text": "x"}), "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}
    assert feed(running)[-1] == TextDelta("text", "x")


@pytest.mark.requirement("gemini:stream:text_signature")
def test_a_signature_seals_the_text_before_it_and_stands_alone_without_any() -> None:
    signature = Signature("gemini", "AAAA")
    told = feed(
        chunk({"text": "a", "thoughtSignature": "AAAA"}), chunk({"text": "b"}), chunk({"thoughtSignature": "AAAA"})
    )
    assert told[1:] == [
        TextDelta("text", "a"),
        Signed("text", signature),
        TextDelta("text", "b"),
        Signed("text", signature),
    ]
    alone = feed(chunk({"text": "Hm", "thought": True}, {"text": "", "thoughtSignature": "AAAA"}))
    assert alone[1] == ReasoningDelta("reasoning", "Hm")
    assert alone[2] == Opened("text", Text("", signature=signature))


@pytest.mark.requirement("gemini:stream:foreign_signature")
def test_wrapped_signatures_of_other_families_are_unwrapped() -> None:
    wrapped = "cGFybGFuY2U6YW50aHJvcGljX21lc3NhZ2VzOnp6eg=="
    assert feed(chunk({"text": "a", "thoughtSignature": wrapped}))[-1] == (
        Signed("text", Signature("anthropic_messages", "zzz"))
    )
    broken = "cGFybGFuY2U6!"
    assert feed(chunk({"text": "a", "thoughtSignature": broken}))[-1] == Signed("text", Signature("gemini", broken))


@pytest.mark.requirement("gemini:request:names")
def test_escaped_names_of_tools_are_read_back() -> None:
    opened = feed(chunk({"functionCall": {"name": "x:1st"}}))[1]
    assert isinstance(opened, Opened)
    assert isinstance(opened.part, ToolCall)
    assert opened.part.name == "1st"


def test_a_call_without_a_name_is_left_out_and_it_is_said() -> None:
    assert [type(delta).__name__ for delta in feed(chunk({"functionCall": {"args": {}}}))] == ["Began", "Noted"]


@pytest.mark.requirement("gemini:stream:error")
@pytest.mark.parametrize(
    "tail",
    [
        b'{"error":{"code":503,"message":"Said.","status":"UNAVAILABLE"}}',
        b'{\r\n  "error": {\r\n    "code": 503,\r\n    "message": "Said."\r\n  }\r\n}\r\n',
        b'data: {"error":{"code":503,"message":"Said."}}\r\n\r\n',
        b'data: [{"error":{"code":503,"message":"Said."}}]\r\n\r\n',
    ],
)
def test_an_error_in_the_stream_is_raised_however_it_stands_there(tail: bytes) -> None:
    reader, speaker = SseReader(), LANGUAGE.speaker(host="lab", quirks=frozenset())
    body = b"data: " + json.dumps(chunk({"text": "Hel"})).encode() + b"\r\n\r\n" + tail
    frames = [*reader.feed(body), *reader.close()]
    assert speaker.feed(*frames[0])[1:] == [TextDelta("text", "Hel")]
    with pytest.raises(HostFailed, match="Said"):
        speaker.feed(*frames[1])


@pytest.mark.requirement("gemini:whole")
def test_an_answer_in_one_piece_says_the_same() -> None:
    told = {**chunk({"text": "Hm", "thought": True}, {"text": "Hi"}, finish="STOP"), "responseId": "r"}
    deltas = LANGUAGE.decode_answer(HostAnswer(200, {}, json.dumps(told).encode()), host="lab", quirks=frozenset())
    assert deltas == [
        Began("m", "r", family="gemini"),
        ReasoningDelta("reasoning", "Hm"),
        TextDelta("text", "Hi"),
        Finished("stop", "STOP"),
    ]
    unfinished = json.dumps(chunk({"text": "Hi"})).encode()
    listed = HostAnswer(200, {}, b"[%b,%b]" % (unfinished, unfinished))
    assert LANGUAGE.decode_answer(listed, host="lab", quirks=frozenset())[-1] == Finished("unknown")


@pytest.mark.requirement("gemini:whole")
@pytest.mark.parametrize("answered", [b"{}", b'{"hello":1}', b"[]", b'"x"', b"<html>", b'{"candidates":[]}'])
def test_what_is_no_answer_is_refused(answered: bytes) -> None:
    with pytest.raises(HostAnswerInvalid, match="lab"):
        LANGUAGE.decode_answer(HostAnswer(200, {}, answered), host="lab", quirks=frozenset())


@pytest.mark.parametrize("listed", [b"[]", b"{}", b'{"models":3}', b"x", b'{"models":[3]}'])
def test_what_is_no_list_of_models_is_refused(listed: bytes) -> None:
    with pytest.raises(HostAnswerInvalid, match="list of models"):
        LANGUAGE.decode_models(listed)


def test_one_chunk_may_hold_thousands_of_calls_and_kept_parts() -> None:
    calls = [{"functionCall": {"name": "look", "args": {}, "id": f"c{number}"}} for number in range(20_000)]
    codes = [{"executableCode": {"code": str(number)}} for number in range(20_000)]
    opened = [delta.part for delta in feed(chunk(*calls, *codes, {})) if isinstance(delta, Opened)]
    assert [part.id for part in opened if isinstance(part, ToolCall)] == [f"c{number}" for number in range(20_000)]
    assert [bytes(part.data) for part in opened if isinstance(part, Kept)] == [
        json.dumps(code).encode() for code in codes
    ]


def test_a_stream_that_says_nothing_is_cut() -> None:
    with pytest.raises(TruncatedAnswer, match="lab"):
        feed(ends=True)
