"""Recorded bytes with something else in them: an error of the tree, or an answer, and never a crash."""

import contextlib
import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.deltas import Delta
from parlance.core.errors import RequestError, UpstreamError
from parlance.core.provider import HostAnswer
from parlance.dialects.openai_chat.serve import decode_request
from parlance.dialects.openai_chat.speak import LANGUAGE
from tests.golden.transcripts import Transcript, read, transcripts

_VALUE = re.compile(rb'(?<=:) ?("[^"]*"|null|true|[\d.]+)|\{\}|\[\]')
_STRANGE = [
    b"null", b'"x"', b"[]", b"{}", b"1.5", b"-1", b"true", b'["a"]', b'{"a":1}', b'""', b"1e999", b"9" * 30, b"NaN",
    b'"\\ud800"', b'"\xff"', b"[{}]", b"[null]", b'[{"type":"text","text":1}]', b"[" * 2000,
]  # fmt: skip
CASES = transcripts("openai_chat")


@st.composite
def mutated(draw: st.DrawFn, recorded: bytes) -> bytes:
    for _ in range(draw(st.integers(1, 3))):
        places = list(_VALUE.finditer(recorded))
        place = places[draw(st.integers(0, len(places) - 1))] if places else None
        if place is not None:
            recorded = recorded[: place.start()] + draw(st.sampled_from(_STRANGE)) + recorded[place.end() :]
    cut = draw(st.integers(0, len(recorded)))
    return recorded[:cut] + draw(st.binary(max_size=2)) + recorded[cut:]


@given(st.data(), st.sampled_from(CASES))
def test_a_strange_stream_is_read_or_refused(data: st.DataObject, case: Transcript) -> None:
    body = data.draw(mutated(case.response))
    deltas: list[Delta] = []
    with contextlib.suppress(UpstreamError):
        deltas += read(LANGUAGE, body, quirks=case.quirks)
    # What is kept as raw JSON must be JSON: it goes into logs and to other clients.
    for delta in deltas:
        msgspec.json.decode(msgspec.json.encode(delta))


@given(st.data(), st.sampled_from(CASES), st.sampled_from([200, 301, 400, 401, 404, 429, 500, 503]))
def test_a_strange_answer_is_read_or_refused(data: st.DataObject, case: Transcript, status: int) -> None:
    body = data.draw(mutated(case.response)).removeprefix(b"data: ").partition(b"\n\n")[0]
    answer = HostAnswer(status, {}, body)
    with contextlib.suppress(UpstreamError):
        LANGUAGE.decode_answer(answer, host="lab", quirks=case.quirks)
    with contextlib.suppress(UpstreamError):
        LANGUAGE.decode_models(body)


@given(st.data(), st.sampled_from(CASES))
def test_a_strange_request_is_read_or_refused(data: st.DataObject, case: Transcript) -> None:
    with contextlib.suppress(RequestError):
        asked = decode_request(data.draw(mutated(case.request)))
        encoded = LANGUAGE.encode_request(asked.request, host="lab", quirks=case.quirks)
        msgspec.json.decode(encoded.body)
