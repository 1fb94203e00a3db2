"""What every wire language promises, in both directions: generated steps, recorded exchanges, strange bytes."""

import contextlib
import json
import re
from itertools import accumulate

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.deltas import Delta, Finished
from parlance.core.errors import RequestError, UpstreamError
from parlance.core.provider import HostAnswer, Language
from parlance.net.ndjson import NdjsonReader
from parlance.net.sse import SseReader
from parlance.providers.languages import LANGUAGES
from tests.contract.languages import SPOKEN, Spoken
from tests.golden.transcripts import HOST, Transcript, read, tell, transcripts
from tests.strategies.steps import Step, assemble, steps

CASES = [case for family in SPOKEN for case in transcripts(family)]
NO_QUIRKS: frozenset[str] = frozenset()

each_language = pytest.mark.parametrize("spoken", SPOKEN.values(), ids=SPOKEN.keys())
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.language}-{case.name}")

_VALUE = re.compile(rb'(?<=:) ?("[^"]*"|null|true|[\d.]+)|\{\}|\[\]')
_STRANGE = [
    b"null", b'"x"', b"[]", b"{}", b"1.5", b"-1", b"true", b'["a"]', b'{"a":1}', b'""', b"1e999", b"9" * 30, b"NaN",
    b'"\\ud800"', b'"\xff"', b"[{}]", b"[null]", b'[{"type":"text","text":1}]', b"[" * 2000,
]  # fmt: skip


def language_of(case: Transcript) -> Language:
    return SPOKEN[case.language].language


def told(spoken: Spoken, step: Step) -> list[Delta]:
    fold = spoken.fold()
    body = b"".join(fold.encode([event]) for event in step.events)
    return list(read(spoken.language, body, quirks=NO_QUIRKS))


def test_every_language_that_hosts_are_spoken_to_in_keeps_the_contract() -> None:
    assert set(SPOKEN) == set(LANGUAGES)


@pytest.mark.requirement("openai_chat:law")
@pytest.mark.requirement("anthropic_messages:law")
@pytest.mark.requirement("ollama:law")
@each_language
@given(step=steps())
def test_a_step_comes_back_as_its_projection(spoken: Spoken, step: Step) -> None:
    deltas = told(spoken, step)
    assert assemble(deltas) == spoken.project(step.message)
    assert [isinstance(delta, Finished) for delta in deltas] == [False] * (len(deltas) - 1) + [True]


@each_language
@given(step=steps())
def test_the_projection_is_idempotent(spoken: Spoken, step: Step) -> None:
    once = spoken.project(step.message)
    assert spoken.project(once) == once
    assert once.finish == step.message.finish


@each_language
@given(step=steps())
def test_events_told_in_one_batch_or_one_by_one_make_the_same_bytes(spoken: Spoken, step: Step) -> None:
    fold = spoken.fold()
    assert b"".join(fold.encode([event]) for event in step.events) == spoken.fold().encode(step.events)


@each_case
def test_a_recorded_answer_is_read_as_its_deltas(case: Transcript) -> None:
    assert tell(language_of(case), case) == case.deltas


@pytest.mark.requirement("openai_chat:request:round")
@pytest.mark.requirement("anthropic_messages:request:round")
@pytest.mark.requirement("ollama:request:round")
@each_case
def test_a_recorded_request_says_the_same_after_a_way_through_ours(case: Transcript) -> None:
    asked = SPOKEN[case.language].decode_request(case.request)
    encoded = language_of(case).encode_request(asked, host=HOST, quirks=case.quirks)
    assert json.loads(encoded.body) == json.loads(case.request)
    assert encoded.notices == ()


