"""What this server can't do for anybody now."""

from parlance.core.errors.base import ParlanceError


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


class StorageUnavailable(UnavailableError):
    """The database can't be written or read now. Nothing was changed, unless `maybe_kept`: then nobody knows."""

    code = "storage_unavailable"
    title = "Storage unavailable"

    def __init__(self, message: str, *, retry_after: float | None = None, maybe_kept: bool = False) -> None:
        super().__init__(message, retry_after=retry_after)
        self.maybe_kept = maybe_kept
