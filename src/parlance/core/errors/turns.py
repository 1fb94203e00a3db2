"""What ends a turn that is nobody's fault, and what a tool tells the model."""

from parlance.core.errors.base import ParlanceError


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


class NotStored(ParlanceError):
    """The answer was shown, and could not be kept."""

    code = "not_stored"
    title = "Answer not stored"
    status = 503
    retryable = True
