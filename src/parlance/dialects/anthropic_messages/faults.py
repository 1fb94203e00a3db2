"""This language's errors and ours, in both directions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from msgspec import Raw, Struct

from parlance.core.errors import Fault, HostRateLimited, InvalidRequest, ParlanceError, UpstreamError
from parlance.core.provider import HostAnswer
from parlance.dialects.complaint import Complaint, decode_complaint
from parlance.dialects.mend import encode_json, mend_json
from parlance.dialects.raw_fields import read_fields, read_text
from parlance.dialects.refusals import EncodedFault, Vocabulary, class_of, error_in_stream, error_of_answer

_QUOTA: Final = frozenset({
    "billing_error", "enforced_spend_limit_reached", "contract_spend_limit_reached",
    "linked_organization_spend_limit_reached", "linked_organization_billing_unavailable", "organization_on_hold",
})  # fmt: skip
_KEY: Final = frozenset({"authentication_error", "permission_error"})
_REJECTED: Final = frozenset({"invalid_request_error", "not_found_error", "request_too_large"})
_VOCABULARY: Final = Vocabulary(
    api="an API in Anthropic's language",
    quota=_QUOTA,
    rate=frozenset({"rate_limit_error"}),
    key=_KEY,
    rejected=_REJECTED,
)
_SPENT: Final = ("credit balance is too low", "reached your specified api usage limits")
"""Own spend limits and an empty account come as plain invalid requests: only the words tell."""


def decode_error(answer: HostAnswer, *, host: str) -> UpstreamError:
    """The error that an answer stands for which is no success, or no JSON."""
    error = error_of_answer(answer, _complaint(answer.body), _VOCABULARY, host=host)
    if isinstance(error, HostRateLimited) and error.retry_after is None:
        error.retry_after = _until_reset(answer.headers)
    return error


def decode_stream_error(data: bytes, *, host: str) -> UpstreamError:
    """An error told inside a stream whose status was 200, or in its place."""
    return error_in_stream(_complaint(data), _VOCABULARY, host=host)


def _complaint(body: bytes) -> Complaint:
    """The cause of an error has a code of its own, deeper inside."""
    told = decode_complaint(body)
    inside = read_fields(read_fields(Raw(mend_json(body))).get("error"))
    code = read_text(read_fields(inside.get("details")).get("error_code")) or told.code
    if any(words in told.message.lower() for words in _SPENT):
        code = "billing_error"
    return Complaint(told.message, told.type, code.strip().lower())


def _until_reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until the last of the used-up limits is whole again, by the host's own clock."""
    waits = []
    for name, value in headers.items():
        limit, _, what = name.rpartition("-")
        if limit.startswith("anthropic-ratelimit-") and what == "remaining" and value.strip() == "0":
            waits.append(_seconds(headers.get(f"{limit}-reset"), headers.get("date")))
    known = [wait for wait in waits if wait is not None]
    return max(known, default=None)


def _seconds(reset: str | None, now: str | None) -> float | None:
    try:
        then = datetime.fromisoformat(reset or "")
        if then.tzinfo is None:
            then = then.replace(tzinfo=UTC)
        return max(0.0, (then - parsedate_to_datetime(now or "")).total_seconds())
    except (ValueError, TypeError):
        return None


class _Details(Struct, frozen=True):
    error_code: str


class _Error(Struct, frozen=True):
    """`details` has our own code."""

    type: str
    message: str
    details: _Details


class _ErrorBody(Struct, frozen=True):
    type: str
    error: _Error


_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OVERLOADED: Final = 529


def encode_fault(error: ParlanceError) -> EncodedFault:
    """The answer when nothing was streamed yet."""
    return _answer(error.fault(), type(error))


def encode_ending(fault: Fault) -> EncodedFault:
    """The answer for a whole turn that failed with `fault`."""
    return _answer(fault, class_of(fault.code))


def encode_stream_fault(fault: Fault) -> bytes:
    """The data of the `error` event that tells a failure in mid-stream."""
    return _body(fault, _status(class_of(fault.code)))


def _answer(fault: Fault, kind: type[ParlanceError]) -> EncodedFault:
    status = _status(kind)
    headers = [("content-type", "application/json")]
    if fault.retry_after is not None:
        headers.append(("retry-after", f"{fault.retry_after:g}"))
    if status in (408, 409, 429) or status >= 500:
        # Official clients retry these by themselves, unless told otherwise.
        headers.append(("x-should-retry", "true" if fault.retryable else "false"))
    return EncodedFault(status, tuple(headers), _body(fault, status))


def _body(fault: Fault, status: int) -> bytes:
    type_ = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return encode_json(_ErrorBody("error", _Error(type_, fault.message, _Details(fault.code))))


def _status(kind: type[ParlanceError]) -> int:
    """This language knows no 422 and no 503: it has a status of its own for being overloaded."""
    if issubclass(kind, InvalidRequest):
        return 400
    return _OVERLOADED if kind.status == 503 else kind.status
