"""This language's errors and ours, in both directions."""

from typing import Final

import msgspec
from msgspec import Struct

from parlance.core.errors import (
    AccessError,
    Fault,
    HostAnswerInvalid,
    HostFailed,
    HostKeyRefused,
    HostQuotaExhausted,
    HostRateLimited,
    HostRejected,
    HostTimeout,
    InternalError,
    InvalidRequest,
    ParlanceError,
    RequestError,
    UpstreamError,
)
from parlance.core.provider import HostAnswer
from parlance.dialects.hints import decode_request_id, decode_retry_after, decode_should_retry
from parlance.dialects.openai_chat.complaint import Complaint, decode_complaint, read_complaint, tell
from parlance.dialects.openai_chat.wire import WireError

_QUOTA: Final = frozenset({
    "insufficient_quota", "insufficient_balance", "credit_balance_exhausted", "billing_hard_limit_reached",
    "billing_not_active", "organization_spend_limit_exceeded", "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded", "402",
})  # fmt: skip
_RATE: Final = frozenset({"rate_limit_exceeded", "rate_limit_error", "slow_down", "429"})
_KEY: Final = frozenset({"invalid_api_key", "authentication_error", "permission_error", "401", "403"})
_REJECTED: Final = frozenset({
    "invalid_request_error", "badrequesterror", "bad_request", "context_length_exceeded", "model_not_found",
    "not_found_error", "400", "404", "413", "422",
})  # fmt: skip


def decode_error(answer: HostAnswer, *, host: str) -> UpstreamError:
    """The error that an answer stands for which is no success, or no JSON."""
    error = _classify(answer.status, decode_complaint(answer.body), answer, host)
    error.upstream_id = decode_request_id(answer.headers)
    return error


def decode_stream_error(error: WireError, *, host: str) -> UpstreamError:
    """An error told inside a stream whose status was 200: an object, or a bare string."""
    complaint = read_complaint(error)
    text = f"{host} failed in the middle of its answer{_because(complaint)}"
    words = {complaint.type, complaint.code}
    if words & _KEY:
        return _key_refused(host)
    if words & _QUOTA:
        return _quota(host)
    if words & _RATE:
        return HostRateLimited(text, host=host)
    return (HostRejected if words & _REJECTED else HostFailed)(text, host=host)


def _classify(status: int, complaint: Complaint, answer: HostAnswer, host: str) -> UpstreamError:
    words = {complaint.type, complaint.code}
    text = f"{host} answered {status}{_because(complaint)}"
    wait = decode_retry_after(answer.headers)
    if status in (401, 403) or (status < 500 and words & _KEY):
        return _key_refused(host)
    if status == 402 or words & _QUOTA:
        return _quota(host)
    if status < 400:
        return HostAnswerInvalid(f"{text} Check that its base URL leads to an OpenAI-compatible API.", host=host)
    if status == 404:
        return HostRejected(f"{text} Check the model's name, and that the base URL is right.", host=host)
    should_retry = decode_should_retry(answer.headers)
    if status == 408 and should_retry is not False:
        return HostTimeout(text, host=host, retry_after=wait)
    if status == 429 or (status >= 500 and words & _RATE):
        return _rate_limited(text, should_retry, wait, host)
    if (status >= 500 or status in (408, 409, 425)) if should_retry is None else should_retry:
        return HostFailed(text, host=host, retry_after=wait)
    return HostRejected(text, host=host)


def _rate_limited(text: str, should_retry: bool | None, wait: float | None, host: str) -> UpstreamError:
    if should_retry is False:
        return HostRejected(f"{text} The host says that trying again does not help.", host=host)
    return HostRateLimited(text, host=host, retry_after=wait)


def _because(complaint: Complaint) -> str:
    told = tell(complaint.message) or tell(complaint.code or complaint.type)
    if not told:
        return ", and did not say why."
    return f": {told}" if told.endswith((".", "!", "?", "…")) else f": {told}."


def _key_refused(host: str) -> HostKeyRefused:
    # The host's words are not told: they often quote the key.
    return HostKeyRefused(
        f"{host} refused the key it was sent (or what the key may do). "
        f"Set a valid one at providers.{host}.api_key, or in the environment variable that it is read from.",
        host=host,
    )


def _quota(host: str) -> HostQuotaExhausted:
    return HostQuotaExhausted(
        f"The account at {host} has no credit left or has reached its spending limit. Trying again does not help: "
        f"raise the limit there, or set another key at providers.{host}.api_key.",
        host=host,
    )


class WireFault(Struct, frozen=True):
    """`param` names the field at fault."""

    message: str
    type: str
    param: str | None
    code: str


class WireFaultBody(Struct, frozen=True):
    error: WireFault


class EncodedFault(Struct, frozen=True):
    """An error as an answer over HTTP."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


_TYPES: Final = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
}
_CODES: Final = {
    "key_missing": "invalid_api_key",
    "key_invalid": "invalid_api_key",
    "upstream_rate_limited": "rate_limit_exceeded",
    "upstream_quota_exhausted": "insufficient_quota",
    "overloaded": "server_is_overloaded",
}
"""Where official clients and their users know a code of OpenAI's for what is ours."""


def encode_fault(error: ParlanceError) -> EncodedFault:
    """The answer when nothing was streamed yet."""
    param = error.fields[0].path.removeprefix("$.") if isinstance(error, InvalidRequest) and error.fields else None
    return _answer(error.fault(), type(error), param)


def encode_ending(fault: Fault) -> EncodedFault:
    """The answer for a whole turn that failed with `fault`."""
    return _answer(fault, _class_of(fault.code), None)


def encode_stream_fault(fault: Fault) -> bytes:
    """The data of the frame that tells a failure in mid-stream: the one form on which official clients raise."""
    return _body(fault, _class_of(fault.code), None)


def _answer(fault: Fault, kind: type[ParlanceError], param: str | None) -> EncodedFault:
    status = _status(kind)
    headers = [("content-type", "application/json")]
    if fault.retry_after is not None:
        headers.append(("retry-after", f"{fault.retry_after:g}"))
    if status in (408, 409, 429) or status >= 500:
        # Official clients retry these by themselves, unless told otherwise.
        headers.append(("x-should-retry", "true" if fault.retryable else "false"))
    return EncodedFault(status, tuple(headers), _body(fault, kind, param))


def _body(fault: Fault, kind: type[ParlanceError], param: str | None) -> bytes:
    client_error = issubclass(kind, RequestError) or _status(kind) == 400
    usual = "invalid_request_error" if client_error else "server_error"
    type_ = _TYPES.get(_status(kind), usual) if not issubclass(kind, RequestError) else usual
    return msgspec.json.encode(
        WireFaultBody(WireFault(fault.message, type_, param, _CODES.get(fault.code, fault.code)))
    )


def _status(kind: type[ParlanceError]) -> int:
    """This language knows no 422: what is not of the expected form is a 400."""
    return 400 if issubclass(kind, InvalidRequest) else kind.status


def _class_of(code: str) -> type[ParlanceError]:
    known = [ParlanceError, RequestError, AccessError, UpstreamError]
    while known:
        kind = known.pop()
        if kind.code == code and kind is not ParlanceError:
            return kind
        known += kind.__subclasses__()
    return InternalError
