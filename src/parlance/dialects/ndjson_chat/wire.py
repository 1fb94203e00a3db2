"""The words of the NDJSON chat."""

from typing import Literal

from msgspec import Raw, Struct

from parlance.core.usage import Usage
from parlance.dialects.chat_request import Params, ToldRestart
from parlance.dialects.tool_rounds import GivenResult, ToldCall, ToldResult


class ChatBody(Struct, frozen=True):
    message: str
    model: str | None = None
    chat_id: str | None = None
    tools: list[Raw] | None = None
    params: Params | None = None


class ResultsBody(Struct, frozen=True):
    results: list[GivenResult]


class Meta(Struct, frozen=True, omit_defaults=True):
    model: str
    role: Literal["assistant"]
    turn_id: str
    chat_id: str | None = None


class Problem(Struct, frozen=True, omit_defaults=True):
    code: str
    message: str
    retryable: bool
    retry_after: float | None = None


class Line(Struct, frozen=True, omit_defaults=True):
    """One line of an answer. Keys without a value are absent."""

    meta: Meta | None = None
    delta: str | None = None
    reasoning: str | None = None
    tool_call: ToldCall | None = None
    tool_result: ToldResult | None = None
    restart: ToldRestart | None = None
    warning: Problem | None = None
    error: Problem | None = None
    done: bool = False
    status: str | None = None
    reason: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    cursor: str | None = None


class ModelRow(Struct, frozen=True):
    id: str
    provider: str
    default: bool


class ModelList(Struct, frozen=True):
    models: list[ModelRow]
    default: str | None


class TurnStatus(Struct, frozen=True):
    turn_id: str
    status: str
