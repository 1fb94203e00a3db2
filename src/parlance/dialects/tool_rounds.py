"""How the chat languages of our own clients tell a tool call and its result, and read the results a client gives."""

from collections.abc import Sequence

from msgspec import Raw, Struct

from parlance.core.events import ToolCalled
from parlance.core.ids import CallId
from parlance.core.json import decode_json
from parlance.core.parts import ToolResult, output_text
from parlance.core.tool import Answer
from parlance.dialects.chat_request import refused


class ToldCall(Struct, frozen=True):
    """`arguments` is JSON text. `runner` says who carries it out; `expires_at` when the client's answer is due."""

    id: str
    name: str
    arguments: str
    runner: str
    expires_at: str | None


class ToldResult(Struct, frozen=True):
    """Either `output` or `error` is null."""

    tool_call_id: str
    output: str | None
    error: str | None


class GivenResult(Struct, frozen=True):
    """What the client's own tool returned: `output`, any JSON, or `error`."""

    tool_call_id: str
    output: Raw = Raw(b"null")
    error: str | None = None


def tell_call(called: ToolCalled) -> ToldCall:
    call = called.call
    return ToldCall(call.id, call.name, call.arguments, called.runner, called.expires_at)


def tell_result(result: ToolResult) -> ToldResult:
    text = output_text(result)
    return ToldResult(result.call_id, None if result.is_error else text, text if result.is_error else None)


def decode_answers(results: Sequence[GivenResult], *, path: str) -> tuple[Answer, ...]:
    """The results a client gives. `InvalidRequest` for none at all, and for one that has an output and an error."""
    if not results:
        raise refused(path, "There is no result in it.")
    return tuple(_decode_answer(given, f"{path}[{index}]") for index, given in enumerate(results))


def _decode_answer(given: GivenResult, path: str) -> Answer:
    call_id, output = CallId(given.tool_call_id), bytes(given.output)
    if given.error is not None and output != b"null":
        raise refused(path, "It has an output and an error. Send one of them.")
    if given.error is not None:
        return Answer(call_id, given.error, is_error=True)
    # Text is given to the model as it is, anything else as the JSON it came as.
    return Answer(call_id, decode_json(output, str) if output.startswith(b'"') else output.decode())
