"""Hosts' errors into ours, and ours into those that official clients read."""

import json
from typing import get_args

import pytest
from anthropic.types.shared.error_type import ErrorType

from parlance.core.errors import (
    Fault,
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
    TooManyAtOnce,
    UpstreamError,
)
from parlance.core.provider import HostAnswer
from parlance.dialects.anthropic_messages.faults import decode_error, encode_ending, encode_fault, encode_stream_fault

SECRET = "sk-ant-api03-Abc123_def456"
LIMIT = {"date": "Fri, 20 Nov 2026 10:00:00 GMT", "anthropic-ratelimit-tokens-remaining": "12"}


def error(status: int, body: object = b"", **headers: str) -> UpstreamError:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_error(HostAnswer(status, headers, encoded), host="lab")


def told(type: str = "invalid_request_error", message: str = "Said.", code: str | None = None) -> dict[str, object]:
    details = {} if code is None else {"details": {"error_code": code}}
    return {"type": "error", "error": {"type": type, "message": message, **details}, "request_id": "req_1"}


@pytest.mark.requirement("anthropic_messages:faults:classes")
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, told(), HostRejected),
        (401, told("authentication_error"), HostKeyRefused),
        (402, told("billing_error"), HostQuotaExhausted),
        (403, told("permission_error"), HostKeyRefused),
        (404, told("not_found_error"), HostDeclined),
        (408, told("timeout_error"), HostTimeout),
        (409, told("conflict_error"), HostFailed),
        (413, told("request_too_large"), HostRejected),
        (413, b"<html>413 Request Entity Too Large</html>", HostRejected),
        (429, told("rate_limit_error"), HostRateLimited),
        (429, told("rate_limit_error", code="ramp_limit_exceeded"), HostRateLimited),
        (500, told("api_error"), HostFailed),
        (504, told("timeout_error"), HostFailed),
        (529, told("overloaded_error"), HostFailed),
        (529, b"", HostFailed),
        (200, b"<html>", HostAnswerInvalid),
        (302, b"", HostAnswerInvalid),
    ],
)
def test_an_answer_is_of_the_class_that_says_what_helps(status: int, body: object, kind: type[UpstreamError]) -> None:
    assert type(error(status, body)) is kind


@pytest.mark.requirement("anthropic_messages:faults:spent")
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, told("rate_limit_error", code="enforced_spend_limit_reached")),
        (429, told("rate_limit_error", code="contract_spend_limit_reached")),
        (400, told(message="You have reached your specified API usage limits. You will regain access on 2026-12-01.")),
        (400, told(message="Your credit balance is too low to access the Anthropic API.")),
    ],
)
def test_what_is_spent_is_never_tried_again(status: int, body: object) -> None:
    spent = error(status, body)
    assert type(spent) is HostQuotaExhausted
    assert not spent.fault().retryable


@pytest.mark.requirement("anthropic_messages:faults:bodies")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (told(message="Too long."), "lab answered 400: Too long."),
        ({"error": "Too long"}, "lab answered 400: Too long."),
        ({"message": "Too long"}, "lab answered 400: Too long."),
        (told(message="", code="tool_name_conflict"), "lab answered 400: tool_name_conflict."),
        (b"Too long", "lab answered 400: Too long."),
        (b"", "lab answered 400, and did not say why."),
        (b"<!DOCTYPE html><html>secret</html>", "lab answered 400: a page of HTML, not an answer of its API."),
    ],
)
def test_a_hosts_own_words_are_told_whatever_their_form(body: object, words: str) -> None:
    assert error(400, body).message == words


def test_no_key_is_ever_told() -> None:
    for status in (400, 401, 404, 429, 500):
        assert "Abc123" not in error(status, told(message=f"key {SECRET} is bad")).message


@pytest.mark.requirement("anthropic_messages:faults:retry_after")
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({**LIMIT, "retry-after": "7", "anthropic-ratelimit-tokens-reset": "2026-11-20T10:00:30Z"}, 7.0),
        ({**LIMIT, "anthropic-ratelimit-tokens-reset": "2026-11-20T10:00:30Z"}, None),
        ({**LIMIT, "anthropic-ratelimit-requests-remaining": "0"}, None),
        (
            {
                **LIMIT,
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-20T10:00:30Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2026-11-20T10:00:12Z",
            },
            30.0,
        ),
        (
            {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "soon", "date": "x"},
            None,
        ),
    ],
)
def test_the_time_to_wait_is_when_the_limit_is_whole_again(headers: dict[str, str], seconds: float | None) -> None:
    assert error(429, told("rate_limit_error"), **headers).retry_after == seconds


def test_the_hosts_id_of_the_request_is_kept() -> None:
    assert error(500, b"", **{"request-id": "req_1"}).upstream_id == "req_1"


@pytest.mark.requirement("anthropic_messages:faults:ours")
@pytest.mark.parametrize(
    ("ours", "status", "type"),
    [
        (InvalidRequest("x"), 400, "invalid_request_error"),
        (KeyInvalid("x"), 401, "authentication_error"),
        (ModelNotFound("x"), 404, "not_found_error"),
        (RequestIdInUse("x"), 409, "conflict_error"),
        (TooManyAtOnce("x"), 429, "rate_limit_error"),
        (HostRateLimited("x", retry_after=3), 429, "rate_limit_error"),
        (Overloaded("x"), 529, "overloaded_error"),
        (HostFailed("x"), 502, "api_error"),
        (HostTimeout("x"), 504, "timeout_error"),
    ],
)
def test_ours_have_the_status_and_the_type_that_official_clients_know(
    ours: ParlanceError, status: int, type: str
) -> None:
    fault = encode_fault(ours)
    told = json.loads(fault.body)
    assert (fault.status, told["type"], told["error"]["type"]) == (status, "error", type)
    assert type in get_args(ErrorType)
    assert told["error"]["details"] == {"error_code": ours.fault().code}
    headers = dict(fault.headers)
    retryable = "true" if ours.fault().retryable else "false"
    assert headers.get("x-should-retry") == (retryable if status in (408, 409, 429) or status >= 500 else None)
    assert ("retry-after" in headers) == (ours.fault().retry_after is not None)


def test_an_ending_and_a_failure_in_mid_stream_are_told_alike() -> None:
    fault = Fault("upstream_truncated", "Cut\ud83d off.", retryable=True)
    assert encode_ending(fault).body == encode_stream_fault(fault)
    assert json.loads(encode_stream_fault(fault))["error"]["message"] == "Cut\ufffd off."
