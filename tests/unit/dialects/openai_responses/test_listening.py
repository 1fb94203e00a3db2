"""Single events, and whole answers: what the goldens do not show by themselves."""

import json

import pytest

from parlance.core.deltas import (
    Annotated,
    ArgumentsDelta,
    Began,
    Delta,
    Done,
    Finished,
    Opened,
    ReasoningDelta,
    TextDelta,
    Unknown,
    UsageReported,
)
from parlance.core.errors import HostAnswerInvalid, HostFailed, HostRateLimited, HostRejected, TruncatedAnswer
from parlance.core.json import JsonObject, JsonValue
from parlance.core.parts import Kept, Reasoning, Refusal, Signature, Text, ToolCall
from parlance.core.provider import HostAnswer, Language
from parlance.core.usage import Usage
from parlance.dialects.openai_responses.quirks import QUIRKS
from parlance.dialects.openai_responses.serve import TurnFrames, encode_answer
from parlance.dialects.openai_responses.speak import LANGUAGE
from parlance.dialects.openai_responses.told import echo_request
from tests.golden.transcripts import read
from tests.strategies.steps import assemble
from tests.unit.dialects.openai_chat.told import call as a_call
from tests.unit.dialects.openai_chat.told import call_events, text_events, turn

CREATED: JsonObject = {"type": "response.created", "response": {"id": "resp_1", "model": "m"}}
DONE: JsonObject = {"type": "response.completed", "response": {"status": "completed"}}


def feed(*events: JsonObject | bytes) -> list[Delta]:
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    fed = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    return [delta for data in fed for delta in speaker.feed(data)]


def decode(body: object, status: int = 200) -> list[Delta]:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = HostAnswer(status, {"content-type": "application/json"}, encoded)
    return list(LANGUAGE.decode_answer(answer, host="lab", quirks=frozenset()))


def test_the_language_says_what_it_is() -> None:
    language: Language = LANGUAGE
    assert (language.family, language.framing, language.models_path) == ("openai_responses", "sse", "/models")
    assert language.quirks == set(QUIRKS)
    assert language.decode_models(b'{"object":"list","data":[{"id":"a"},{"id":"b"}]}') == ("a", "b")


@pytest.mark.parametrize("response", [{}, {"id": "resp_1"}, {"status": "completed"}])
def test_an_event_that_says_it_failed_is_a_failure_whatever_its_response_says(response: JsonObject) -> None:
    with pytest.raises(HostFailed):
        feed(CREATED, {"type": "response.failed", "response": response})


def test_an_event_that_says_it_is_incomplete_counts_where_its_response_has_no_status() -> None:
    cut: JsonObject = {"incomplete_details": {"reason": "max_output_tokens"}}
    assert feed({"type": "response.incomplete", "response": cut})[-1] == Finished("length", "max_output_tokens")
    assert feed({"type": "response.incomplete", "response": {}})[-1] == Finished("unknown", "incomplete")


@pytest.mark.requirement("openai_responses:stream:missing_lifecycle")
def test_growth_whose_part_was_never_opened_opens_it() -> None:
    said = feed({"type": "response.output_text.delta", "output_index": 2, "content_index": 1, "delta": "Hi"})
    assert said == [Opened(131075, Text("")), TextDelta(131075, "Hi")]
    refused = feed({"type": "response.refusal.delta", "delta": "No"})
    assert isinstance(refused[0], Opened)
    assert refused[0].part == Refusal("")


def test_empty_growth_says_nothing() -> None:
    assert feed({"type": "response.function_call_arguments.delta", "delta": ""}) == []
    assert [type(one) for one in feed({"type": "response.output_text.delta", "delta": ""})] == [Opened]


def test_growth_and_openings_behind_the_end_of_an_item_say_nothing_new() -> None:
    item: JsonObject = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "x"}
    first = feed({"type": "response.output_item.done", "output_index": 0, "item": item})
    again = feed(
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0},
    )
    assert first == again


@pytest.mark.requirement("openai_responses:stream:encrypted_at_done")
def test_only_the_proof_of_the_whole_item_counts() -> None:
    said = feed(
        {"type": "response.output_item.added", "item": {"id": "r", "type": "reasoning", "encrypted_content": "half"}},
        {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "hm"},
        {
            "type": "response.output_item.done",
            "item": {
                "id": "r",
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "whole",
            },
        },
    )
    assert said == [
        Opened(2, Reasoning("", redacted=True, summary=True)),
        ReasoningDelta(2, "hm"),
        Done(2, Reasoning("hm", Signature("openai_responses", "whole", "r"), summary=True)),
    ]


