"""Recorded exchanges, in both directions, and cut at every byte."""

import json
from itertools import accumulate

import pytest

from parlance.core.deltas import Delta, Finished
from parlance.core.errors import UpstreamError
from parlance.dialects.openai_chat.serve import decode_request
from parlance.dialects.openai_chat.speak import LANGUAGE
from parlance.net.sse import SseReader
from tests.golden.transcripts import HOST, Transcript, read, tell, transcripts

CASES = transcripts("openai_chat")
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.mark.requirement("openai_chat:stream:interleaved_calls")
@pytest.mark.requirement("openai_chat:stream:usage_anywhere")
@pytest.mark.requirement("openai_chat:stream:without_choices")
@pytest.mark.requirement("openai_chat:stream:one_choice")
@pytest.mark.requirement("openai_chat:stream:loose_types")
@pytest.mark.requirement("openai_chat:stream:broken_text")
@pytest.mark.requirement("openai_chat:stream:calls_without_index")
@pytest.mark.requirement("openai_chat:stream:legacy_function_call")
@pytest.mark.requirement("openai_chat:stream:custom_tool")
@pytest.mark.requirement("openai_chat:stream:signatures")
@pytest.mark.requirement("openai_chat:stream:refusal")
@pytest.mark.requirement("openai_chat:stream:annotations")
@pytest.mark.requirement("openai_chat:stream:unknown")
@each_case
def test_a_recorded_answer_is_read_as_its_deltas(case: Transcript) -> None:
    assert tell(LANGUAGE, case) == case.deltas


@pytest.mark.requirement("openai_chat:request:round")
@each_case
def test_a_recorded_request_says_the_same_after_a_way_through_ours(case: Transcript) -> None:
    asked = decode_request(case.request)
    encoded = LANGUAGE.encode_request(asked.request, host=HOST, quirks=case.quirks)
    assert json.loads(encoded.body) == json.loads(case.request)
    assert encoded.notices == ()
    assert asked.stream


@pytest.mark.requirement("openai_chat:stream:truncated")
@each_case
def test_a_cut_answer_is_whole_only_where_the_event_of_its_finish_is(case: Transcript) -> None:
    ends = accumulate(len(part) + 2 for part in case.response.split(b"\n\n"))
    events = list(zip(case.response.split(b"\n\n"), ends, strict=False))
    whole_from = next((end for event, end in events if ends_answer(event, case.quirks)), len(case.response) + 1)
    for cut in range(len(case.response) + 1):
        assert is_finished(case.response[:cut], case.quirks) == (cut >= whole_from and not fails(case, cut)), cut


def ends_answer(event: bytes, quirks: frozenset[str]) -> bool:
    """Whether an event bears the finish reason of the first choice, looked for in the plainest way."""
    data = event.removeprefix(b"data: ")
    if "end_without_finish" in quirks and data == b"[DONE]":
        return True
    try:
        choices = json.loads(data).get("choices") or []
    except ValueError:
        return False
    return any(choice.get("finish_reason") for choice in choices if not choice["index"])


def fails(case: Transcript, cut: int) -> bool:
    """Whether an error was told in what is left."""
    return any(b'"error"' in event for event in case.response[:cut].split(b"\n\n")[:-1])


def is_finished(body: bytes, quirks: frozenset[str]) -> bool:
    deltas: list[Delta] = []
    try:
        deltas += read(LANGUAGE, body, quirks=quirks)
    except UpstreamError:
        return False
    return isinstance(deltas[-1], Finished)


@each_case
def test_however_a_body_is_split_it_says_the_same(case: Transcript) -> None:
    reader, speaker = SseReader(), LANGUAGE.speaker(host=HOST, quirks=case.quirks)
    deltas: list[Delta] = []
    try:
        for byte in case.response:
            for data, event in reader.feed(bytes([byte])):
                deltas += speaker.feed(data, event)
        deltas += speaker.close()
    except UpstreamError:
        pass
    told = [line for line in json.loads(case.deltas) if "raises" not in line]
    assert [type(delta).__name__ for delta in deltas] == [line["delta"] for line in told]
