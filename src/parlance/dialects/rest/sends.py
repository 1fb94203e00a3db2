"""Bodies that ask a model something, as requests of ours."""

from collections.abc import Sequence

from msgspec import Raw, Struct

from parlance.core.ids import CallId, new_message_id
from parlance.core.json import decode_json
from parlance.core.messages import Message, Role
from parlance.core.parts import Image, Part, Text, ToolCall, ToolResult
from parlance.core.requests import NamedTool, ReasoningAsk, Request, Sampling, ToolChoice, ToolSpec
from parlance.core.stores.chats import Names
from parlance.core.tool import Answer
from parlance.dialects.chat_request import decode_text, decode_tools, refused
from parlance.dialects.data_uris import decode_source
from parlance.dialects.rest.wire_requests import (
    Choice,
    ChosenTool,
    CompletionBody,
    GivenCall,
    GivenMessage,
    GivenResult,
    ImagePiece,
    ResultsBody,
    SendBody,
    StreamQuery,
    TextPiece,
)


class Send(Struct, frozen=True, kw_only=True):
    """A message for a chat. `request` holds it alone: the chat has its history. `provider` is the one that was named,
    if one was. The selections are of this message alone.
    """

    message: Message
    request: Request
    provider: str | None
    include_memories: bool
    enabled_functions: Names
    disabled_functions: tuple[str, ...]
    enabled_mcp_tools: Names
    disabled_mcp_tools: tuple[str, ...]


class Direct(Struct, frozen=True):
    """Messages for a model, without a chat."""

    request: Request
    provider: str | None


def decode_send(body: SendBody, wanted: StreamQuery) -> Send | Answer:
    """A message to answer, or the result of a call that the chat's turn waits for. `InvalidRequest`."""
    if body.role == "tool":
        if not body.tool_call_id:
            raise refused("$.tool_call_id", "It must name the call whose result this is.")
        return Answer(CallId(body.tool_call_id), _clean(body.content, "$.content"))
    message = decode_text(body.content, path="$.content")
    tools = [*(body.tools or ()), *(body.functions or ())]
    request = Request(
        model=_model(body.provider_name, body.model),
        messages=(message,),
        tools=decode_tools(tools, path="$.tools" if body.tools else "$.functions"),
        tool_choice=_choice(body.tool_choice),
        max_output=body.max_tokens,
        sampling=Sampling(temperature=body.temperature),
        reasoning=ReasoningAsk(show=wanted.reasoning),
        can_restart=wanted.restarts,
    )
    return Send(
        message=message,
        request=request,
        provider=body.provider_name or None,
        include_memories=bool(body.include_memories),
        enabled_functions=_names(body.enabled_functions, "$.enabled_functions"),
        disabled_functions=_names(body.disabled_functions, "$.disabled_functions") or (),
        enabled_mcp_tools=_names(body.enabled_mcp_tools, "$.enabled_mcp_tools"),
        disabled_mcp_tools=_names(body.disabled_mcp_tools, "$.disabled_mcp_tools") or (),
    )


def decode_completion(body: CompletionBody, wanted: StreamQuery) -> Direct:
    """`InvalidRequest`, also for a tool's result whose call no message before it makes."""
    request = Request(
        model=_model(body.provider_name, body.model),
        messages=decode_messages(body.messages),
        tools=_tools(body),
        tool_choice=_choice(body.tool_choice),
        max_output=body.max_tokens,
        sampling=Sampling(temperature=body.temperature),
        reasoning=ReasoningAsk(show=wanted.reasoning),
        can_restart=wanted.restarts,
    )
    return Direct(request, body.provider_name or None)


def decode_results(body: ResultsBody) -> tuple[Answer, ...]:
    """`InvalidRequest` for none at all, and for one that has a result and an error."""
    if not body.results:
        raise refused("$.results", "There is no result in it.")
    return tuple(_answer(given, f"$.results[{number}]") for number, given in enumerate(body.results))


def decode_messages(given: Sequence[GivenMessage]) -> tuple[Message, ...]:
    if not given:
        raise refused("$.messages", "At least one message is needed.")
    calls: dict[str, str] = {}
    messages: list[Message] = []
    for number, message in enumerate(given):
        path = f"$.messages[{number}]"
        parts = (_result(message, calls, path),) if message.role == "tool" else _parts(message, path)
        calls.update({part.id: part.name for part in parts if isinstance(part, ToolCall)})
        role: Role = "system" if message.role == "developer" else message.role
        if parts:
            messages.append(Message(new_message_id(), role, parts))
    if not messages:
        raise refused("$.messages", "None of them says anything.")
    return tuple(messages)


def _tools(body: CompletionBody) -> tuple[ToolSpec, ...]:
    return decode_tools(body.tools or (), path="$.tools")


def _model(provider: str | None, model: str | None) -> str:
    """Behind a provider's name and a slash nothing may follow: its own default model, then."""
    return f"{provider}/{model or ''}" if provider else model or ""


def _choice(choice: Choice) -> ToolChoice:
    return NamedTool(choice.function.name) if isinstance(choice, ChosenTool) else choice or "auto"


def _parts(message: GivenMessage, path: str) -> tuple[Part, ...]:
    calls = message.tool_calls or () if message.role == "assistant" else ()
    return (*_content(message, path), *(_call(call, f"{path}.tool_calls[{n}]") for n, call in enumerate(calls)))


def _content(message: GivenMessage, path: str) -> list[Part]:
    path = f"{path}.content"
    if isinstance(message.content, str):
        return [Text(_clean(message.content, path))] if message.content else []
    return [_piece(piece, f"{path}[{number}]") for number, piece in enumerate(message.content or ())]


def _piece(piece: TextPiece | ImagePiece, path: str) -> Part:
    match piece:
        case TextPiece(text=text):
            return Text(_clean(text, path))
        case ImagePiece(image_url=image):
            source, media_type = decode_source(image.url, f"{path}.image_url.url")
            return Image(source, media_type, detail=image.detail)


def _call(call: GivenCall, path: str) -> ToolCall:
    if not call.function.name:
        raise refused(f"{path}.function.name", "A call has the name of its function.")
    return ToolCall(CallId(call.id), call.function.name, _clean(call.function.arguments, path) or "{}")


def _result(message: GivenMessage, calls: dict[str, str], path: str) -> ToolResult:
    call = message.tool_call_id
    if not call or call not in calls:
        raise refused(f"{path}.tool_call_id", "It must be the id of a call that a message before this one makes.")
    texts = [part.text for part in _content(message, path) if isinstance(part, Text)]
    return ToolResult(CallId(call), calls[call], "\n".join(texts))


def _answer(given: GivenResult, path: str) -> Answer:
    call_id, result = CallId(given.tool_call_id), bytes(given.result)
    if given.error is not None and result != b"null":
        raise refused(path, "It has a result and an error. Send one of them.")
    if given.error is not None:
        return Answer(call_id, _clean(given.error, f"{path}.error"), is_error=True)
    # Text is given to the model as it is, anything else as the JSON it came as.
    text = decode_json(Raw(result), str) if result.startswith(b'"') else result.decode()
    return Answer(call_id, _clean(text, f"{path}.result"))


def _clean(text: str, path: str) -> str:
    if "\0" in text:
        raise refused(path, f"The text holds a NUL character at {text.index(chr(0))}. Send it without.")
    return text


def _names(names: list[str] | None, path: str) -> Names:
    return None if names is None else tuple(_clean(name, f"{path}[{number}]") for number, name in enumerate(names))
