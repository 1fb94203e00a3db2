"""Hosts' errors into ours, as far as this language has words of its own."""

import json

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
    UpstreamError,
)
from parlance.core.provider import HostAnswer
from parlance.dialects.openai_responses.faults import decode_error, encode_ending, encode_fault, tell_failure


def error(status: int, body: object = b"", **headers: str) -> UpstreamError:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return decode_error(HostAnswer(status, named, encoded), host="lab")


def told(message: str = "Said.", type: str | None = None, code: object = None) -> dict[str, object]:
    return {"error": {"message": message, "type": type, "param": None, "code": code}}


@pytest.mark.requirement("openai_responses:faults:classes")
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, told(), HostRejected),
        (400, told(code="invalid_encrypted_content"), HostRejected),
        (400, told(code="previous_response_not_found"), HostRejected),
        (401, told(code="invalid_api_key"), HostKeyRefused),
        (403, b"", HostKeyRefused),
        (404, told(type="not_found"), HostDeclined),
        (408, b"", HostTimeout),
        (409, b"", HostFailed),
        (429, told(code="rate_limit_exceeded"), HostRateLimited),
        (429, told(type="too_many_requests"), HostRateLimited),
        (429, told(code="slow_down"), HostRateLimited),
        (429, told(type="insufficient_quota", code="credit_balance_exhausted"), HostQuotaExhausted),
        (429, told(type="insufficient_quota", code="organization_spend_limit_exceeded"), HostQuotaExhausted),
        (429, told(type="insufficient_quota", code="project_spend_limit_exceeded"), HostQuotaExhausted),
        (429, told(type="insufficient_quota", code="organization_usage_limit_exceeded"), HostQuotaExhausted),
        (500, told(type="model_error"), HostFailed),
        (500, b"<html>oops</html>", HostFailed),
        (503, told(type="service_unavailable_error", code="server_is_overloaded"), HostFailed),
        (200, b"<html>", HostAnswerInvalid),
        (200, b"", HostAnswerInvalid),
        (302, b"", HostAnswerInvalid),
    ],
)
def test_an_answer_is_of_the_class_that_says_what_helps(status: int, body: object, kind: type[UpstreamError]) -> None:
    assert type(error(status, body)) is kind


@pytest.mark.requirement("openai_responses:faults:bodies")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (told("Too long."), "lab answered 400: Too long."),
        ({"error": "Too long"}, "lab answered 400: Too long."),
        ({"detail": "Unsupported parameter"}, "lab answered 400: Unsupported parameter."),
        (b"Too long", "lab answered 400: Too long."),
        (b"", "lab answered 400, and did not say why."),
        (b"<html>secret</html>", "lab answered 400: a page of HTML, not an answer of its API."),
    ],
)
def test_a_hosts_own_words_are_told_whatever_their_form(body: object, words: str) -> None:
    assert error(400, body).message == words


@pytest.mark.requirement("openai_responses:faults:hints")
def test_the_time_to_wait_and_the_id_of_the_request_are_kept() -> None:
    limited = error(429, told(), retry_after="7", x_request_id="req_1")
    assert (limited.retry_after, limited.upstream_id) == (7.0, "req_1")
    assert type(error(429, told(), x_should_retry="false")) is HostDeclined


@pytest.mark.requirement("openai_responses:faults:ours")
def test_our_errors_are_told_in_the_clients_words() -> None:
    encoded = encode_fault(InvalidRequest("x", fields=(Field("$.input[0]", "y"),)))
    assert encoded.status == 400
    wanted = {"message": "x", "type": "invalid_request_error", "param": "input[0]", "code": "invalid_request"}
    assert json.loads(encoded.body) == {"error": wanted}
    assert encode_ending(Fault("upstream_timeout", "x")).status == 504


@pytest.mark.parametrize(
    ("code", "told"),
    [("upstream_rate_limited", "rate_limit_exceeded"), ("upstream_rejected", "invalid_prompt"), ("x", "server_error")],
)
def test_a_failed_response_has_a_code_of_the_closed_list(code: str, told: str) -> None:
    assert tell_failure(Fault(code, "Said.")) == {"code": told, "message": "Said."}
