"""Hosts' errors into ours, and ours into the objects that official clients read."""

import json

import msgspec
import pytest

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
    HostTimeout,
    InvalidRequest,
    KeyInvalid,
    ModelNotFound,
    Overloaded,
    ParlanceError,
    RequestIdInUse,
    UpstreamError,
)
from parlance.core.provider import HostAnswer
from parlance.dialects.openai_chat.faults import decode_error, decode_stream_error, encode_ending, encode_fault

SECRET = "sk-proj-Abc123_def456"


def error(status: int, body: object = b"", **headers: str) -> UpstreamError:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return decode_error(HostAnswer(status, named, encoded), host="lab")


def told(message: str = "Said.", type: str | None = None, code: object = None) -> dict[str, object]:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


@pytest.mark.requirement("openai_chat:faults:classes")
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, told(), HostRejected),
        (400, told(code="context_length_exceeded"), HostRejected),
        (400, told("API key not valid.", code="invalid_api_key"), HostKeyRefused),
        (400, told(code="credit_balance_exhausted"), HostQuotaExhausted),
        (401, told(), HostKeyRefused),
        (402, b"", HostQuotaExhausted),
        (403, b"no", HostKeyRefused),
        (404, told(code="model_not_found"), HostDeclined),
        (408, b"", HostTimeout),
        (409, b"", HostFailed),
        (413, b"", HostRejected),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, HostRejected),
        (429, told(code="rate_limit_exceeded"), HostRateLimited),
        (429, told(type="insufficient_quota"), HostQuotaExhausted),
        (429, told(code="organization_spend_limit_exceeded"), HostQuotaExhausted),
        (500, b"Internal Server Error", HostFailed),
        (503, told(type="service_unavailable_error", code="server_is_overloaded"), HostFailed),
        (503, told(code="slow_down"), HostRateLimited),
        (529, b"", HostFailed),
        (200, b"<html>", HostAnswerInvalid),
        (302, b"", HostAnswerInvalid),
    ],
)
def test_an_answer_is_of_the_class_that_says_what_helps(status: int, body: object, kind: type[UpstreamError]) -> None:
    assert type(error(status, body)) is kind


@pytest.mark.requirement("openai_chat:faults:bodies")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (told("Too long."), "lab answered 400: Too long."),
        ({"error": "Too long"}, "lab answered 400: Too long."),
        ({"error": "Too long", "code": 400}, "lab answered 400: Too long."),
        ({"detail": "Too long"}, "lab answered 400: Too long."),
        ({"detail": [{"loc": ["body", "n"], "msg": "Too long"}]}, "lab answered 400: Too long."),
        ({"message": "Too long", "object": "error", "code": 40303}, "lab answered 400: Too long."),
        ([told("Too long.")], "lab answered 400: Too long."),
        (b"Too long", "lab answered 400: Too long."),
        (told("", code="too_long"), "lab answered 400: too_long."),
        (b"", "lab answered 400, and did not say why."),
        (b"\xff\xfe", "lab answered 400: \ufffd\ufffd."),
        (b"<!DOCTYPE html><html>secret</html>", "lab answered 400: a page of HTML, not an answer of its API."),
        (b"[" * 5000, f"lab answered 400: {'[' * 499}…"),
    ],
)
def test_a_hosts_own_words_are_told_whatever_their_form(body: object, words: str) -> None:
    assert error(400, body).message == words


@pytest.mark.requirement("openai_chat:faults:secrets")
def test_no_key_is_ever_told() -> None:
    refused = error(401, told(f"Incorrect API key provided: {SECRET}."))
    assert SECRET not in refused.message
    assert "providers.lab.api_key" in refused.message
    for status in (400, 404, 429, 500):
        for words in (f"key {SECRET} is bad", f"Bearer {SECRET}", f'"{SECRET}"', "AIzaSyA1234567890abcdefg"):
            message = error(status, told(words)).message
            assert "***" in message
            assert "Abc123" not in message
            assert "SyA123" not in message
    assert "***" in decode_stream_error(f"bad key {SECRET}", host="lab").message


