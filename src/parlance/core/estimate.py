"""Guesses of token counts, for budgets and for calls whose usage was never told. Always marked as estimated."""

from collections.abc import Iterable

import msgspec

from parlance.core.messages import Message
from parlance.core.parts import File, Image, Kept, Part, Text, ToolCall, ToolResult
from parlance.core.requests import Request, ToolSpec
from parlance.core.usage import Usage

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MEDIA = 1000
"""What an image or a file is counted as when its size says nothing: hosts count pages and tiles, not bytes."""


TOKENS_PER_ENTRY = 4
"""What a message or a tool takes beside what is written in it."""


def text_tokens(text: str) -> int:
    """Letters beyond ASCII weigh more: a token holds about four bytes, in most scripts."""
    if text.isascii():
        return estimate_tokens(len(text))
    return estimate_tokens(len(text.encode("utf-8", "surrogatepass")))


def part_tokens(part: Part) -> int:
    match part:
        case Text(text=text):
            return text_tokens(text)
        case ToolCall(name=name, arguments=arguments):
            return text_tokens(name + arguments)
        case ToolResult():
            return _result_tokens(part)
        case Image() | File():
            return TOKENS_PER_MEDIA
        case Kept(data=data):
            return estimate_tokens(len(bytes(data)))
        case prose:
            return text_tokens(prose.text)


def _result_tokens(result: ToolResult) -> int:
    if isinstance(result.output, str):
        return text_tokens(result.output)
    return sum(map(part_tokens, result.output))


def message_tokens(message: Message) -> int:
    return TOKENS_PER_ENTRY + sum(map(part_tokens, message.parts))


def tool_tokens(tool: ToolSpec) -> int:
    return TOKENS_PER_ENTRY + text_tokens(tool.name + tool.description) + estimate_tokens(len(bytes(tool.parameters)))


def estimate_usage(request: Request, shown: Iterable[Part]) -> Usage:
    """For a call that was cut before its host said what it used. Tools on offer are not counted: each host puts them
    into the prompt in its own way.
    """
    return Usage(
        input=sum(map(message_tokens, request.messages)),
        output=sum(part_tokens(part) for part in shown),
        estimated=True,
    )


def usage_of_cut(reported: Usage | None, estimated: Usage) -> Usage:
    """For a call that was cut after its host had counted some of it: the input it said, and never less output than what
    was shown.
    """
    if reported is None:
        return estimated
    return msgspec.structs.replace(
        reported,
        input=estimated.input if reported.input is None else reported.input,
        output=max(reported.output or 0, estimated.output or 0),
        estimated=True,
    )


def estimate_tokens(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)
