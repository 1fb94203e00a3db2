"""Keeps the history within what a model can read, by leaving out the oldest turns whole."""

import msgspec

from parlance.core.estimate import message_tokens
from parlance.core.messages import Message
from parlance.core.observers import TurnFacts
from parlance.core.provider import Notice
from parlance.core.requests import Request
from parlance.engine.prepare.preparer import Prepared


class HistoryBudget:
    """`tokens` is an estimate's bound on system prompt, history and input together; the newest user message is never
    left out.
    """

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens

    async def prepare(self, request: Request, facts: TurnFacts) -> Prepared:
        kept = keep_within(request.messages, self._tokens)
        if len(kept) == len(request.messages):
            return Prepared(request)
        left_out = len(request.messages) - len(kept)
        notice = Notice(
            "history_trimmed", f"The oldest {left_out} messages were left out: the history is over its budget."
        )
        return Prepared(msgspec.structs.replace(request, messages=kept), (notice,))


def keep_within(messages: tuple[Message, ...], tokens: int) -> tuple[Message, ...]:
    """System messages, and as many of the newest turns as fit; a turn begins at a user message, so calls keep their
    results.
    """
    weights = [message_tokens(message) for message in messages]
    starts = [index for index, message in enumerate(messages) if message.role == "user"]
    if sum(weights) <= tokens or not starts:
        return messages
    left = tokens - sum(weight for message, weight in zip(messages, weights, strict=True) if message.role == "system")
    first = len(messages)
    for start in reversed(starts):
        weight = sum(w for m, w in zip(messages[start:first], weights[start:first], strict=True) if m.role != "system")
        if weight > left and first < len(messages):
            break
        left -= weight
        first = start
    return tuple(message for index, message in enumerate(messages) if index >= first or message.role == "system")
