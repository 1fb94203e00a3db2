"""Single chunks, and whole answers: what the goldens do not show by themselves."""

import json

import pytest

from parlance.core.deltas import ArgumentsDelta, Began, Finished, Opened, ReasoningDelta, TextDelta, UsageReported
from parlance.core.errors import HostAnswerInvalid, HostFailed, HostRejected, TruncatedAnswer
from parlance.core.parts import Text, ToolCall
from parlance.core.provider import HostAnswer, Language
from parlance.core.usage import Usage
from parlance.dialects.openai_chat.quirks import QUIRKS
from parlance.dialects.openai_chat.serve import encode_answer
from parlance.dialects.openai_chat.speak import LANGUAGE
from tests.strategies.steps import assemble
from tests.unit.dialects.openai_chat.told import call as a_call
from tests.unit.dialects.openai_chat.told import call_events, chunk, feed, text_events, turn


def answer(body: object, status: int = 200) -> HostAnswer:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HostAnswer(status, {"content-type": "application/json"}, encoded)


def decode(body: object, status: int = 200) -> list[object]:
    return list(LANGUAGE.decode_answer(answer(body, status), host="lab", quirks=frozenset()))


def test_the_language_says_what_it_is() -> None:
    language: Language = LANGUAGE
    assert (language.family, language.framing, language.models_path) == ("openai_chat", "sse", "/models")
    assert language.quirks == set(QUIRKS)


@pytest.mark.requirement("openai_chat:stream:empty_content")
def test_empty_content_says_nothing() -> None:
    said = feed(chunk({"role": "assistant", "content": ""}), chunk({"content": None}), chunk({"role": "assistant"}))
    assert [type(delta) for delta in said] == [Began]


@pytest.mark.requirement("openai_chat:stream:arguments_held_back")
def test_arguments_wait_for_the_name_of_their_call() -> None:
    def fragment(**function: str) -> object:
        return chunk({"tool_calls": [{"index": 0, "id": "c", "function": function}]})

    said = feed(fragment(arguments="{"), fragment(arguments='"a"'), fragment(name="look", arguments=":1}"))
    assert [type(delta) for delta in said] == [Began, Opened, ArgumentsDelta]
    assert said[2] == ArgumentsDelta(0, '{"a":1}')


def test_a_name_that_is_repeated_on_every_fragment_is_one_call() -> None:
    said = feed(
        *(
            chunk({"tool_calls": [{"index": 0, "function": {"name": "look", "arguments": text}}]})
            for text in ('{"a"', ":1}", "")
        )
    )
    assert [type(delta) for delta in said] == [Began, Opened, ArgumentsDelta, ArgumentsDelta]


def test_two_calls_with_one_id_become_two_ids() -> None:
    calls = [{"index": i, "id": "same", "function": {"name": "look", "arguments": "{}"}} for i in (0, 1)]
    opened = [delta.part for delta in feed(chunk({"tool_calls": calls})) if isinstance(delta, Opened)]
    first, second = (part for part in opened if isinstance(part, ToolCall))
    assert first.id == "same"
    assert second.id != "same"
    assert second.upstream_id == "same"


@pytest.mark.requirement("openai_chat:stream:reasoning_twins")
def test_twins_of_reasoning_are_never_joined() -> None:
    details = [{"type": "reasoning.text", "text": "hm"}]
    said = feed(chunk({"reasoning_content": "hm", "reasoning": "hm", "reasoning_details": details}))
    assert said[1:] == [ReasoningDelta("reasoning", "hm")]


@pytest.mark.requirement("openai_chat:stream:error")
@pytest.mark.parametrize("error", [{"message": "broken", "code": None}, "broken", ["broken"], {"type": "x"}])
def test_an_error_in_a_stream_is_raised(error: object) -> None:
    with pytest.raises(HostFailed, match="lab failed in the middle of its answer"):
        feed(chunk({"content": "Hel"}), {"error": error})


