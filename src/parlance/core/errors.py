"""Every error that a caller may be told, each with a stable code.

ParlanceError
├── RequestError            what the caller sent can't be served as it is
│   ├── InvalidJson · InvalidRequest · UnsupportedMediaType · BodyTooLarge · UnknownAction · MethodNotAllowed
│   ├── BadHttp · HeadTooLarge · HeadTimeout · BodyTimeout · UpgradeRequired
│   ├── RequestIdInUse · CallNotWaiting · IdempotencyKeyInvalid · IdempotencyKeyReused
│   ├── TurnRunning · NothingToCancel
│   └── ModelNotFound · TurnNotFound · SessionNotFound · PathNotFound · CursorExpired
├── AccessError             the caller may not
│   └── KeyMissing · KeyInvalid · OriginRefused · HostRefused · ModelForbidden
├── UnavailableError        this server can't serve anybody that way now
│   ├── LimitReached: Overloaded · TooManyAtOnce
│   └── NoProvider · Stopping · SlowFollower
├── UpstreamError           a model's host did not do its part
│   ├── HostUnreachable · HostTimeout · HostKeyRefused · HostRateLimited · HostQuotaExhausted
│   └── HostRejected: HostDeclined · HostFailed · HostAnswerInvalid · TruncatedAnswer
├── ToolFailed              a tool's failure: a result for the model, not an ending
├── TurnAbandoned · TurnInterrupted · TurnSuperseded · TooManyRounds
└── InternalError           a bug of ours
"""

from typing import ClassVar

from parlance.core.fault import Fault as Fault
from parlance.core.fault import Field as Field
from parlance.core.text import whole_characters


class ParlanceError(Exception):
    """`code` is stable, `title` names the class; the message says what happened, to which thing, and what to do."""

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.message = whole_characters(message)
        super().__init__(self.message)
        self.retry_after = retry_after

    def fault(self) -> Fault:
        return Fault(code=self.code, message=self.message, retryable=self.retryable, retry_after=self.retry_after)


class RequestError(ParlanceError):
    code = "bad_request"
    title = "Bad request"
    status = 400


class InvalidJson(RequestError):
    code = "invalid_json"
    title = "Not valid JSON"


