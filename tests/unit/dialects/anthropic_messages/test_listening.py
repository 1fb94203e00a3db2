"""Single events, and whole answers: what the goldens do not show by themselves."""

import json

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
    Signed,
    TextDelta,
    Unknown,
    UsageReported,
)
from parlance.core.errors import (
    HostAnswerInvalid,
    HostFailed,
    HostKeyRefused,
    HostRateLimited,
    HostRejected,
    TruncatedAnswer,
    UpstreamError,
)
from parlance.core.ids import CallId
from parlance.core.parts import Annotation, Kept, Reasoning, Signature, Text, ToolCall
from parlance.core.provider import HostAnswer, Language
from parlance.core.usage import Usage
from parlance.dialects.anthropic_messages.quirks import QUIRKS
from parlance.dialects.anthropic_messages.speak import LANGUAGE
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.voices.anthropic_messages import encode_whole
from tests.strategies.steps import assemble
from tests.unit.dialects.anthropic_messages.told import feed, grow, start, stop

STOP = {"type": "message_stop"}


def decode(body: object, status: int = 200) -> list[Delta]:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return LANGUAGE.decode_answer(HostAnswer(status, {}, encoded), host="lab", quirks=frozenset())


def test_the_language_says_what_it_is() -> None:
    language: Language = LANGUAGE
    assert (language.family, language.framing) == ("anthropic_messages", "sse")
    assert language.models_path == "/models?limit=1000"
    assert language.quirks == set(QUIRKS)


@pytest.mark.requirement("anthropic_messages:stream:nothing")
def test_pings_and_empty_growth_say_nothing() -> None:
    assert feed({"type": "ping"}, grow(0, "text_delta", text=""), grow(0, "input_json_delta", partial_json="")) == []
    assert feed(grow(0, "thinking_delta", thinking=""), grow(0, "signature_delta", signature="")) == []
    assert feed({"type": "content_block_delta", "index": 0, "delta": None}) == []


@pytest.mark.requirement("anthropic_messages:stream:signature_replaces")
def test_a_signature_comes_whole_each_time() -> None:
    said = feed(start(0, type="thinking", thinking="", signature=""), *(
        grow(0, "signature_delta", signature=one) for one in ("a", "b")
    ), stop(0), STOP)  # fmt: skip
    assert assemble(said).parts == (Reasoning("", Signature("anthropic_messages", "b")),)


def test_a_block_may_bring_what_it_holds_with_its_start() -> None:
    citation = {"type": "page_location", "cited_text": "x"}
    said = feed(
        start(0, type="text", text="Hello", citations=[citation]),
        start(1, type="thinking", thinking="Hm", signature="c2ln"),
        STOP,
    )
    assert said[0] == Opened(0, Text("Hello"))
    annotation = said[1]
    assert isinstance(annotation, Annotated)
    assert annotation.annotation.type == "page_location"
    assert said[2] == Opened(1, Reasoning("Hm", Signature("anthropic_messages", "c2ln")))


def test_an_input_that_came_whole_counts_unless_it_streams_too() -> None:
    whole = start(0, type="tool_use", id="a", name="look", input={"a": 1.0})
    assert [one.text for one in feed(whole, stop(0)) if isinstance(one, ArgumentsDelta)] == ['{"a": 1.0}']
    streamed = feed(whole, grow(0, "input_json_delta", partial_json='{"b":2}'), stop(0))
    assert [one.text for one in streamed if isinstance(one, ArgumentsDelta)] == ['{"b":2}']


def test_a_call_without_an_id_gets_one_and_one_without_a_name_is_kept() -> None:
    opened = [one.part for one in feed(start(0, type="tool_use", name="look")) if isinstance(one, Opened)]
    assert isinstance(opened[0], ToolCall)
    assert opened[0].id.startswith("call_")
    (kept,) = [one.part for one in feed(start(0, type="tool_use", id="a")) if isinstance(one, Opened)]
    assert isinstance(kept, Kept)