@pytest.mark.requirement("openai_responses:stream:reasoning_summary")
def test_a_part_of_an_item_ends_when_the_next_one_begins_and_is_not_said_again() -> None:
    summary: list[JsonValue] = [{"type": "summary_text", "text": text} for text in ("one", "two")]
    item: JsonObject = {"id": "r", "type": "reasoning", "summary": summary, "encrypted_content": "x"}
    said = feed(
        {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "one"},
        {"type": "response.reasoning_summary_text.delta", "summary_index": 1, "delta": "tw"},
        {"type": "response.output_item.done", "item": item},
    )
    assert said == [
        Opened(2, Reasoning("", summary=True)),
        ReasoningDelta(2, "one"),
        Done(2),
        Opened(4, Reasoning("", summary=True)),
        ReasoningDelta(4, "tw"),
        Done(4, Reasoning("two", Signature("openai_responses", "x", "r"), summary=True)),
    ]


def test_text_behind_the_end_of_its_item_says_nothing() -> None:
    item: JsonObject = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    late: JsonObject = {"type": "response.output_text.delta", "delta": "!"}
    assert [type(one) for one in feed({"type": "response.output_item.done", "item": item}, late)] == [Opened, Done]


def test_a_thought_that_is_empty_and_unsigned_is_none() -> None:
    item: JsonObject = {"id": "r", "type": "reasoning", "summary": []}
    assert feed({"type": "response.output_item.done", "item": item}) == []


@pytest.mark.requirement("openai_responses:stream:call_ids")
def test_the_id_of_a_call_is_not_the_id_of_its_item() -> None:
    item: JsonObject = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": ""}
    opened, grew, done = feed(
        {"type": "response.output_item.added", "item": item},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": '{"a":1}'},
        {"type": "response.function_call_arguments.done", "item_id": "fc_1", "arguments": '{"a":1}'},
        {"type": "response.output_item.done", "item": {**item, "arguments": '{"a":1}'}},
    )
    assert opened == Opened(0, ToolCall(a_call("call_1").id, "f", "", upstream_id="fc_1"))
    assert grew == ArgumentsDelta(0, '{"a":1}')
    assert done == Done(0, ToolCall(a_call("call_1").id, "f", '{"a":1}', upstream_id="fc_1"))


def test_a_call_without_an_id_gets_one_and_one_without_a_name_waits_for_it() -> None:
    nameless: JsonObject = {"type": "function_call", "call_id": "c"}
    assert feed({"type": "response.output_item.added", "item": nameless}) == []
    (opened,) = feed({"type": "response.output_item.added", "item": {"type": "function_call", "name": "f"}})
    assert isinstance(opened, Opened)
    assert isinstance(opened.part, ToolCall)
    assert opened.part.id.startswith("call_")


@pytest.mark.requirement("openai_responses:stream:hosted")
@pytest.mark.parametrize(
    "kind",
    """file_search_call.in_progress file_search_call.searching file_search_call.completed web_search_call.in_progress
    web_search_call.searching web_search_call.completed code_interpreter_call.in_progress
    code_interpreter_call.interpreting code_interpreter_call.completed code_interpreter_call_code.delta
    code_interpreter_call_code.done image_generation_call.in_progress image_generation_call.generating
    image_generation_call.partial_image image_generation_call.completed mcp_list_tools.in_progress
    mcp_list_tools.completed mcp_list_tools.failed mcp_call.in_progress mcp_call.completed mcp_call.failed
    mcp_call_arguments.delta mcp_call_arguments.done shell_call_command.added shell_call_command.delta
    shell_call_command.done shell_call_output_content.delta shell_call_output_content.done
    compaction.compacting""".split(),
)
def test_a_hosts_own_tools_at_work_say_nothing(kind: str) -> None:
    assert feed({"type": f"response.{kind}", "output_index": 0, "item_id": "x", "delta": "{"}) == []


@pytest.mark.parametrize("kind", ["compaction", "mcp_call", "computer_call", "acme:thing"])
def test_an_item_that_only_this_family_understands_is_kept_whole(kind: str) -> None:
    item: JsonObject = {"type": kind, "id": "x", "n": 1.0}
    opened, done = feed({"type": "response.output_item.done", "output_index": 1, "item": item})
    assert isinstance(opened, Opened)
    assert isinstance(opened.part, Kept)
    assert (opened.part.type, json.loads(bytes(opened.part.data))) == (kind, item)
    assert done == Done(opened.key)


@pytest.mark.requirement("openai_responses:stream:annotations")
def test_an_annotation_that_is_none_says_nothing() -> None:
    assert feed({"type": "response.output_text.annotation.added", "annotation": None}) == []
    (said,) = feed({"type": "response.output_text.annotation.added", "annotation": {"type": "file_path"}})
    assert isinstance(said, Annotated)
    assert said.annotation.type == "file_path"


