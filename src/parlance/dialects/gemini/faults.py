"""This language's errors (google.rpc.Status as JSON) and ours, in both directions."""

import re
from typing import Final

from msgspec import Raw, Struct

from parlance.core.errors import Fault, HostQuotaExhausted, ParlanceError, UpstreamError
from parlance.core.provider import HostAnswer
from parlance.dialects.complaint import Complaint, decode_complaint
from parlance.dialects.mend import encode_json, mend_json
from parlance.dialects.raw_fields import Fields, read_count, read_fields, read_items, read_text
from parlance.dialects.refusals import Vocabulary, class_of, error_in_stream, error_of_answer

_SPENT: Final = "quota_spent"
_VOCABULARY: Final = Vocabulary(
    api="Google's Gemini API",
    quota=frozenset({_SPENT, "402"}),
    rate=frozenset({"resource_exhausted"}),
    key=frozenset({"unauthenticated", "permission_denied", "api_key_invalid", "api_key_expired"}),
    rejected=frozenset({"invalid_argument", "failed_precondition", "not_found", "out_of_range", "unimplemented"}),
)
_LONG: Final = 3600.0
"""Seconds. A host that asks for a longer wait means its next day."""

_SPENT_WORDS: Final = re.compile(
    r"\blimit: 0(?!\.?\d)|credits? (?:are|is) depleted|spend(?:ing)? (?:cap|limit)", re.IGNORECASE
)
_SECONDS: Final = re.compile(r"(\d+(?:\.\d+)?)s")


class _Status(Struct, frozen=True):
    """What an error says. `wait` is in seconds; `quotas` are the ids of those that were exceeded."""

    name: str = ""
    reason: str = ""
    wait: float | None = None
    quotas: tuple[str, ...] = ()


def decode_error(answer: HostAnswer, *, host: str) -> UpstreamError:
    """The error that an answer stands for which is no success, or no JSON."""
    status = _read(answer.body)
    error = error_of_answer(answer, _complaint(answer.body, status), _VOCABULARY, host=host)
    return _with_wait(error, status)


def decode_stream_error(data: bytes, *, host: str) -> UpstreamError:
    """An error told inside a stream whose status was 200: `data` is the JSON that holds it."""
    status = _read(data)
    return _with_wait(error_in_stream(_complaint(data, status), _VOCABULARY, host=host), status)


def _with_wait(error: UpstreamError, status: _Status) -> UpstreamError:
    """The time to wait stands in the body; headers, where a proxy sets them, count first."""
    if error.retry_after is None and status.wait is not None and not isinstance(error, HostQuotaExhausted):
        error.retry_after = status.wait
    return error


def _complaint(body: bytes, status: _Status) -> Complaint:
    said = decode_complaint(body)
    spent = (
        any("perday" in quota.lower() for quota in status.quotas)
        or (status.wait or 0.0) > _LONG
        or (status.name == "resource_exhausted" and _SPENT_WORDS.search(said.message) is not None)
    )
    return Complaint(said.message, status.name or said.type, _SPENT if spent else status.reason or said.code)


def _read(body: bytes) -> _Status:
    error = read_fields(_outer(body).get("error"))
    name = read_text(error.get("status")) or _NAMES.get(read_count(error.get("code")) or 0, "")
    details = [read_fields(one) for one in read_items(error.get("details"))]
    waits = [_seconds(read_text(one.get("retryDelay"))) for one in details]
    reasons = [read_text(one.get("reason")) for one in details]
    quotas = [
        read_text(read_fields(raw).get("quotaId")) for one in details for raw in read_items(one.get("violations"))
    ]
    return _Status(
        name.lower(),
        next((reason for reason in reasons if reason), "").lower(),
        next((wait for wait in waits if wait is not None), None),
        tuple(quota for quota in quotas if quota),
    )


def _outer(body: bytes) -> Fields:
    """The object, also where it is the one item of a list."""
    raw = Raw(mend_json(body))
    listed = read_items(raw)
    return read_fields(listed[0] if listed else raw)


def _seconds(text: str | None) -> float | None:
    found = _SECONDS.fullmatch(text or "")
    return float(found[1]) if found else None


_NAMES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Google's names of statuses."""


def encode_fault(error: ParlanceError) -> tuple[int, bytes]:
    """The status and the body of the answer when nothing was streamed yet."""
    status = 400 if error.status == 422 else error.status
    return status, _body(error.fault(), status)


def encode_stream_fault(fault: Fault) -> bytes:
    """What tells a failure in mid-stream: official clients raise on it, with `data:` before it or without."""
    return _body(fault, class_of(fault.code).status)


def _body(fault: Fault, status: int) -> bytes:
    details: list[object] = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": fault.code.upper(), "domain": "parlance"}
    ]
    if fault.retry_after is not None:
        delay = f"{fault.retry_after:g}s"
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    name = _NAMES.get(status, "UNKNOWN")
    return encode_json({"error": {"code": status, "message": fault.message, "status": name, "details": details}})
