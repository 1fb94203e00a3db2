"""Hosts' errors into ours, and ours into the objects that Google's client reads."""

import json

import pytest

from parlance.core.errors import (
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
    UpstreamError,
)
from parlance.core.provider import HostAnswer
from parlance.dialects.gemini.faults import decode_error, decode_stream_error, encode_fault

KEY = "AIzaSyA1234567890abcdefghijklmnopqrstuv"


def told(code: int = 400, status: str = "", message: str = "Said.", details: object = ()) -> dict[str, object]:
    return {"error": {"code": code, "message": message, "status": status, "details": details}}


def quota(*ids: str, wait: str = "22s") -> list[object]:
    return [
        {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
        {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"quotaMetric": "generate_content_free_tier_requests", "quotaId": id} for id in ids],
        },
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": wait},
    ]


def error(status: int, body: object = b"", **headers: str) -> UpstreamError:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return decode_error(HostAnswer(status, named, encoded), host="lab")


MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
BAD_KEY = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]


@pytest.mark.requirement("gemini:faults:classes")
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, told(400, "INVALID_ARGUMENT"), HostRejected),
        (400, told(400, "INVALID_ARGUMENT", f"API key not valid: {KEY}", BAD_KEY), HostKeyRefused),
        (400, told(400, "FAILED_PRECONDITION"), HostRejected),
        (401, told(401, "UNAUTHENTICATED"), HostKeyRefused),
        (402, told(402, "FAILED_PRECONDITION"), HostQuotaExhausted),
        (403, told(403, "PERMISSION_DENIED"), HostKeyRefused),
        (404, told(404, "NOT_FOUND"), HostDeclined),
        (408, b"", HostTimeout),
        (429, told(429, "RESOURCE_EXHAUSTED"), HostRateLimited),
        (500, told(500, "INTERNAL"), HostFailed),
        (503, told(503, "UNAVAILABLE"), HostFailed),
        (503, told(503, "RESOURCE_EXHAUSTED"), HostRateLimited),
        (504, told(504, "DEADLINE_EXCEEDED"), HostFailed),
        (200, b"[]", HostAnswerInvalid),
        (302, b"", HostAnswerInvalid),
    ],
)
def test_statuses_lead_to_the_class_that_says_whether_a_retry_helps(
    status: int, body: object, kind: type[UpstreamError]
) -> None:
    found = error(status, body)
    assert type(found) is kind
    assert found.host == "lab"
    assert KEY not in found.message


@pytest.mark.requirement("gemini:faults:quota")
@pytest.mark.parametrize(
    ("details", "message", "kind", "wait"),
    [
        (quota(MINUTE), "You exceeded your current quota", HostRateLimited, 22.0),
        (quota(MINUTE, wait="10.689924287s"), "Please retry", HostRateLimited, 10.689924287),
        (quota(DAY), "You exceeded your current quota", HostQuotaExhausted, None),
        (quota(DAY, MINUTE), "You exceeded your current quota", HostQuotaExhausted, None),
        (quota(MINUTE, wait="37125s"), "Please retry", HostQuotaExhausted, None),
        (quota(MINUTE), "Quota exceeded for metric: x, limit: 0, model: y", HostQuotaExhausted, None),
        (quota(MINUTE), "Quota exceeded for metric: x, limit: 0.5, model: y", HostRateLimited, 22.0),
        ([], "Your prepayment credits are depleted.", HostQuotaExhausted, None),
        (quota(MINUTE, wait="soon"), "Please retry", HostRateLimited, None),
        ("nonsense", "Please retry", HostRateLimited, None),
        ([3, {"violations": [3], "retryDelay": 7}], "Please retry", HostRateLimited, None),
    ],
)
def test_quotas_of_a_minute_are_waited_for_and_those_of_a_day_are_not(
    details: object, message: str, kind: type[UpstreamError], wait: float | None
) -> None:
    found = error(429, told(429, "RESOURCE_EXHAUSTED", message, details))
    assert (type(found), found.retry_after) == (kind, wait)


@pytest.mark.requirement("gemini:faults:quota")
def test_a_header_counts_before_the_body() -> None:
    assert error(429, told(429, "RESOURCE_EXHAUSTED", details=quota(MINUTE)), retry_after="3").retry_after == 3


@pytest.mark.requirement("gemini:faults:bodies")
@pytest.mark.parametrize(
    "body",
    [
        told(503, "UNAVAILABLE"),
        [told(503, "UNAVAILABLE")],
        {"error": "Said."},
        {"message": "Said."},
        {"error": {"message": "Said.", "code": "x", "details": {}}},
        b"Said.",
        b'{"error":{"message":"Said.\\ud83d"}}',
    ],
)
def test_what_a_host_says_is_told_whatever_the_form(body: object) -> None:
    found = error(503, body)
    assert isinstance(found, HostFailed)
    assert "Said." in found.message


@pytest.mark.requirement("gemini:faults:bodies")
@pytest.mark.parametrize("body", [b"", b"<!doctype html><html>", b"\xff\xfe", b"[", b"{", b"[" * 5000])
def test_bodies_that_say_nothing_do_no_harm(body: bytes) -> None:
    assert isinstance(error(500, body), HostFailed)
    assert isinstance(decode_stream_error(body, host="lab"), HostFailed)


@pytest.mark.requirement("gemini:faults:stream")
@pytest.mark.parametrize(
    ("body", "kind", "wait"),
    [
        (told(503, "UNAVAILABLE"), HostFailed, None),
        (told(500), HostFailed, None),
        (told(429, "RESOURCE_EXHAUSTED", details=quota(MINUTE)), HostRateLimited, 22.0),
        (told(429, ""), HostRateLimited, None),
        (told(429, "RESOURCE_EXHAUSTED", details=quota(DAY)), HostQuotaExhausted, None),
        (told(400, "INVALID_ARGUMENT"), HostRejected, None),
        (told(400, "INVALID_ARGUMENT", KEY, BAD_KEY), HostKeyRefused, None),
        (told(403, "PERMISSION_DENIED"), HostKeyRefused, None),
        ([told(503, "UNAVAILABLE")], HostFailed, None),
    ],
)
def test_errors_in_a_stream_are_told_apart_too(body: object, kind: type[UpstreamError], wait: float | None) -> None:
    found = decode_stream_error(json.dumps(body).encode(), host="lab")
    assert (type(found), found.retry_after) == (kind, wait)
    assert KEY not in found.message


@pytest.mark.requirement("gemini:faults:ours")
@pytest.mark.parametrize(
    ("ours", "status", "name"),
    [
        (InvalidRequest("Wrong."), 400, "INVALID_ARGUMENT"),
        (KeyInvalid("Wrong."), 401, "UNAUTHENTICATED"),
        (ModelNotFound("Wrong."), 404, "NOT_FOUND"),
        (Overloaded("Wrong.", retry_after=2.5), 503, "UNAVAILABLE"),
        (HostQuotaExhausted("Wrong."), 402, "FAILED_PRECONDITION"),
        (ParlanceError("Wrong."), 500, "INTERNAL"),
    ],
)
def test_our_errors_are_told_as_statuses(ours: ParlanceError, status: int, name: str) -> None:
    code, body = encode_fault(ours)
    said = json.loads(body)["error"]
    assert (code, said["code"], said["status"], said["message"]) == (status, status, name, "Wrong.")
    assert said["details"][0]["reason"] == ours.code.upper()
    if ours.retry_after:
        assert said["details"][1]["retryDelay"] == "2.5s"