@pytest.mark.requirement("openai_responses:stream:unknown")
@pytest.mark.parametrize("kind", ["response.audio.delta", "response.audio.transcript.done", "response.steer.pending"])
def test_an_event_we_do_not_know_is_passed_on(kind: str) -> None:
    (said,) = feed({"type": kind, "n": 1})
    assert isinstance(said, Unknown)
    assert said.type == kind


def test_the_name_of_the_event_stands_in_for_a_missing_type() -> None:
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    assert speaker.feed(b'{"delta":"Hi"}', "response.output_text.delta")[1] == TextDelta(1, "Hi")


@pytest.mark.requirement("openai_responses:stream:error")
@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"type": "error", "code": "server_error", "message": "x", "param": None, "sequence_number": 3}, HostFailed),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "x"}, HostRateLimited),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "x"}, "status": 400}, HostRejected),
        ({"error": {"message": "x", "type": "server_error"}}, HostFailed),
        ({"error": "x"}, HostFailed),
    ],
)
def test_an_error_is_raised_in_each_of_its_forms(event: JsonObject, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="lab failed in the middle of its answer: x"):
        feed(CREATED, event)


@pytest.mark.requirement("openai_responses:stream:failed")
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "server_error", "message": "x"}, HostFailed),
        ({"code": "rate_limit_exceeded", "message": "x"}, HostRateLimited),
        ({"code": "invalid_prompt", "message": "x"}, HostRejected),
        ({"code": "bio_policy", "message": "x"}, HostRejected),
        ({"code": "image_too_large", "message": "x"}, HostRejected),
        (None, HostFailed),
    ],
)
def test_a_failed_response_is_raised(error: JsonObject | None, kind: type[Exception]) -> None:
    failed: JsonObject = {"status": "failed", "error": error}
    with pytest.raises(kind):
        feed(CREATED, {"type": "response.failed", "response": failed})
    with pytest.raises(kind):
        decode(failed)


@pytest.mark.requirement("openai_responses:stream:terminal")
def test_done_is_no_end_and_nothing_is_said_behind_the_end() -> None:
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    speaker.feed(json.dumps(CREATED).encode())
    assert speaker.feed(b"[DONE]") == []
    with pytest.raises(TruncatedAnswer):
        speaker.close()
    assert speaker.feed(json.dumps(DONE).encode()) == [Finished("stop", "completed")]
    assert speaker.feed(b"[DONE]") == speaker.feed(b"anything") == speaker.close() == []


@pytest.mark.requirement("openai_responses:stream:cancelled")
@pytest.mark.parametrize("status", ["cancelled", "queued", "in_progress"])
def test_a_response_that_is_not_at_its_end_is_not_whole(status: str) -> None:
    with pytest.raises(TruncatedAnswer, match=status):
        decode({"id": "r", "status": status, "output": []})


@pytest.mark.requirement("openai_responses:finish:incomplete")
@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("max_output_tokens", "length"),
        ("max_messages", "length"),
        ("content_filter", "filtered"),
        ("steered", "continue"),
        ("out_of_tea", "unknown"),
    ],
)
def test_each_reason_to_be_incomplete_has_its_finish(reason: str, finish: str) -> None:
    response: JsonObject = {"status": "incomplete", "incomplete_details": {"reason": reason}}
    ended = feed({"type": "response.incomplete", "response": response})[-1]
    assert isinstance(ended, Finished)
    assert (ended.reason, ended.raw) == (finish, reason)


@pytest.mark.requirement("openai_responses:usage")
def test_usage_has_totals_and_subsets() -> None:
    usage: JsonObject = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 17,
    }
    told = feed({"type": "response.completed", "response": {"status": "completed", "usage": usage}})
    assert told[1] == UsageReported(Usage(10, 7, 4, 2, 5))
    assert [type(one) for one in feed(DONE)] == [Began, Finished]


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"response.completed","response":' + b"[" * 100_000,
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


@pytest.mark.requirement("openai_responses:whole")
def test_a_whole_answer_says_what_a_stream_would_have_said() -> None:
    events = turn(*text_events(0, "Hello"), *call_events(1, a_call("c")), finish="tool_calls", usage=Usage(1, 2))
    streamed = TurnFrames(created=5, echo=echo_request({})).encode(events)
    whole = encode_answer(events, created=5, echo=echo_request({}))
    assert assemble(decode(whole)) == assemble(list(read(LANGUAGE, streamed, quirks=frozenset())))


def test_json_that_is_no_response_is_refused() -> None:
    bodies: tuple[JsonObject, ...] = ({"hello": "world"}, {"choices": []})
    for body in bodies:
        with pytest.raises(HostAnswerInvalid, match="no response"):
            decode(body)
    with pytest.raises(HostAnswerInvalid):
        decode(b"<html>")
    with pytest.raises(HostFailed):
        decode({"error": {"message": "x"}})
