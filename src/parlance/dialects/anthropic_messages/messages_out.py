"""The history in this language's words, such that a host takes it.

Neighbours of one role are one message, results come first in theirs and once for each call, system messages stand
where the model takes them, and the last word is the user's.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Raw, Struct

from parlance.core.messages import Message
from parlance.core.parts import Kept, Text, ToolCall, ToolResult
from parlance.core.transcript import answer_open_calls
from parlance.dialects.anthropic_messages.content_out import (
    Listener,
    encode_answered,
    encode_mark,
    encode_result,
    encode_said,
)
from parlance.dialects.anthropic_messages.keeping import kept_ids
from parlance.dialects.anthropic_messages.names import encode_id
from parlance.dialects.anthropic_messages.wire_requests import (
    AnyBlock,
    RedactedBlock,
    RequestMessage,
    ResultBlock,
    TextBlock,
    ThinkingBlock,
    WireRole,
)

_OPENING: Final = "[The beginning of the conversation is not shown.]"
_GO_ON: Final = "Go on."


class _Turn(Struct):
    role: WireRole
    blocks: list[AnyBlock]
    results: list[ResultBlock] = []

    @property
    def all(self) -> list[AnyBlock]:
        return [*self.results, *self.blocks]


class History(Struct):
    """`system` is what stands before the conversation."""

    system: list[TextBlock]
    turns: list[_Turn]

    def messages(self) -> list[RequestMessage]:
        return [RequestMessage(turn.role, _content(turn.all)) for turn in self.turns]

    def begins_thinking(self) -> bool:
        """Whether the model's turn that is still going on, if one is, begins with a thought."""
        if len(self.turns) < 2 or not self.turns[-1].results:
            return True
        return isinstance(self.turns[-2].blocks[0], ThinkingBlock | RedactedBlock)


def encode_history(messages: Sequence[Message], to: Listener) -> History:
    first = next((at for at, message in enumerate(messages) if message.role != "system"), len(messages))
    making = _Making(to, messages)
    history = History([block for message in messages[:first] for block in _system(message, to)], making.turns)
    for message in answer_open_calls(messages[first:]):
        making.take(message)
    making.end()
    return history


def _content(blocks: list[AnyBlock]) -> str | list[AnyBlock]:
    """One plain text as a string, which is the same and shorter."""
    if len(blocks) == 1:
        (only,) = blocks
        if isinstance(only, TextBlock) and only.cache_control is None and only.citations is None:
            return only.text
    return blocks


def _system(message: Message, to: Listener) -> list[TextBlock]:
    texts = [part for part in message.parts if isinstance(part, Text)]
    if len(texts) < len(message.parts):
        to.losses.add("part_dropped", "A system message can hold only text: the rest of it was left out.")
    return [TextBlock(text=one.text, cache_control=encode_mark(one.cache)) for one in texts if one.text.strip()]


