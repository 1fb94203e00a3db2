"""The errors of OpenAI's APIs and ours, in both directions: all of them have the same object for an error."""

from typing import Final

import msgspec
from msgspec import Struct

from parlance.core.errors import (
    Fault,
    InvalidRequest,
    ParlanceError,
    RequestError,
    UpstreamError,
)
from parlance.core.provider import HostAnswer
from parlance.dialects.complaint import decode_complaint, read_complaint
from parlance.dialects.raw_fields import Fields
from parlance.dialects.refusals import EncodedFault, Vocabulary, class_of, error_in_stream, error_of_answer

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

OPENAI_WORDS: Final = Vocabulary(api="an OpenAI-compatible API", quota=_QUOTA, rate=_RATE, key=_KEY, rejected=_REJECTED)


def decode_error(answer: HostAnswer, *, host: str) -> UpstreamError:
    """The error that an answer stands for which is no success, or no JSON."""
    return error_of_answer(answer, decode_complaint(answer.body), OPENAI_WORDS, host=host)


def decode_stream_error(error: Fields | str, *, host: str) -> UpstreamError:
    """An error told inside a stream whose status was 200: an object, or a bare string."""
    return error_in_stream(read_complaint(error), OPENAI_WORDS, host=host)


class WireFault(Struct, frozen=True):
    """`param` names the field at fault."""

    message: str
    type: str
    param: str | None
    code: str


class WireFaultBody(Struct, frozen=True):
    error: WireFault


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
    "too_many_at_once": "rate_limit_exceeded",
}
"""Where official clients and their users know a code of OpenAI's for what is ours."""


def encode_fault(error: ParlanceError) -> EncodedFault:
    """The answer when nothing was streamed yet."""
    param = error.fields[0].path.removeprefix("$.") if isinstance(error, InvalidRequest) and error.fields else None
    return _answer(error.fault(), type(error), param)


def encode_ending(fault: Fault) -> EncodedFault:
    """The answer for a whole turn that failed with `fault`."""
    return _answer(fault, class_of(fault.code), None)


def encode_stream_fault(fault: Fault) -> bytes:
    """The data of the frame that tells a failure in mid-stream: the one form on which official clients raise."""
    return _body(fault, class_of(fault.code), None)


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
    """These APIs know no 422: what is not of the expected form is a 400."""
    return 400 if issubclass(kind, InvalidRequest) else kind.status
