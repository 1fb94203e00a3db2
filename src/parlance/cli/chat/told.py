"""What a client is told about one answer. As JSON these are the lines of `parlance chat --json`."""

from msgspec import Struct

from parlance.core.usage import Usage


class _Told(Struct, frozen=True, tag_field="kind"):
    pass


class Started(_Told, frozen=True, tag="started"):
    """First, once the server has taken the question."""

    request_id: str
    turn_id: str


class TextTold(_Told, frozen=True, tag="text"):
    text: str


class ReasoningTold(_Told, frozen=True, tag="reasoning"):
    text: str


class CallTold(_Told, frozen=True, tag="tool_call"):
    """`arguments` is JSON text. `runner` says who carries it out."""

    id: str
    name: str
    arguments: str
    runner: str


class ResultTold(_Told, frozen=True, tag="tool_result"):
    """Either `output` or `error` is null."""

    tool_call_id: str
    output: str | None
    error: str | None


class Warned(_Told, frozen=True, tag="warning"):
    code: str
    message: str


class Ended(_Told, frozen=True, tag="ended"):
    """Last, and once.

    `status` is `completed`, `cancelled`, `incomplete` or `failed`; the last two have a `code` and a `message` that says
    what to do. Null is what nobody said.
    """

    status: str
    request_id: str
    turn_id: str | None = None
    cursor: str | None = None
    finish: str | None = None
    usage: Usage | None = None
    model: str | None = None
    provider: str | None = None
    code: str | None = None
    message: str | None = None
    retry_after: float | None = None


Told = Started | TextTold | ReasoningTold | CallTold | ResultTold | Warned | Ended
