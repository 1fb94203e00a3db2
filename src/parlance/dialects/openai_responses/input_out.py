"""The history as the items of an input, such that a host takes it.

Every call is answered before the next user message, results that belong to no call are left out, and no thought stands
without what followed it.
"""

from collections.abc import Sequence

from parlance.core.messages import Message
from parlance.core.parts import Kept, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from parlance.core.transcript import answer_open_calls
from parlance.dialects.openai_responses import quirks as quirk
from parlance.dialects.openai_responses.content_out import (
    Listener,
    encode_call,
    encode_content,
    encode_result,
    encode_said,
    encode_thought,
)
from parlance.dialects.openai_responses.wire import FAMILY
from parlance.dialects.openai_responses.wire_requests import Item, WireMessage


def encode_input(messages: Sequence[Message], to: Listener) -> tuple[str | None, list[Item]]:
    """The instructions, from the system messages that come first, and the items of all others."""
    first = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    instructions = "\n\n".join(text for message in messages[:first] if (text := _system_text(message, to)))
    items: list[Item] = []
    calls: dict[str, ToolCall] = {}
    for message in answer_open_calls(messages[first:]):
        match message.role:
            case "assistant":
                items += _Spoken(message, to).items
                calls = {str(part.id): part for part in message.parts if isinstance(part, ToolCall)}
            case "tool":
                items += _results(message, calls, to)
            case "user":
                items += _asked(message, to)
            case _:
                text = _system_text(message, to)
                items += [WireMessage("system", text)] if text else []
    if items:
        return instructions or None, items
    # An input must not be empty.
    if instructions:
        return None, [WireMessage("system", instructions)]
    return None, [WireMessage("user", to.losses.pad(to.host))]


class _Spoken:
    """An assistant's message: its items in the order they were made."""

    def __init__(self, message: Message, to: Listener) -> None:
        self.items: list[Item] = []
        self._to = to
        self._host = message.origin.host if message.origin is not None else None
        self._back = self._host in (None, to.host)
        self._said: list[Text | Refusal] = []
        self._thoughts: list[Reasoning] = []
        self._proven: list[Item] = []
        for part in message.parts:
            self._take(part)
        self._flush()
        if self._proven:
            to.losses.add("reasoning_dropped", f"{to.host} takes no thought that nothing followed: left out.")

    def _take(self, part: Part) -> None:
        match part:
            case Text() | Refusal():
                self._said.append(part)
            case Reasoning():
                self._flush()
                self._think(part)
            case ToolCall():
                self._flush()
                self._add(encode_call(part, self._to, back=self._back))
            case Kept(family=family, data=data) if family == FAMILY and self._back:
                self._flush()
                self._add(data)
            case Kept():
                self._to.lose_kept(part)
            case _:
                pass

    def _add(self, item: Item) -> None:
        # A host refuses reasoning without the item that came of it.
        self.items += [*self._proven, item]
        self._proven, self._thoughts = [], []

    def _flush(self) -> None:
        said, self._said = self._said, []
        item = encode_said(said, self._to, back=self._back)
        if item is not None:
            self._add(item)

    def _think(self, part: Reasoning) -> None:
        """Unsigned thoughts stay here, unless a proof for them follows: without it no host takes them."""
        self._thoughts.append(part)
        signature = part.signature
        if signature is None:
            return
        if self._to.owns(signature, self._host) and quirk.NO_ENCRYPTED_REASONING not in self._to.quirks:
            self._proven.append(encode_thought(self._thoughts, signature))
        else:
            self._to.lose_signature()
        self._thoughts = []


def _results(message: Message, calls: dict[str, ToolCall], to: Listener) -> list[Item]:
    items: list[Item] = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            call = calls.pop(part.call_id, None)
            if call is not None:
                items.append(encode_result(part, to, freeform=call.freeform))
            else:
                to.losses.add("result_dropped", "A tool's result belongs to no open call in the history: left out.")
    return items


def _asked(message: Message, to: Listener) -> list[Item]:
    items: list[Item] = []
    for part in message.parts:
        if isinstance(part, Kept) and part.family == FAMILY:
            items.append(part.data)
        elif isinstance(part, Kept):
            to.lose_kept(part)
    content = encode_content(message.parts, to)
    return [*items, WireMessage("user", content)] if content else items


def _system_text(message: Message, to: Listener) -> str:
    texts = [part.text for part in message.parts if isinstance(part, Text)]
    if len(texts) < len(message.parts):
        to.losses.add("part_dropped", "A system message can hold only text: the rest of it was left out.")
    return "\n\n".join(texts)