def test_long_words_are_cut_and_kept_on_one_line() -> None:
    message = error(400, told("a\n\tb " + "word " * 400)).message
    assert "a b word" in message
    assert len(message) < 600


@pytest.mark.requirement("openai_chat:faults:retry_after")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": ""}, None),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after_ms": "x", "retry_after": "9"}, 9.0),
        ({"retry_after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry_after": "Fri, 20 Nov 2026 09:00:00 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"retry_after": "Fri, 20 Nov 2026 10:00:30 GMT"}, None),
        ({}, None),
    ],
)
def test_the_time_to_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert error(429, b"", **headers).retry_after == seconds


def test_the_host_says_whether_to_retry() -> None:
    assert type(error(500, b"", x_should_retry="false")) is HostRejected
    assert type(error(429, b"", x_should_retry="false")) is HostDeclined
    assert type(error(400, b"", x_should_retry="true")) is HostFailed


def test_the_hosts_id_of_the_request_is_kept() -> None:
    assert error(500, b"", x_request_id="req_1").upstream_id == "req_1"
    assert error(500).upstream_id is None


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({"code": 429}, HostRateLimited),
        ({"code": "insufficient_quota"}, HostQuotaExhausted),
        ({"type": "invalid_request_error"}, HostRejected),
        ({"code": 401}, HostKeyRefused),
        ({"code": 502}, HostFailed),
    ],
)
def test_an_error_in_a_stream_has_its_class_by_its_words(words: object, kind: type[UpstreamError]) -> None:
    fields = msgspec.json.decode(json.dumps(words), type=dict[str, msgspec.Raw])
    assert type(decode_stream_error(fields, host="lab")) is kind


@pytest.mark.requirement("openai_chat:faults:ours")
@pytest.mark.parametrize(
    ("ours", "status", "type", "code"),
    [
        (InvalidRequest("x", fields=(Field("$.messages[0]", "y"),)), 400, "invalid_request_error", "invalid_request"),
        (ModelNotFound("x"), 404, "invalid_request_error", "model_not_found"),
        (KeyInvalid("x"), 401, "authentication_error", "invalid_api_key"),
        (RequestIdInUse("x"), 409, "invalid_request_error", "request_id_in_use"),
        (Overloaded("x", retry_after=2.5), 503, "service_unavailable_error", "server_is_overloaded"),
        (HostRateLimited("x"), 429, "rate_limit_error", "rate_limit_exceeded"),
        (HostQuotaExhausted("x"), 402, "insufficient_quota", "insufficient_quota"),
        (HostRejected("x"), 400, "invalid_request_error", "upstream_rejected"),
        (HostTimeout("x"), 504, "server_error", "upstream_timeout"),
        (HostFailed("x"), 502, "server_error", "upstream_failed"),
    ],
)
def test_our_errors_are_told_in_the_clients_words(ours: ParlanceError, status: int, type: str, code: str) -> None:
    encoded = encode_fault(ours)
    param = "messages[0]" if isinstance(ours, InvalidRequest) else None
    assert encoded.status == status
    assert json.loads(encoded.body) == {"error": {"message": "x", "type": type, "param": param, "code": code}}


def test_clients_are_told_whether_and_when_to_come_back() -> None:
    assert dict(encode_fault(Overloaded("x", retry_after=2.5)).headers) == {
        "content-type": "application/json",
        "retry-after": "2.5",
        "x-should-retry": "true",
    }
    assert dict(encode_fault(RequestIdInUse("x")).headers)["x-should-retry"] == "false"
    assert "x-should-retry" not in dict(encode_fault(ModelNotFound("x")).headers)


def test_a_turns_fault_has_the_status_of_its_class() -> None:
    assert encode_ending(Fault("upstream_timeout", "x")).status == 504
    assert encode_ending(Fault("upstream_failed", "x")).status == 502
    assert encode_ending(Fault("never_heard_of", "x")).status == 500
