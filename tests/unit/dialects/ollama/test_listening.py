"""Single lines, tags cut anywhere, and whole answers: what the goldens do not show by themselves."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.deltas import Began, Delta, Done, Finished, Opened, ReasoningDelta, TextDelta, UsageReported
from parlance.core.errors import HostAnswerInvalid, HostFailed, HostRejected
from parlance.core.json import JsonObject
from parlance.core.parts import ToolCall
from parlance.core.provider import HostAnswer, Language, Windowed
from parlance.core.usage import Usage
from parlance.dialects.ollama.quirks import QUIRKS, THINK_TAGS
from parlance.dialects.ollama.speak import LANGUAGE
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.voices.ollama import encode_whole
from tests.strategies.steps import assemble
from tests.unit.dialects.ollama.told import feed, line

END = line(done=True, done_reason="stop")


def answer(body: object, status: int = 200) -> HostAnswer:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HostAnswer(status, {"content-type": "application/json"}, encoded)


def decode(body: object, status: int = 200) -> list[Delta]:
    return LANGUAGE.decode_answer(answer(body, status), host="lab", quirks=frozenset())


def told(text: str, cuts: list[int]) -> tuple[str, str]:
    """The thoughts and the text of an answer cut there, from a host that writes tags."""
    borders = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[a:b] for a, b in pairwise(borders)]
    deltas = feed(*(line(piece) for piece in pieces), END, quirks=[THINK_TAGS])
    thoughts = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    return thoughts, "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def test_the_language_says_what_it_is() -> None:
    language: Language = LANGUAGE
    assert (language.family, language.framing, language.models_path) == ("ollama", "ndjson", "/api/tags")
    assert language.quirks == set(QUIRKS)
    assert isinstance(language, Windowed)


@pytest.mark.requirement("ollama:stream:thinking")
def test_thoughts_text_and_calls_of_one_line_come_in_this_order() -> None:
    call = {"function": {"name": "now", "arguments": {}}}
    said = feed(line("text", message={"role": "assistant", "content": "b", "thinking": "a", "tool_calls": [call]}))
    assert said[1:3] == [ReasoningDelta("reasoning", "a"), TextDelta("text", "b")]
    assert [type(delta) for delta in said[3:]] == [Opened, Done]


@pytest.mark.parametrize("space", [0, 127, 128, 129, 20_000])
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_space_without_end_is_said_the_same_however_it_is_cut(space: int, size: int) -> None:
    blank = "\n" * space
    thought = f"<think>a{blank}</think>{blank}b"
    cuts = list(range(0, len(thought), size))
    # So much space may belong to a tag, and no more: it is held back until that is known.
    assert told(thought, cuts) == ("a" + blank[128:], "b")
    said = f"{blank}<think>c</think>d"
    assert told(said, list(range(0, len(said), size))) == (("c", "d") if space <= 128 else ("", said))


@pytest.mark.requirement("ollama:stream:calls_without_ids")
def test_calls_without_ids_get_ids_of_ours_that_differ() -> None:
    call = {"function": {"name": "now", "arguments": {}}}
    said = feed(line(message={"content": "", "tool_calls": [call]}), line(message={"tool_calls": [call]}))
    calls = [delta.part for delta in said if isinstance(delta, Opened) and isinstance(delta.part, ToolCall)]
    assert len({part.id for part in calls}) == 2
    assert [part.upstream_id for part in calls] == [None, None]


@pytest.mark.requirement("ollama:finish:stop_with_calls")
def test_stop_behind_calls_becomes_the_finish_of_calls() -> None:
    call = {"function": {"name": "now", "arguments": {}}}
    message = assemble(feed(line(message={"content": "", "tool_calls": [call]}), END))
    assert message.finish == "tool_calls"


@pytest.mark.requirement("ollama:stream:error")
@pytest.mark.parametrize("error", ["broken", {"message": "broken"}, ["broken"], {"code": 502}])
def test_an_error_in_a_stream_is_raised_whatever_the_status(error: object) -> None:
    with pytest.raises(HostFailed, match="lab failed in the middle of its answer"):
        feed(line("Hel"), json.dumps({"error": error}).encode())


@pytest.mark.parametrize("error", [None, "", {}, False, 0])
def test_an_error_that_is_none_says_nothing(error: object) -> None:
    assert feed(line("a", error=error))[1:] == [TextDelta("text", "a")]


@pytest.mark.parametrize(
    "data",
    [
        b'{"message":{"content":"x"},"p":NaN}',
        b'{"message":' + b"[" * 100_000,
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"[]",
        b"text",
        b'{"message":{"content":',
        b"",
    ],
)
def test_what_is_not_readable_is_an_error_and_no_crash(data: bytes) -> None:
    with pytest.raises(HostAnswerInvalid, match="lab"):
        feed(data)


@pytest.mark.requirement("ollama:usage:absent")
@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"prompt_eval_count": 7, "eval_count": 2}, [Usage(7, 2)]),
        ({"eval_count": 2}, [Usage(None, 2)]),
        ({"prompt_eval_count": 0, "eval_count": 2}, [Usage(None, 2)]),
        ({"prompt_eval_count": 7}, [Usage(7, None)]),
        ({"prompt_eval_count": "x", "eval_count": "2"}, [Usage(None, 2)]),
        ({}, []),
    ],
)
def test_counts_that_are_left_out_were_not_said(counts: JsonObject, usage: list[Usage]) -> None:
    said = feed(line(done=True, done_reason="stop") | counts)
    assert [delta.usage for delta in said if isinstance(delta, UsageReported)] == usage


@pytest.mark.requirement("ollama:tags:split")
@given(st.lists(st.integers(0, 60), max_size=12))
def test_tags_are_found_wherever_they_are_cut(cuts: list[int]) -> None:
    assert told("\n<think>\nIs 2 < 3?\n\nYes. </b\n</think>\n\n 2 <think> less.\n", cuts) == (
        "Is 2 < 3?\n\nYes. </b",
        "2 <think> less.\n",
    )
    assert told("  2 <think>is</think> less.", cuts) == ("", "  2 <think>is</think> less.")
    assert told("<thin air>", cuts) == ("", "<thin air>")
    assert told("<think></think>\n\n", cuts) == ("", "")
    assert told(" \n ", cuts) == ("", " \n ")


@pytest.mark.requirement("ollama:tags:unclosed")
@given(st.lists(st.integers(0, 20), max_size=6))
def test_a_thought_that_is_never_closed_is_one_to_the_end(cuts: list[int]) -> None:
    assert told("<think> Well </thi", cuts) == ("Well </thi", "")
    assert told("<think> Well\n", cuts) == ("Well", "")
    assert told("<thin", cuts) == ("", "<thin")


def test_what_is_plain_text_is_not_held_back() -> None:
    assert feed(line("<b"), line(">"), quirks=[THINK_TAGS])[1:] == [TextDelta("text", "<b"), TextDelta("text", ">")]


def test_nothing_is_said_behind_the_end() -> None:
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    assert speaker.feed(json.dumps(END).encode())[-1] == Finished("stop", "stop")
    assert speaker.feed(b"anything") == speaker.close() == []


@pytest.mark.requirement("ollama:whole")
def test_a_whole_answer_is_read_as_a_stream_would_be() -> None:
    reply = Reply(text=("Hel", "lo"), reasoning=("Hm",), calls=(ScriptedCall("now", "{}", "c1"),), usage=(4, 2))
    message = assemble(decode(encode_whole(reply)))
    assert [type(part).__name__ for part in message.parts] == ["Reasoning", "Text", "ToolCall"]
    assert (message.text, message.finish, message.usage) == ("Hello", "tool_calls", Usage(4, 2))


def test_a_whole_answer_is_whole_also_when_it_does_not_say_so() -> None:
    said = decode({"model": "m", "message": {"role": "assistant", "content": "Hi"}})
    assert said == [Began("m", family="ollama"), TextDelta("text", "Hi"), Finished("unknown")]


@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b"[]", b'{"hello":1}', b'{"a":'])
def test_another_answer_than_the_languages_is_invalid(body: bytes) -> None:
    with pytest.raises(HostAnswerInvalid, match="base URL"):
        decode(body)


def test_an_error_inside_a_200_is_raised_from_a_whole_answer() -> None:
    with pytest.raises(HostFailed, match="CUDA"):
        decode({"error": "CUDA error"})
    with pytest.raises(HostRejected, match="too long"):
        decode({"error": "too long"}, 400)


@pytest.mark.requirement("ollama:models")
def test_models_are_listed_by_the_names_to_ask_for_them_by() -> None:
    listed = {"models": [{"name": "a:latest", "model": "a:latest"}, {"name": "b"}, {"size": 1}, 7, {"model": "b"}]}
    assert LANGUAGE.decode_models(json.dumps(listed).encode()) == ("a:latest", "b")
    assert LANGUAGE.decode_models(b'{"models":null}') == ()


@pytest.mark.parametrize("listed", [b"<html>", b"{}", b'{"data":[]}', b"[" * 5000, b"[]"])
def test_what_is_no_list_of_models_is_invalid(listed: bytes) -> None:
    with pytest.raises(HostAnswerInvalid):
        LANGUAGE.decode_models(listed)
