"""This language's errors and ours, in both directions: `{"error": "what happened"}`, and the status."""

import re
from typing import Final

from msgspec import Raw, Struct

from parlance.core.errors import (
    Fault,
    HostDeclined,
    HostQuotaExhausted,
    HostRejected,
    InvalidRequest,
    ParlanceError,
    UpstreamError,
)
from parlance.core.provider import HostAnswer
from parlance.dialects.complaint import Complaint, decode_complaint, read_complaint, tell
from parlance.dialects.mend import encode_json
from parlance.dialects.raw_fields import read_text
from parlance.dialects.refusals import EncodedFault, Vocabulary, class_of, error_in_stream, error_of_answer

_VOCABULARY: Final = Vocabulary(api="Ollama's own API")
_MISSING: Final = re.compile(r"model\s+['\"`]?(?P<name>[^\s'\"`,]+)['\"`]?\s+not found", re.IGNORECASE)
_SPENT: Final = re.compile(r"usage limit|upgrade (?:your|to)|subscription", re.IGNORECASE)
_HOPELESS: Final = re.compile(
    r"requires more system memory|exceeds? the (?:available )?context|context length", re.IGNORECASE
)


def decode_error(answer: HostAnswer, *, host: str) -> UpstreamError:
    """The error that an answer stands for which is no success, or no JSON. Its words say more than its status."""
    complaint = decode_complaint(answer.body)
    error = error_of_answer(answer, complaint, _VOCABULARY, host=host)
    return _by_words(error, complaint, answer.status, host) or error


def decode_stream_error(error: Raw, *, host: str) -> UpstreamError:
    """An error told inside a stream whose status was 200: a string, or from a model's own host an object."""
    complaint = read_complaint(error)
    if not complaint.message and read_text(error) is None:
        complaint = Complaint(bytes(error).decode("utf-8", "replace"), complaint.type, complaint.code)
    found = error_in_stream(complaint, _VOCABULARY, host=host)
    return _by_words(found, complaint, 500, host) or found


def _by_words(error: UpstreamError, complaint: Complaint, status: int, host: str) -> UpstreamError | None:
    said = complaint.message
    missing = _MISSING.search(said)
    if missing is not None and status in (400, 404, 500):
        name = tell(missing["name"])
        text = f"{host} does not have the model {name!r}. Get it there with `ollama pull {name}`, or ask for another."
        return _instead(error, HostDeclined(text, host=host))
    if status == 429 and _SPENT.search(said):
        text = f"{error.message} Trying again soon does not help."
        return _instead(error, HostQuotaExhausted(text, host=host))
    if status == 403 and "disabled" in said:
        return _instead(error, HostRejected(f"{host} answered 403: {tell(said)}", host=host))
    if status >= 500 and _HOPELESS.search(said):
        return _instead(error, HostRejected(error.message, host=host))
    return None


def _instead(error: UpstreamError, better: UpstreamError) -> UpstreamError:
    better.upstream_id = error.upstream_id
    return better


class WireFault(Struct, frozen=True):
    error: str


def encode_fault(error: ParlanceError) -> EncodedFault:
    """The answer when nothing was streamed yet."""
    return _answer(error.fault(), type(error))


def encode_ending(fault: Fault) -> EncodedFault:
    """The answer for a whole turn that failed with `fault`."""
    return _answer(fault, class_of(fault.code))


def encode_stream_fault(fault: Fault) -> bytes:
    """The line that tells a failure in mid-stream: the one form on which the official client raises."""
    return encode_json(WireFault(fault.message)) + b"\n"


def _answer(fault: Fault, kind: type[ParlanceError]) -> EncodedFault:
    headers = [("content-type", "application/json; charset=utf-8")]
    if fault.retry_after is not None:
        headers.append(("retry-after", f"{fault.retry_after:g}"))
    # This language knows no 422: what is not of the expected form is a 400.
    status = 400 if issubclass(kind, InvalidRequest) else kind.status
    return EncodedFault(status, tuple(headers), encode_json(WireFault(fault.message)))
