"""The words of this language: the parameters of its methods, their results, and its notifications."""

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from parlance.core.requests import Effort
from parlance.core.usage import Usage
from parlance.dialects.chat_request import Timeout
from parlance.dialects.json_rpc.faults import RpcError

Count = Annotated[int, Meta(ge=1)]


class CreateBody(Struct, frozen=True):
    """`queue`: a `generate` that comes while another runs waits for it, instead of being refused. `chat_id`: the stored
    chat that the session is, or `new`.
    """

    tools: list[Raw] | None = None
    queue: bool | None = None
    chat_id: str | None = None


class SessionMade(Struct, frozen=True, omit_defaults=True):
    session_id: str
    chat_id: str | None = None


class GenerateParams(Struct, frozen=True):
    """Null is the same as absent, everywhere."""

    history: list[Raw] | None = None
    message: str | None = None
    tools: list[Raw] | None = None
    model: str | None = None
    max_new_tokens: Count | None = None
    max_tokens: Count | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    tool_choice: str | None = None
    parallel_tool_calls: bool | None = None
    reasoning: bool | None = None
    restarts: bool | None = None
    timeout: Timeout | None = None
    reasoning_effort: Effort | None = None
    warnings: bool | None = None
    idempotency_key: str | None = None


class GivenResult(Struct, frozen=True):
    """`tool_name` is known from the call, so it is not looked at."""

    tool_call_id: str
    tool_name: str | None = None
    result: Raw = Raw(b"null")
    is_error: bool | None = None
    isError: bool | None = None
    error_message: str | None = None


class ToolResultParams(Struct, frozen=True):
    task_id: str
    results: list[GivenResult]


class CancelParams(Struct, frozen=True):
    task_id: str | None = None


class AuthParams(Struct, frozen=True):
    key: str


class ResumeParams(Struct, frozen=True):
    task_id: str
    after: str | None = None
    reasoning: bool | None = None
    warnings: bool | None = None


class Done(Struct, frozen=True, omit_defaults=True):
    """The result of a method. `ignored` names parameters of `generate` that mean nothing here."""

    status: Literal["processing", "received", "cancelled", "authenticated", "resumed"]
    task_id: str | None = None
    ignored: list[str] = []


class GivenFunction(Struct, frozen=True):
    name: str | None = None
    arguments: Raw = Raw(b"null")


class GivenCall(Struct, frozen=True):
    """OpenAI's form has `function`; the flat ones have the name and the arguments beside the id."""

    id: str | None = None
    tool_call_id: str | None = None
    function: GivenFunction | None = None
    name: str | None = None
    tool_name: str | None = None
    arguments: Raw = Raw(b"null")
    parameters: Raw = Raw(b"null")
    args: Raw = Raw(b"null")


class GivenMessage(Struct, frozen=True):
    """A message of a client's history. `tool_name` and `tool_result` are the flat form of a tool's."""

    role: Literal["user", "assistant", "tool", "system", "developer"]
    content: Raw = Raw(b"null")
    tool_calls: list[GivenCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    tool_name: str | None = None
    tool_result: Raw = Raw(b"null")
    is_error: bool | None = None
    isError: bool | None = None
    error_message: str | None = None


class ImageAddress(Struct, frozen=True):
    url: str
    detail: str | None = None


class GivenPart(Struct, frozen=True):
    """A piece of a message's content."""

    type: Literal["text", "refusal", "image_url"]
    text: str | None = None
    refusal: str | None = None
    image_url: ImageAddress | str | None = None


class Told(Struct, frozen=True, omit_defaults=True):
    """The parameters of every notification. `task_id` is null where no turn is meant."""

    session_id: str
    task_id: str | None
    chunk: str | None = None
    request_id: str | None = None
    tool_name: str | None = None
    parameters: Raw | None = None
    expires_at: str | None = None
    status_message: str | None = None
    final_text: str | None = None
    usage: Usage | None = None
    error: RpcError | None = None
    code: str | None = None
    message: str | None = None
    snapshot: Raw | None = None
    cursor: str | None = None


class Notification(Struct, frozen=True):
    jsonrpc: str
    method: str
    params: Told