class InvalidRequest(RequestError):
    """`fields` lists the places at fault, where they are known."""

    code = "invalid_request"
    title = "Not of the expected form"
    status = 422

    def __init__(self, message: str, *, fields: tuple[Field, ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields


class UnsupportedMediaType(RequestError):
    code = "unsupported_media_type"
    title = "Unsupported media type"
    status = 415


class BodyTooLarge(RequestError):
    code = "body_too_large"
    title = "Body too large"
    status = 413


class UnknownAction(RequestError):
    code = "unknown_action"
    title = "Unknown action"


class MethodNotAllowed(RequestError):
    code = "method_not_allowed"
    title = "Method not allowed"
    status = 405


class BadHttp(RequestError):
    code = "bad_http"
    title = "Not valid HTTP"


class HeadTooLarge(RequestError):
    code = "head_too_large"
    title = "Headers too large"
    status = 431


class HeadTimeout(RequestError):
    code = "head_timeout"
    title = "Request not sent in time"
    status = 408


class BodyTimeout(RequestError):
    code = "body_timeout"
    title = "Body not sent in time"
    status = 408


class UpgradeRequired(RequestError):
    """What is at this path speaks over a WebSocket alone."""

    code = "upgrade_required"
    title = "Upgrade required"
    status = 426


class RequestIdInUse(RequestError):
    code = "request_id_in_use"
    title = "Request id in use"
    status = 409


class CallNotWaiting(RequestError):
    code = "call_not_waiting"
    title = "Call not waiting"
    status = 409


class TurnRunning(RequestError):
    code = "turn_running"
    title = "Turn running"
    status = 409


class NothingToCancel(RequestError):
    code = "nothing_to_cancel"
    title = "Nothing to cancel"
    status = 409


class IdempotencyKeyInvalid(RequestError):
    code = "idempotency_key_invalid"
    title = "Idempotency key invalid"


class IdempotencyKeyReused(RequestError):
    code = "idempotency_key_reused"
    title = "Idempotency key reused"
    status = 422


class ModelNotFound(RequestError):
    code = "model_not_found"
    title = "Model not found"
    status = 404


class TurnNotFound(RequestError):
    code = "turn_not_found"
    title = "Turn not found"
    status = 404


class SessionNotFound(RequestError):
    code = "session_not_found"
    title = "Session not found"
    status = 404


class PathNotFound(RequestError):
    code = "not_found"
    title = "Not found"
    status = 404


class CursorExpired(RequestError):
    """The events behind a cursor can't be told again; whoever catches this gives a snapshot and a new cursor."""

    code = "cursor_expired"
    title = "Cursor expired"
    status = 410


class AccessError(ParlanceError):
    code = "forbidden"
    title = "Forbidden"
    status = 403


class KeyMissing(AccessError):
    code = "key_missing"
    title = "Key missing"
    status = 401


class KeyInvalid(AccessError):
    code = "key_invalid"
    title = "Key invalid"
    status = 401


class OriginRefused(AccessError):
    code = "origin_refused"
    title = "Origin refused"


class HostRefused(AccessError):
    code = "host_refused"
    title = "Host refused"
    status = 421


class ModelForbidden(AccessError):
    code = "model_forbidden"
    title = "Model forbidden"


class UnavailableError(ParlanceError):
    code = "unavailable"
    title = "Unavailable"
    status = 503
    retryable = True


class NoProvider(UnavailableError):
    code = "no_provider"
    title = "No provider"
    retryable = False


class LimitReached(UnavailableError):
    """`limit` names it, as the settings do below `limits` where it is one of them. Nothing was begun."""

    def __init__(self, message: str, *, limit: str = "", retry_after: float | None = 1.0) -> None:
        super().__init__(message, retry_after=retry_after)
        self.limit = limit


class Overloaded(LimitReached):
    """All callers together hold as much as the server gives."""

    code = "overloaded"
    title = "Overloaded"


class TooManyAtOnce(LimitReached):
    """This caller alone holds as much as one may."""

    code = "too_many_at_once"
    title = "Too many at once"
    status = 429


class Stopping(UnavailableError):
    code = "stopping"
    title = "Server is stopping"


class SlowFollower(UnavailableError):
    """This follower did not take what was said in time and was cut; the turn goes on, and its cursor stays good."""

    code = "slow_follower"
    title = "Follower too slow"


class UpstreamError(ParlanceError):
    """Messages name the host as configured (`host`) and never quote a key.

    `upstream_id` is the host's own id of the request.
    """

    code = "upstream_failed"
    title = "The model's host failed"
    status = 502

    def __init__(
        self, message: str, *, host: str = "", retry_after: float | None = None, upstream_id: str | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.host = host
        self.upstream_id = upstream_id


class HostUnreachable(UpstreamError):
    code = "upstream_unreachable"
    title = "The model's host can't be reached"
    retryable = True


class HostTimeout(UpstreamError):
    """The message says which deadline passed: connect, first, idle or total."""

    code = "upstream_timeout"
    title = "The model's host took too long"
    status = 504
    retryable = True


class HostKeyRefused(UpstreamError):
    code = "upstream_key_refused"
    title = "The model's host refused our key"


class HostRateLimited(UpstreamError):
    code = "upstream_rate_limited"
    title = "The model's host limits our rate"
    status = 429
    retryable = True


class HostQuotaExhausted(UpstreamError):
    code = "upstream_quota_exhausted"
    title = "The account at the model's host is exhausted"
    status = 402


class HostRejected(UpstreamError):
    """The host can't serve this request as it is: a parameter, the length of the history, the model's name."""

    code = "upstream_rejected"
    title = "The model's host rejected the request"
    status = 400


class HostDeclined(HostRejected):
    """Asking it again does not help, but another host may serve this request: it has no such model, say."""


class HostFailed(UpstreamError):
    retryable = True


class HostAnswerInvalid(UpstreamError):
    """What came is not of the host's language: a page of HTML, say."""

    code = "upstream_invalid"
    title = "The model's host answered something else"


class TruncatedAnswer(UpstreamError):
    """The stream ended without its terminal marker: what was shown stands, but it is not the whole answer."""

    code = "upstream_truncated"
    title = "The answer was cut off"
    retryable = True


class ToolFailed(ParlanceError):
    """Raised by tools; the model is told the message as the result of its call."""

    code = "tool_failed"
    title = "Tool failed"


class TurnAbandoned(ParlanceError):
    code = "abandoned"
    title = "Nobody followed"


class TurnInterrupted(ParlanceError):
    code = "interrupted"
    title = "Interrupted"
    status = 503
    retryable = True


class TurnSuperseded(ParlanceError):
    """The turn waited for its caller, who sent a new message instead."""

    code = "superseded"
    title = "Superseded"
    status = 409


class TooManyRounds(ParlanceError):
    code = "too_many_rounds"
    title = "Too many tool rounds"
    status = 502


class InternalError(ParlanceError):
    """A bug of ours. What a caller is told names no details: those are in the log, under the request's id."""

    retryable = True

    def __init__(self) -> None:
        super().__init__("Something went wrong inside the server. Its log has the details, under this request's id.")


def fault_of(error: BaseException) -> Fault:
    """The fault to tell for any exception."""
    return error.fault() if isinstance(error, ParlanceError) else InternalError().fault()