@pytest.mark.parametrize("error", [None, "", {}, False])
def test_an_error_that_is_none_says_nothing(error: object) -> None:
    assert feed(chunk({"content": "a"}) | {"error": error})[1:] == [TextDelta("text", "a")]


@pytest.mark.parametrize(
    "data",
    [
        b'{"choices":[{"delta":{"content":"x"},"p":NaN}]}',
        b'{"choices":' + b"[" * 100_000,
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"choices":[{"delta":{"content":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}}]}",
        b"[]",
        b"text",
        b'{"choices":[{"delta":',
        b"",
    ],
)
def test_what_is_not_readable_is_an_error_and_no_crash(data: bytes) -> None:
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    with pytest.raises(HostAnswerInvalid, match="lab"):
        speaker.feed(data)


def test_a_count_that_is_no_number_was_not_said() -> None:
    data = b'{"choices":[],"usage":{"prompt_tokens":1e400,"completion_tokens":2}}'
    assert feed(data)[1:] == [UsageReported(Usage(output=2))]


def test_nothing_is_said_behind_done() -> None:
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    speaker.feed(json.dumps(chunk({"content": "a"}, "stop")).encode())
    assert speaker.feed(b"[DONE] ") == [Finished("stop", "stop")]
    assert speaker.feed(b"anything") == speaker.close() == []


@pytest.mark.requirement("openai_chat:stream:end_without_finish")
def test_an_end_without_a_finish_reason_counts_only_for_hosts_known_for_it() -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    said = feed(chunk({"content": "a"}), usage, b"[DONE]", quirks=["end_without_finish"])
    assert said[-1] == Finished("stop", None)
    with pytest.raises(TruncatedAnswer):
        feed(chunk({"content": "a"}), b"[DONE]", quirks=["end_without_finish"])
    with pytest.raises(TruncatedAnswer):
        feed(chunk({"content": "a"}), usage, b"[DONE]")


@pytest.mark.requirement("openai_chat:usage")
def test_usage_has_totals_and_subsets() -> None:
    told = {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    assert feed({"choices": [], "usage": told})[1] == UsageReported(Usage(10, 7, 4, 2, 5))


def test_reasoning_that_is_counted_beside_the_output_becomes_part_of_it() -> None:
    told = {
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "total_tokens": 17,
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    assert feed({"choices": [], "usage": told})[1] == UsageReported(Usage(10, 7, reasoning=5))


def test_a_cached_part_in_deepseeks_words_counts() -> None:
    told = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 6}
    assert feed({"choices": [], "usage": told})[1] == UsageReported(Usage(10, 2, cached=6))


@pytest.mark.requirement("openai_chat:whole")
def test_a_whole_answer_is_read_as_a_stream_would_be() -> None:
    events = turn(*text_events(0, "Hello"), *call_events(1, a_call("a")), finish="tool_calls", usage=Usage(1, 2))
    deltas = LANGUAGE.decode_answer(answer(encode_answer(events, created=0)), host="lab", quirks=frozenset())
    message = assemble(deltas)
    assert message.parts == (Text("Hello"), a_call("a"))
    assert (message.finish, message.usage) == ("tool_calls", Usage(1, 2))


def test_a_whole_answer_is_whole_without_a_finish_reason() -> None:
    said = decode({"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": None}]})
    assert said[1:] == [TextDelta("text", "Hi"), Finished("unknown")]


@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b"[]", b'{"hello":1}', b'{"a":'])
def test_another_answer_than_the_languages_is_invalid(body: bytes) -> None:
    with pytest.raises(HostAnswerInvalid, match="base URL"):
        decode(body)


def test_a_refusal_with_its_status_is_raised_from_a_whole_answer() -> None:
    with pytest.raises(HostRejected, match="too long"):
        decode({"error": {"message": "too long"}}, 400)


@pytest.mark.parametrize("listed", [b"<html>", b"{}", b'{"data":5}', b"[" * 5000])
def test_what_is_no_list_of_models_is_invalid(listed: bytes) -> None:
    with pytest.raises(HostAnswerInvalid):
        LANGUAGE.decode_models(listed)
