"""Guesses of token counts, for budgets and for calls whose usage was never told. Always marked as estimated."""

from collections.abc import Iterable

import msgspec

from parlance.core.messages import Message
from parlance.core.parts import File, Image, Kept, Part, ToolCall, ToolResult, output_text
from parlance.core.requests import Request
from parlance.core.usage import Usage

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MEDIA = 1000
"""What an image or a file is counted as when its size says nothing: hosts count pages and tiles, not bytes."""


def part_tokens(part: Part) -> int:
    match part:
        case ToolCall(name=name, arguments=arguments):
            return estimate_tokens(len(name) + len(arguments))
        case ToolResult():
            return estimate_tokens(len(output_text(part)))
        case Image() | File():
            return TOKENS_PER_MEDIA
        case Kept(data=data):
            return estimate_tokens(len(bytes(data)))
        case prose:
            return estimate_tokens(len(prose.text))


def message_tokens(message: Message) -> int:
    return 4 + sum(part_tokens(part) for part in message.parts)


def estimate_usage(request: Request, shown: Iterable[Part]) -> Usage:
    """For a call that was cut before its host said what it used."""
    return Usage(
        input=sum(message_tokens(message) for message in request.messages),
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