@pytest.mark.requirement("openai_chat:stream:truncated")
@pytest.mark.requirement("ollama:stream:truncated")
@each_case
def test_a_cut_answer_is_whole_only_where_the_event_of_its_terminal_marker_is(case: Transcript) -> None:
    spoken, border = SPOKEN[case.language], _border(case)
    events = case.response.split(border)
    ends = list(accumulate(len(event) + len(border) for event in events))
    whole_from = next(
        (end for event, end in zip(events, ends, strict=True) if spoken.ends(event, case.quirks)),
        len(case.response) + 1 + len(border),
    )
    if spoken.language.framing == "ndjson":
        whole_from -= len(border)  # the last line of a body that ends cleanly counts without its end of line
    failed_from = next((end for event, end in zip(events, ends, strict=True) if spoken.fails(event)), 1 << 60)
    if spoken.language.framing == "ndjson":
        failed_from -= len(border)
    for cut in range(len(case.response) + 1):
        finished = is_finished(case, case.response[:cut])
        assert finished == (cut >= whole_from and cut < failed_from), cut


@each_case
def test_however_a_body_is_split_it_says_the_same(case: Transcript) -> None:
    language = language_of(case)
    reader = SseReader() if language.framing == "sse" else NdjsonReader()
    speaker = language.speaker(host=HOST, quirks=case.quirks)
    deltas: list[Delta] = []
    with contextlib.suppress(UpstreamError):
        for byte in case.response:
            for data, event in reader.feed(bytes([byte])):
                deltas += speaker.feed(data, event)
        for data, event in reader.close():
            deltas += speaker.feed(data, event)
        deltas += speaker.close()
    expected = [line["delta"] for line in json.loads(case.deltas) if "raises" not in line]
    assert [type(delta).__name__ for delta in deltas] == expected


@st.composite
def mutated(draw: st.DrawFn, recorded: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        places = list(_VALUE.finditer(recorded))
        place = places[draw(st.integers(0, len(places) - 1))] if places else None
        if place is not None:
            recorded = recorded[: place.start()] + draw(st.sampled_from(_STRANGE)) + recorded[place.end() :]
    cut = draw(st.integers(0, len(recorded)))
    return recorded[:cut] + draw(st.binary(max_size=2)) + recorded[cut:]


@each_language
@given(data=st.data())
def test_a_strange_stream_is_read_or_refused(spoken: Spoken, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(transcripts(spoken.language.family)))
    body = data.draw(mutated(case.response))
    deltas: list[Delta] = []
    with contextlib.suppress(UpstreamError):
        deltas += read(spoken.language, body, quirks=case.quirks)
    # What is kept as raw JSON must be JSON: it goes into logs and to other clients.
    for delta in deltas:
        msgspec.json.decode(msgspec.json.encode(delta))


@each_language
@given(data=st.data(), status=st.sampled_from([200, 301, 400, 401, 404, 429, 500, 503]))
def test_a_strange_answer_is_read_or_refused(spoken: Spoken, data: st.DataObject, status: int) -> None:
    case = data.draw(st.sampled_from(transcripts(spoken.language.family)))
    body = data.draw(mutated(case.response)).partition(_border(case))[0].rpartition(b"data: ")[2]
    answer = HostAnswer(status, {}, body)
    with contextlib.suppress(UpstreamError):
        spoken.language.decode_answer(answer, host="lab", quirks=case.quirks)
    with contextlib.suppress(UpstreamError):
        spoken.language.decode_models(body)


@each_language
@given(data=st.data())
def test_a_strange_request_is_read_or_refused(spoken: Spoken, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(transcripts(spoken.language.family)))
    with contextlib.suppress(RequestError):
        asked = spoken.decode_request(data.draw(mutated(case.request)))
        encoded = spoken.language.encode_request(asked, host="lab", quirks=case.quirks)
        msgspec.json.decode(encoded.body)


def _border(case: Transcript) -> bytes:
    return b"\n\n" if language_of(case).framing == "sse" else b"\n"


def is_finished(case: Transcript, body: bytes) -> bool:
    deltas: list[Delta] = []
    try:
        deltas += read(language_of(case), body, quirks=case.quirks)
    except UpstreamError:
        return False
    return isinstance(deltas[-1], Finished)
