"""Servers' errors into ours, and ours into what the official client reads."""

import json

import pytest
from msgspec import Raw

from parlance.core.errors import (
    Fault,
    Field,
    HostAnswerInvalid,
    HostDeclined,
    HostFailed,
    HostKeyRefused,
    HostQuotaExhausted,
    HostRateLimited,
    HostRejected,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    UpstreamError,
)
from parlance.core.provider import HostAnswer
from parlance.dialects.ollama.faults import decode_error, decode_stream_error, encode_ending, encode_fault

BUSY = "server busy, please try again.  maximum pending requests exceeded"


def error(status: int, body: object = b"", **headers: str) -> UpstreamError:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_error(HostAnswer(status, headers, encoded), host="lab")


@pytest.mark.requirement("ollama:faults:classes")
@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (400, "model is required", HostRejected),
        (400, '"llama3.2" does not support thinking', HostRejected),
        (400, '"gemma" does not support tools', HostRejected),
        (400, 'invalid think value: "x"', HostRejected),
        (401, "unauthorized", HostKeyRefused),
        (403, "ollama cloud is disabled: remote model inference is unavailable", HostRejected),
        (403, "forbidden", HostKeyRefused),
        (404, "model 'x' not found", HostDeclined),
        (413, "too large", HostRejected),
        (429, "too many requests", HostRateLimited),
        (429, "you've reached your hourly usage limit, please upgrade to continue", HostQuotaExhausted),
        (500, "llama runner process has terminated: signal: killed", HostFailed),
        (500, "model requires more system memory (9 GiB) than is available (3 GiB)", HostRejected),
        (500, "the input length exceeds the context length", HostRejected),
        (502, "dial tcp: lookup ollama.com: no such host", HostFailed),
        (503, BUSY, HostFailed),
        (200, "", HostAnswerInvalid),
    ],
)
def test_an_answer_is_of_the_class_that_says_what_helps(status: int, words: str, kind: type[UpstreamError]) -> None:
    assert type(error(status, {"error": words})) is kind


@pytest.mark.requirement("ollama:faults:busy")
def test_a_server_that_is_busy_may_be_asked_again() -> None:
    busy = error(503, {"error": BUSY})
    assert busy.retryable
    assert "server busy" in busy.message
    assert busy.retry_after is None


@pytest.mark.requirement("ollama:faults:missing_model")
@pytest.mark.parametrize(
    "words",
    [
        "model 'qwen3:8b' not found",
        'model "qwen3:8b" not found, try pulling it first',
        "model `qwen3:8b` not found",
        "model qwen3:8b not found",
    ],
)
def test_a_model_that_is_not_there_has_to_be_pulled(words: str) -> None:
    missing = error(404, {"error": words})
    assert type(missing) is HostDeclined
    assert missing.message == (
        "lab does not have the model 'qwen3:8b'. Get it there with `ollama pull qwen3:8b`, or ask for another."
    )


@pytest.mark.requirement("ollama:faults:bodies")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "Too long"}, "lab answered 400: Too long."),
        ({"error": {"message": "Too long"}}, "lab answered 400: Too long."),
        ({"error": "unauthorized", "signin_url": "https://x"}, "lab answered 400: unauthorized."),
        (b"404 page not found", "lab answered 400: 404 page not found."),
        (b"", "lab answered 400, and did not say why."),
        (b"\xff\xfe", "lab answered 400: \ufffd\ufffd."),
        (b"<!DOCTYPE html><html>secret</html>", "lab answered 400: a page of HTML, not an answer of its API."),
        (b"[" * 5000, f"lab answered 400: {'[' * 499}…"),
    ],
)
def test_a_hosts_own_words_are_told_whatever_their_form(body: object, words: str) -> None:
    assert error(400, body).message == words


@pytest.mark.requirement("ollama:faults:secrets")
def test_no_key_is_ever_told() -> None:
    for status in (400, 401, 404, 429, 500):
        assert "Abc123" not in error(status, {"error": "key sk-proj-Abc123_def456 is bad"}).message
    assert "Abc123" not in decode_stream_error(Raw(b'"bad key sk-proj-Abc123_def456"'), host="lab").message
    assert "Abc123" not in error(404, {"error": "model 'sk-proj-Abc123_def456' not found"}).message


def test_the_time_to_wait_and_the_hosts_id_are_kept() -> None:
    limited = error(429, {"error": "slow down"}, **{"retry-after": "7", "x-request-id": "r1"})
    assert (limited.retry_after, limited.upstream_id) == (7.0, "r1")
    spent = error(429, {"error": "usage limit reached"}, **{"x-request-id": "r2"})
    assert spent.upstream_id == "r2"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (b'"an error was encountered while running the model"', HostFailed),
        (b"\"model 'x' not found\"", HostDeclined),
        (b'"model requires more system memory (9 GiB)"', HostRejected),
        (b'{"message":"broken","code":429}', HostFailed),
        (b'{"why":1}', HostFailed),
    ],
)
def test_an_error_in_a_stream_has_its_class_by_its_words(told: bytes, kind: type[UpstreamError]) -> None:
    assert type(decode_stream_error(Raw(told), host="lab")) is kind


@pytest.mark.requirement("ollama:faults:ours")
def test_our_errors_are_a_status_and_a_string() -> None:
    invalid = encode_fault(InvalidRequest("x", fields=(Field("$.model", "y"),)))
    assert (invalid.status, json.loads(invalid.body)) == (400, {"error": "x"})
    assert encode_fault(ModelNotFound("x")).status == 404
    assert dict(encode_fault(Overloaded("x", retry_after=2.5)).headers)["retry-after"] == "2.5"
    assert encode_ending(Fault("upstream_timeout", "x")).status == 504
    assert encode_ending(Fault("never_heard_of", "x")).status == 500
