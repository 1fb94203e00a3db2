"""What a turn says, to all who follow it, for ever.

Every event is numbered in its log; a language folds them into its own frames.

Laws. `TurnStarted` is first and `TurnEnded` last, once each. Parts are numbered over the whole turn in the order of
their opening, and are opened and closed exactly once, within their step. `PartClosed.what` equals the joined growth,
so a log without `PartOpened` and growth is still complete. `ToolCalled` follows `StepEnded`: a call that was cut is
never run and nobody is asked to run it.
"""

from typing import Literal

from msgspec import Struct

from parlance.core.errors import Fault
from parlance.core.ids import MessageId, TurnId
from parlance.core.messages import Message, Origin
from parlance.core.parts import Annotation, Part, ToolCall, ToolResult
from parlance.core.usage import Finish, Usage

Runner = Literal["server", "client", "approval"]
"""Who carries out a call: this server, the caller, or this server once a person has agreed."""

Status = Literal["completed", "failed", "cancelled", "incomplete"]
"""How a turn ended. `incomplete`: what was shown stands, but it is not the whole answer."""


class _Event(Struct, frozen=True, tag_field="kind", omit_defaults=True):
    pass


class TurnStarted(_Event, frozen=True, tag="turn_started"):
    """The turn was accepted.

    `model` is the name it was asked by; `input` the user's message (None where there is none).
    """

    turn: TurnId
    model: str
    input: Message | None = None


class StepStarted(_Event, frozen=True, tag="step_started"):
    """A model call answers. Steps count from 1."""

    step: int
    origin: Origin


class PartOpened(_Event, frozen=True, tag="part_opened"):
    """A part begins; `what` is its skeleton. `runner` is set for tool calls, and only there."""

    part: int
    what: Part
    runner: Runner | None = None


class TextGrew(_Event, frozen=True, tag="text_grew", gc=False):
    part: int
    text: str


class RefusalGrew(_Event, frozen=True, tag="refusal_grew", gc=False):
    part: int
    text: str


class ReasoningGrew(_Event, frozen=True, tag="reasoning_grew", gc=False):
    part: int
    text: str


class ArgumentsGrew(_Event, frozen=True, tag="arguments_grew", gc=False):
    part: int
    text: str


class PartAnnotated(_Event, frozen=True, tag="part_annotated"):
    part: int
    annotation: Annotation


class PartClosed(_Event, frozen=True, tag="part_closed"):
    part: int
    what: Part


class StepEnded(_Event, frozen=True, tag="step_ended"):
    """The model call is over.

    `finish` is None when it was cut before the model had finished: by a fault, a cancel, or a lost host.
    """

    step: int
    finish: Finish | None
    message_id: MessageId
    raw: str | None = None
    usage: Usage | None = None


class StepDropped(_Event, frozen=True, tag="step_dropped"):
    """The step's parts are void, and its numbers are not used again."""

    step: int
    reason: str


class ToolCalled(_Event, frozen=True, tag="tool_called"):
    """A call is made; its arguments are a JSON object (or free text, for a freeform tool).

    `expires_at`: RFC 3339, when an answer is due from outside.
    """

    call: ToolCall
    runner: Runner
    expires_at: str | None = None


class ToolReturned(_Event, frozen=True, tag="tool_returned"):
    result: ToolResult


class Warned(_Event, frozen=True, tag="warned"):
    code: str
    message: str


class TurnEnded(_Event, frozen=True, tag="turn_ended"):
    """The ending. `fault` says why, for `failed` and `incomplete`; `usage` sums the steps that were shown."""

    status: Status
    finish: Finish | None = None
    usage: Usage | None = None
    fault: Fault | None = None


Growth = TextGrew | RefusalGrew | ReasoningGrew | ArgumentsGrew
GROWTH = (TextGrew, RefusalGrew, ReasoningGrew, ArgumentsGrew)
"""The same for `isinstance` on the hot path, which takes a tuple several times as quickly as a union."""

Event = (
    TurnStarted
    | StepStarted
    | PartOpened
    | TextGrew
    | RefusalGrew
    | ReasoningGrew
    | ArgumentsGrew
    | PartAnnotated
    | PartClosed
    | StepEnded
    | StepDropped
    | ToolCalled
    | ToolReturned
    | Warned
    | TurnEnded
)
