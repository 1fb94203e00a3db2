"""We are the server: methods and their parameters into commands."""

import msgspec
from msgspec import Raw, Struct

from parlance.core.errors import UnknownAction
from parlance.core.ids import CallId
from parlance.core.json import decode_json
from parlance.core.messages import Message
from parlance.core.requests import Request, ToolSpec
from parlance.core.tool import Answer
from parlance.dialects.chat_request import Params, build_request, decode_chat_id, decode_text, decode_tools, refused
from parlance.dialects.json_rpc.history import decode_history, decode_output
from parlance.dialects.json_rpc.wire import (
    AuthParams,
    CancelParams,
    CreateBody,
    GenerateParams,
    GivenResult,
    ResumeParams,
    ToolResultParams,
)

MAX_KEPT_TOOLS = 262_144
"""Bytes, as they were sent, of the tools that a session keeps; all of them together."""

METHODS = ("auth", "cancel", "generate", "resume", "tool_result")


class Opening(Struct, frozen=True):
    """What a new session shall be like. `chat_id` is the stored chat that it is, or `new`."""

    tools: tuple[ToolSpec, ...] = ()
    queues: bool = False
    chat_id: str | None = None


class Generate(Struct, frozen=True):
    """Messages to be answered.

    `request.messages` are those that came: with `replaces` in place of the session's history, else behind it. `input`
    is the last of them, where it is a user's. `tools`, unless None, stand for the session's. `ignored` are the
    parameters that mean nothing here. `asked` is all of it as it came: the same under the same `idempotency_key` is the
    same request.
    """

    request: Request
    input: Message | None
    replaces: bool
    tools: tuple[ToolSpec, ...] | None
    params: Params
    ignored: tuple[str, ...]
    idempotency_key: str | None = None
    asked: bytes = b""


class Results(Struct, frozen=True):
    task_id: str
    answers: tuple[Answer, ...]


class Cancel(Struct, frozen=True):
    """None: whatever the session answers now."""

    task_id: str | None


class Resume(Struct, frozen=True):
    """Follow a turn again, from behind the cursor `after`; None is from its beginning."""

    task_id: str
    after: str | None
    params: Params


class Auth(Struct, frozen=True):
    key: str


Command = Generate | Results | Cancel | Resume | Auth


def decode_opening(body: bytes) -> Opening:
    """The body of `POST /create_session`; it may be empty. Raises `InvalidJson`, `InvalidRequest`."""
    if not body.strip():
        return Opening()
    given = decode_json(body, CreateBody)
    chat_id = decode_chat_id(given.chat_id, path="$.chat_id")
    size = sum(len(bytes(tool)) for tool in given.tools or ())
    if size > MAX_KEPT_TOOLS:
        raise refused(
            "$.tools",
            f"The tools have {size} bytes together, and a session keeps {MAX_KEPT_TOOLS} at most. "
            "Send larger ones with each generate.",
        )
    return Opening(decode_tools(given.tools or (), path="$.tools"), bool(given.queue), chat_id)


def decode_command(method: str, params: Raw) -> Command:
    """Raises `UnknownAction`, `InvalidRequest`."""
    if method not in METHODS:
        raise UnknownAction(f"There is no method {method[:80]!r}. Known are: {', '.join(METHODS)}.")
    if bytes(params).startswith(b"["):
        if decode_json(params, list[Raw]):
            raise refused("$.params", "Parameters go by name here. Send an object.")
        params = Raw(b"{}")
    match method:
        case "generate":
            return _decode_generate(params)
        case "tool_result":
            given = decode_json(params, ToolResultParams, at="$.params")
            return Results(given.task_id, _decode_answers(given.results))
        case "resume":
            resume = decode_json(params, ResumeParams, at="$.params")
            shown = Params(reasoning=bool(resume.reasoning), warnings=bool(resume.warnings))
            return Resume(resume.task_id, resume.after, shown)
        case "auth":
            return Auth(decode_json(params, AuthParams, at="$.params").key)
        case _:
            return Cancel(decode_json(params, CancelParams, at="$.params").task_id)


def _decode_generate(raw: Raw) -> Generate:
    given = decode_json(raw, GenerateParams, at="$.params")
    history = decode_history(given.history or (), path="$.params.history")
    messages = list(history)
    # A message beside a history that asks already is the same question again: clients of old send both.
    if given.message is not None and not (history and history[-1].role == "user"):
        messages.append(decode_text(given.message, path="$.params.message"))
    if not any(message.role != "system" for message in messages):
        raise refused("$.params", "Nothing is asked. Send a history, a message, or both.")
    params = _params(given)
    known = GenerateParams.__struct_fields__
    return Generate(
        request=build_request(tuple(messages[:-1]), messages[-1], model=given.model, tools=(), params=params),
        input=messages[-1] if messages[-1].role == "user" else None,
        replaces=given.history is not None,
        tools=None if given.tools is None else decode_tools(given.tools, path="$.params.tools"),
        params=params,
        ignored=tuple(name for name in msgspec.json.decode(raw, type=dict[str, Raw]) if name not in known),
        idempotency_key=given.idempotency_key,
        asked=bytes(raw),
    )


def _params(given: GenerateParams) -> Params:
    return Params(
        reasoning=bool(given.reasoning),
        warnings=bool(given.warnings),
        restarts=bool(given.restarts),
        timeout=given.timeout,
        reasoning_effort=given.reasoning_effort,
        temperature=given.temperature,
        top_p=given.top_p,
        top_k=given.top_k,
        seed=given.seed,
        stop=given.stop or [],
        max_tokens=given.max_new_tokens if given.max_new_tokens is not None else given.max_tokens,
        tool_choice=given.tool_choice or "auto",
        parallel_tool_calls=given.parallel_tool_calls,
    )


def _decode_answers(results: list[GivenResult]) -> tuple[Answer, ...]:
    if not results:
        raise refused("$.params.results", "There is no result in it.")
    return tuple(_decode_answer(result) for result in results)


def _decode_answer(given: GivenResult) -> Answer:
    said = given.is_error if given.is_error is not None else given.isError
    nothing = bytes(given.result) == b"null"
    is_error = said if said is not None else given.error_message is not None and nothing
    output = decode_output(given.result)
    if is_error:
        output = given.error_message or (output if not nothing else "The tool failed, and did not say why.")
    return Answer(CallId(given.tool_call_id), output, is_error=is_error)
