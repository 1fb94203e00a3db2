"""What every error of ours is, and the one that stands for a bug."""

from typing import ClassVar

from parlance.core.fault import Fault
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


class InternalError(ParlanceError):
    """A bug of ours. What a caller is told names no details: those are in the log, under the request's id."""

    retryable = True

    def __init__(self) -> None:
        super().__init__("Something went wrong inside the server. Its log has the details, under this request's id.")


def fault_of(error: BaseException) -> Fault:
    """The fault to tell for any exception."""
    return error.fault() if isinstance(error, ParlanceError) else InternalError().fault()
