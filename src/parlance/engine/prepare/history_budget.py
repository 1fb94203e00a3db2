"""Keeps a request within what its model takes at once, by leaving out the oldest turns whole."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from parlance.core.estimate import message_tokens, tool_tokens
from parlance.core.ids import CallId
from parlance.core.messages import Message
from parlance.core.observers import TurnFacts
from parlance.core.parts import ToolCall, ToolResult
from parlance.core.provider import ModelWindows, Notice
from parlance.core.requests import Request
from parlance.engine.prepare.preparer import Prepared

ASSUMED_WINDOW = 100_000
"""Tokens, where nobody says how large a model's window is."""

FITS_ANYWHERE = 1_000
"""Tokens of a request that no window has to be known for."""

LARGEST_RESERVE = 0.5
"""Of a window. More is not kept free for the answer: a small model could not be asked at all."""

MARGIN = 0.1
"""Of a window, for what the estimate misses. A chat whose request is over the window is refused for ever."""


class HistoryBudget:
    """`reserve`: tokens kept free for the answer, and more if the caller asks for a longer one. Of a route it is the
    first model's window that counts: a small one that stands in when the others fail does not cost them their history.
    """

    def __init__(self, windows: ModelWindows, *, reserve: int) -> None:
        self._windows = windows
        self._reserve = reserve

    async def prepare(self, request: Request, facts: TurnFacts) -> Prepared:
        weights = [message_tokens(message) for message in request.messages]
        tools = sum(map(tool_tokens, request.tools))
        if sum(weights) + tools <= FITS_ANYWHERE:
            return Prepared(request)
        window = await self._windows.window(facts.provider, request.model) or ASSUMED_WINDOW
        room = prompt_room(window, max(self._reserve, request.max_output or 0)) - tools
        kept = within(request.messages, weights, room)
        prepared = msgspec.structs.replace(request, messages=tuple(request.messages[index] for index in kept))
        notices = [] if len(kept) == len(weights) else [_trimmed(request.messages, kept, request.model)]
        if sum(weights[index] for index in kept) + tools > window:
            notices.append(_too_large(window, request.model))
        return Prepared(prepared if notices else request, tuple(notices))


def prompt_room(window: int, reserve: int) -> int:
    """Tokens of a window that a prompt may take."""
    return window - min(reserve, int(window * LARGEST_RESERVE)) - int(window * MARGIN)


def keep_within(messages: tuple[Message, ...], tokens: int) -> tuple[Message, ...]:
    """System messages, and as many of the newest turns as fit: in order, without holes, the newest one always."""
    weights = [message_tokens(message) for message in messages]
    return tuple(messages[index] for index in within(messages, weights, tokens))


def within(messages: Sequence[Message], weights: Sequence[int], tokens: int) -> Sequence[int]:
    """`keep_within` by places, of messages that weigh so much."""
    starts = _turn_starts(messages) if sum(weights) > tokens else []
    if not starts:
        return range(len(messages))
    system = [index for index, message in enumerate(messages) if message.role == "system"]
    left = tokens - sum(weights[index] for index in system)
    first = starts[-1]
    for start, end in reversed([*pairwise(starts), (first, len(messages))]):
        left -= sum(weights[index] for index in range(start, end) if messages[index].role != "system")
        if left < 0 and start != starts[-1]:
            break
        first = start
    return [index for index, message in enumerate(messages) if index >= first or message.role == "system"]


def _turn_starts(messages: Sequence[Message]) -> list[int]:
    """Where a history may begin: at a user's message behind which no result is of a call that stands before it."""
    starts = []
    reaching_back = len(messages)
    calls = _calls_of_results(messages)
    for index in range(len(messages) - 1, -1, -1):
        reaching_back = min(reaching_back, calls.get(index, index))
        if messages[index].role == "user" and reaching_back >= index:
            starts.append(index)
    return starts[::-1]


def _calls_of_results(messages: Sequence[Message]) -> dict[int, int]:
    """Where the earliest call is that a message has a result of. An id is used again by some models and clients: the
    last call before the result is meant.
    """
    called: dict[CallId, int] = {}
    found: dict[int, int] = {}
    for index, message in enumerate(messages):
        for part in message.parts:
            if isinstance(part, ToolCall):
                called[part.id] = index
            elif isinstance(part, ToolResult) and part.call_id in called:
                found[index] = min(found.get(index, index), called[part.call_id])
    return found


def _trimmed(messages: Sequence[Message], kept: Sequence[int], model: str) -> Notice:
    """What is counted is the history: what the user said last, and what came behind it, is never left out."""
    newest = _turn_starts(messages)[-1]
    history = sum(message.role != "system" for message in messages[:newest])
    left_out = len(messages) - len(kept)
    return Notice(
        "history_trimmed",
        f"{left_out} of {history} earlier messages were left out, oldest first: together they are more than {model} "
        "takes at once.",
    )


def _too_large(window: int, model: str) -> Notice:
    return Notice(
        "request_too_large",
        f"The newest message and what belongs to it are more than the {window} tokens that {model} takes at once: "
        "it may refuse them. Say less at a time.",
    )