def test_a_call_is_done_when_the_next_block_begins_or_the_message_ends() -> None:
    called = [start(0, type="tool_use", id="a", name="look", input={}), stop(0)]
    assert [type(one) for one in feed(*called)] == [Opened]
    assert [type(one) for one in feed(*called, start(1, type="text", text=""))] == [Opened, Done, Opened]
    assert [type(one) for one in feed(*called, {"type": "message_delta"})] == [Opened, Done]


@pytest.mark.requirement("anthropic_messages:stream:riders")
@pytest.mark.parametrize("before", [True, False])
def test_a_foreign_signature_of_a_call_finds_its_call(before: bool) -> None:
    rider = [start(1, type="redacted_thinking", data="parlance-call:gemini:a%3A0:Zm9y:y"), stop(1)]
    called = [start(0, type="tool_use", id="a:0", name="look", input={}), stop(0)]
    said = feed(*(rider + called if before else called + rider), STOP)
    assert assemble(said).parts == (ToolCall(CallId("a:0"), "look", "", Signature("gemini", "Zm9y:y")),)


def test_a_name_is_read_back_as_it_was() -> None:
    said = feed(start(0, type="tool_use", id="a", name="a_x2e_b_x61_", input={}))
    assert isinstance(said[0], Opened)
    assert isinstance(said[0].part, ToolCall)
    assert said[0].part.name == "a.b_x61_"


def test_a_kept_block_that_grows_wrongly_stays_as_it_was_opened() -> None:
    block = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    said = feed(start(0, **block), grow(0, "input_json_delta", partial_json='{"q'), stop(0))
    assert said[-1] == Done(0, Kept("anthropic_messages", "server_tool_use", Raw(json.dumps(block).encode())))


def test_a_block_that_is_none_is_passed_on_as_unknown() -> None:
    said = feed(start(0), stop(0), b'{"type":"content_block_start","index":1}', stop(1))
    assert [type(one) for one in said] == [Unknown, Unknown]


def test_an_event_may_be_named_by_its_frame_alone() -> None:
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    assert speaker.feed(b'{"delta":{"stop_reason":"end_turn"}}', "message_delta") == []
    assert speaker.feed(b"{}", "message_stop") == [Finished("stop", "end_turn")]
    assert speaker.feed(b"anything") == speaker.close() == []


def test_a_stop_without_a_reason_ends_with_an_unknown_one() -> None:
    assert feed(STOP) == [Finished("unknown", None)]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "overloaded_error", "message": "x"}, HostFailed),
        ({"type": "api_error", "message": "x"}, HostFailed),
        ({"type": "rate_limit_error", "message": "x"}, HostRateLimited),
        ({"type": "authentication_error", "message": "x"}, HostKeyRefused),
        ({"type": "invalid_request_error", "message": "x"}, HostRejected),
        ("just words", HostFailed),
    ],
)
def test_an_error_in_a_stream_has_its_class_by_its_type(error: object, kind: type[UpstreamError]) -> None:
    with pytest.raises(UpstreamError) as caught:
        feed(grow(0, "text_delta", text="Hel"), {"type": "error", "error": error})
    assert type(caught.value) is kind
    with pytest.raises(UpstreamError):
        LANGUAGE.speaker(host="lab", quirks=frozenset()).feed(b'{"message":"x"}', "error")


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":' + b'{"a":' * 100_000,
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"type":"ping","p":NaN}',
        b"[]",
        b"text",
        b'{"type":',
        b"",
    ],
)
def test_what_is_not_readable_is_an_error_and_no_crash(data: bytes) -> None:
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    with pytest.raises(HostAnswerInvalid, match="lab"):
        speaker.feed(data)


