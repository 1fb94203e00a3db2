"""From what a host of any language says is wrong to the error that tells whether a retry helps."""

from msgspec import Struct

from parlance.core.errors import (
    AccessError,
    HostAnswerInvalid,
    HostDeclined,
    HostFailed,
    HostKeyRefused,
    HostQuotaExhausted,
    HostRateLimited,
    HostRejected,
    HostTimeout,
    InternalError,
    ParlanceError,
    RequestError,
    UpstreamError,
)
from parlance.core.provider import HostAnswer
from parlance.dialects.complaint import Complaint, tell
from parlance.dialects.hints import decode_request_id, decode_retry_after, decode_should_retry


class Vocabulary(Struct, frozen=True, kw_only=True):
    """A language's words for kinds of errors, in lower case, as they stand in `type` or `code`.

    `api` names what the base URL should lead to.
    """

    api: str
    quota: frozenset[str] = frozenset()
    rate: frozenset[str] = frozenset()
    key: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()


class EncodedFault(Struct, frozen=True):
    """An error of ours as an answer over HTTP."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def error_of_answer(answer: HostAnswer, complaint: Complaint, words: Vocabulary, *, host: str) -> UpstreamError:
    """The error that an answer stands for which is no success, or not of the language."""
    error = _classify(answer, complaint, words, host)
    error.upstream_id = decode_request_id(answer.headers)
    return error


def error_in_stream(complaint: Complaint, words: Vocabulary, *, host: str) -> UpstreamError:
    """An error told inside a stream whose status was 200."""
    text = f"{host} failed in the middle of its answer{_because(complaint)}"
    said = {complaint.type, complaint.code}
    if said & words.key:
        return _key_refused(host)
    if said & words.quota:
        return _quota(host)
    if said & words.rate:
        return HostRateLimited(text, host=host)
    return (HostRejected if said & words.rejected else HostFailed)(text, host=host)


def class_of(code: str) -> type[ParlanceError]:
    """The class of our errors that has this code; `InternalError` for none."""
    known = [ParlanceError, RequestError, AccessError, UpstreamError]
    while known:
        kind = known.pop()
        if kind.code == code and kind is not ParlanceError:
            return kind
        known += kind.__subclasses__()
    return InternalError


def _classify(answer: HostAnswer, complaint: Complaint, words: Vocabulary, host: str) -> UpstreamError:
    status, said = answer.status, {complaint.type, complaint.code}
    text = f"{host} answered {status}{_because(complaint)}"
    wait = decode_retry_after(answer.headers)
    if status in (401, 403) or (status < 500 and said & words.key):
        return _key_refused(host)
    if status == 402 or said & words.quota:
        return _quota(host)
    if status < 400:
        return HostAnswerInvalid(f"{text} Check that its base URL leads to {words.api}.", host=host)
    if status == 404:
        return HostDeclined(f"{text} Check the model's name, and that the base URL is right.", host=host)
    should_retry = decode_should_retry(answer.headers)
    if status == 408 and should_retry is not False:
        return HostTimeout(text, host=host, retry_after=wait)
    if status == 429 or (status >= 500 and said & words.rate):
        return _rate_limited(text, should_retry, wait, host)
    if (status >= 500 or status in (408, 409, 425)) if should_retry is None else should_retry:
        return HostFailed(text, host=host, retry_after=wait)
    return HostRejected(text, host=host)


def _rate_limited(text: str, should_retry: bool | None, wait: float | None, host: str) -> UpstreamError:
    if should_retry is False:
        return HostDeclined(f"{text} The host says that trying again does not help.", host=host)
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