class _Making:
    """Turns as they are made. `_system` waits until the user's turn that it follows is over."""

    def __init__(self, to: Listener, messages: Sequence[Message]) -> None:
        self.turns: list[_Turn] = []
        self._to = to
        self._system: list[TextBlock] = []
        self._calls: dict[str, str] = {}
        self._used: dict[str, int] = {}
        self._answered = set(_answered(messages))
        self._last = next((message for message in reversed(messages) if message.role == "assistant"), None)
        self._ends_open = bool(messages) and (messages[-1] is self._last or messages[-1].role == "tool")

    def take(self, message: Message) -> None:
        match message.role:
            case "user":
                self._append("user", encode_said(message.parts, self._to))
            case "assistant":
                self._take_answer(message)
            case "tool":
                self._take_results(message)
            case "system":
                self._take_system(_system(message, self._to))

    def end(self) -> None:
        self._place_system()
        last = self.turns[-1] if self.turns else None
        if last is None or last.role == "assistant":
            self._end_with_the_user(last)
        if self.turns[0].role != "user":
            self.turns.insert(0, _Turn("user", [TextBlock(text=_OPENING)]))

    def _end_with_the_user(self, last: _Turn | None) -> None:
        if last is None:
            self._append("user", [TextBlock(text=_GO_ON)])
        elif self._is_paused(last):
            pass  # it was interrupted in its own tools, and goes on by itself
        elif self._to.can.prefill and isinstance(last.blocks[-1], TextBlock):
            last.blocks[-1].text = last.blocks[-1].text.rstrip()
        else:
            self._append("user", [TextBlock(text=_GO_ON)])
            self._to.losses.add(
                "prefill_rewritten",
                f"{self._to.model} does not go on from a text put into its mouth: it was asked to go on instead.",
            )

    def _is_paused(self, last: _Turn) -> bool:
        continued = self._last is not None and self._last.finish == "continue"
        return isinstance(last.blocks[-1], Raw) or (continued and any(isinstance(one, Raw) for one in last.blocks))

    def _take_answer(self, message: Message) -> None:
        self._calls = {part.id: self._call_id(part) for part in message.parts if isinstance(part, ToolCall)}
        blocks = encode_answered(self._without_open_uses(message), self._to, call_ids=self._calls)
        while blocks and isinstance(blocks[-1], ThinkingBlock | RedactedBlock):
            blocks.pop()  # a thought alone is no answer, and refused at the end of one
        if blocks:
            self._place_system()
        self._append("assistant", blocks)

    def _take_results(self, message: Message) -> None:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        for result in results:
            id = self._calls.pop(result.call_id, None)
            if id is None:
                self._to.losses.add("result_dropped", "A tool's result belongs to no call in the history: left out.")
                continue
            block = encode_result(result, self._to, id=id)
            if self.turns and self.turns[-1].role == "user":
                self.turns[-1].results.append(block)
            else:
                self.turns.append(_Turn("user", [], [block]))

    def _take_system(self, blocks: list[TextBlock]) -> None:
        if not blocks:
            return
        if self._to.can.system_anywhere and self.turns and self.turns[-1].role == "user":
            self._system += blocks
            return
        self._to.losses.add(
            "system_message_rewritten",
            f"{self._to.model} takes no system message at this place of a conversation: it was put into the user's.",
        )
        told = [TextBlock(text=f"<system>\n{one.text}\n</system>", cache_control=one.cache_control) for one in blocks]
        self._append("user", list(told))

    def _place_system(self) -> None:
        if self._system:
            self.turns.append(_Turn("system", list(self._system)))
            self._system = []

    def _append(self, role: WireRole, blocks: list[AnyBlock]) -> None:
        if not blocks:
            return
        if self.turns and self.turns[-1].role == role:
            self.turns[-1].blocks += blocks
        else:
            self.turns.append(_Turn(role, blocks))

    def _call_id(self, call: ToolCall) -> str:
        """The id on the wire: histories of several hosts may hold one twice, which is refused."""
        id = wanted = encode_id(call.id)
        number = self._used.get(wanted, 1)
        while id in self._used:
            number += 1
            id = encode_id(f"{wanted}_{number}")
        self._used[wanted] = number
        self._used.setdefault(id, 1)
        return id

    def _without_open_uses(self, message: Message) -> Message:
        """The message without uses of server tools that nothing answers, unless the answer is still to come."""
        if message is self._last and self._ends_open:
            return message
        parts = tuple(part for part in message.parts if not (isinstance(part, Kept) and self._is_open(part)))
        if len(parts) == len(message.parts):
            return message
        self._to.losses.add("part_dropped", "The use of a server tool that was cut off has no result: left out.")
        return Message(message.id, message.role, parts, message.origin, message.finish, message.usage)

    def _is_open(self, kept: Kept) -> bool:
        use, _ = kept_ids(kept.data)
        return bool(use) and use not in self._answered


def _answered(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, Kept):
                yield kept_ids(part.data)[1]