def test_broken_unicode_is_told_once_and_in_what_is_kept_mended() -> None:
    block = b'{"type":"content_block_start","index":0,"content_block":{"type":"thing","x":"\\ud83d"}}'
    said = feed(block, block, json.dumps(stop(0)).encode())
    kept = [one.part for one in said if isinstance(one, Done)]
    assert kept == [Kept("anthropic_messages", "thing", Raw(b'{"type":"thing","x":"\\ufffd"}'))]
    half = b'{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"\\ud83d"}}'
    assert [type(one) for one in feed(half, half)] == [Noted, ReasoningDelta, ReasoningDelta]


@pytest.mark.requirement("anthropic_messages:usage")
def test_input_is_the_sum_of_what_was_read_written_and_neither() -> None:
    told = {"input_tokens": 5, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 20, "output_tokens": 7}
    said = feed({"type": "message_delta", "usage": {**told, "output_tokens_details": {"thinking_tokens": 3}}})
    assert said == [UsageReported(Usage(125, 7, 20, 100, 3))]


def test_what_the_host_does_not_count_is_not_zero() -> None:
    assert feed({"type": "message_delta", "usage": {"output_tokens": 7}}) == [UsageReported(Usage(None, 7))]
    assert feed({"type": "message_delta", "usage": None}) == []


def test_a_signature_or_a_citation_needs_no_open_block() -> None:
    said = feed(grow(4, "signature_delta", signature="s"), grow(5, "citations_delta", citation={"type": "x"}), STOP)
    assert isinstance(said[0], Signed)
    assert said[1] == Annotated(5, Annotation("anthropic_messages", "x", Raw(b'{"type": "x"}')))


@pytest.mark.requirement("anthropic_messages:whole")
def test_a_whole_answer_is_read_as_a_stream_would_be() -> None:
    calls = (ScriptedCall("now", '{"zone": "UTC"}'), ScriptedCall("now"))
    reply = Reply(reasoning=("Hm",), signature="s1", text=("Hel", "lo"), calls=calls, usage=(9, 5), cached=4, thought=2)
    said = decode(encode_whole(reply))
    assert isinstance(said[0], Began)
    message = assemble(said)
    assert message.parts == (
        Reasoning("Hm", Signature("anthropic_messages", "s1")),
        Text("Hello"),
        ToolCall(CallId("toolu_0"), "now", '{"zone": "UTC"}'),
        ToolCall(CallId("toolu_1"), "now", ""),
    )
    assert (message.finish, message.usage) == ("tool_calls", Usage(9, 5, 4, 0, 2))


@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b"[]", b'{"hello":1}', b'{"a":'])
def test_another_answer_than_the_languages_is_invalid(body: bytes) -> None:
    with pytest.raises(HostAnswerInvalid, match="base URL"):
        decode(body)


@pytest.mark.requirement("anthropic_messages:faults:under_200")
def test_an_error_with_a_good_status_is_raised_all_the_same() -> None:
    with pytest.raises(HostFailed, match="Overloaded"):
        decode({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    with pytest.raises(HostRejected, match="too long"):
        decode({"error": {"type": "invalid_request_error", "message": "too long"}}, 400)


def test_a_cut_answer_says_so() -> None:
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    assert speaker.feed(json.dumps(grow(0, "text_delta", text="Hel")).encode()) == [TextDelta(0, "Hel")]
    with pytest.raises(TruncatedAnswer, match="lab"):
        speaker.close()


@pytest.mark.requirement("anthropic_messages:models")
def test_models_are_listed_without_the_retired() -> None:
    rows = [{"id": "a", "lifecycle": "active"}, {"id": "b", "lifecycle": "retired"}, {"id": "c"}, {"id": "a"}, {}]
    assert LANGUAGE.decode_models(json.dumps({"data": rows, "has_more": False}).encode()) == ("a", "c")
    for listed in (b"<html>", b"{}", b'{"data":5}', b"[" * 5000):
        with pytest.raises(HostAnswerInvalid):
            LANGUAGE.decode_models(listed)
