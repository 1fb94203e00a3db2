"""What a model's host did not do."""

from parlance.core.errors.base import ParlanceError


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
