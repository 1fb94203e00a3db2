"""A LangChain answer as deltas: message chunks with text, thoughts, calls, usage and the host's own ending."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from parlance.core.deltas import Delta, Done, Finished, Opened, ReasoningDelta, Signed, TextDelta, UsageReported
from parlance.core.parts import Reasoning, Signature
from parlance.core.usage import Finish, Usage, add_usage
from parlance.dialects.openai_chat.calls import CallJoiner
from parlance.dialects.openai_chat.wire import CallFragment, Function
from parlance.providers.langchain.asking import FAMILY, TEXT_FIELDS, encode_thought

_ENDINGS: Final = ("finish_reason", "stop_reason", "done_reason")
_FINISHES: Final[Mapping[str, Finish]] = {
    "stop": "stop", "end_turn": "stop", "stop_sequence": "stop", "eos": "stop", "complete": "stop", "completed": "stop",
    "load": "stop", "tool_calls": "tool_calls", "tool_use": "tool_calls", "function_call": "tool_calls",
    "length": "length", "max_tokens": "length", "model_context_window_exceeded": "length", "content_filter": "filtered",
    "safety": "filtered", "refusal": "filtered", "recitation": "filtered", "blocklist": "filtered",
    "prohibited_content": "filtered", "spii": "filtered", "pause_turn": "continue", "error": "error",
}  # fmt: skip
_THOUGHTS: Final = "thoughts"


class Listener:
    """Decodes one answer. What is of an unexpected form is left out: no two packages say the same things alike."""

    def __init__(self) -> None:
        self._calls = CallJoiner()
        self._places: dict[str, int] = {}
        self._thinking = False
        self._usage: Usage | None = None
        self._ending: str | None = None

    def feed(self, chunk: object) -> list[Delta]:
        deltas: list[Delta] = []
        if thought := _text(_mapping(getattr(chunk, "additional_kwargs", None)).get("reasoning_content")):
            self._think(thought, deltas)
        for block in _blocks(getattr(chunk, "content", None)):
            self._take(block, deltas)
        fragments = list(self._fragments(chunk))
        if fragments:
            self._calls.take(fragments, deltas)
        self._usage = add_usage(self._usage, _usage(_mapping(getattr(chunk, "usage_metadata", None))))
        about = _mapping(getattr(chunk, "response_metadata", None))
        self._ending = next((word for name in _ENDINGS if (word := _text(about.get(name)))), self._ending)
        return deltas

    def close(self) -> list[Delta]:
        reported: list[Delta] = [UsageReported(self._usage)] if self._usage is not None else []
        finish: Finish = "stop" if self._ending is None else _FINISHES.get(self._ending.lower(), "unknown")
        return [*self._calls.close(), *reported, Finished(finish, self._ending)]

    def _take(self, block: Mapping[str, object], deltas: list[Delta]) -> None:
        kind = block.get("type")
        if kind == "text" and (text := _text(block.get("text"))):
            self._thinking = False
            deltas.append(TextDelta("text", text))
        elif kind in TEXT_FIELDS or kind == "redacted_thinking":
            if thought := _thought(block):
                self._think(thought, deltas)
            if _is_signed(block):
                self._seal(Signature(FAMILY, encode_thought(block)), deltas)

    def _think(self, thought: str, deltas: list[Delta]) -> None:
        self._thinking = True
        deltas.append(ReasoningDelta(_THOUGHTS, thought))

    def _seal(self, signature: Signature, deltas: list[Delta]) -> None:
        if self._thinking:
            self._thinking = False
            deltas.append(Signed(_THOUGHTS, signature))
        else:
            deltas += [Opened("sealed", Reasoning("", signature, redacted=True)), Done("sealed")]

    def _fragments(self, chunk: object) -> Iterator[CallFragment]:
        for fragment in map(_mapping, _list(getattr(chunk, "tool_call_chunks", None))):
            function = Function(name=_text(fragment.get("name")), arguments=_text(fragment.get("args")))
            yield CallFragment(self._place(fragment.get("index")), _text(fragment.get("id")), function=function)
        if hasattr(chunk, "tool_call_chunks"):
            return
        for call in map(_mapping, _list(getattr(chunk, "tool_calls", None))):
            arguments = msgspec.json.encode(_mapping(call.get("args"))).decode()
            yield CallFragment(None, _text(call.get("id")), function=Function(_text(call.get("name")), arguments))

    def _place(self, index: object) -> int | None:
        """Places may be numbers or names."""
        return None if index is None else self._places.setdefault(str(index), len(self._places))


def _blocks(content: object) -> Iterator[Mapping[str, object]]:
    for block in [content] if isinstance(content, str) else _list(content):
        yield {"type": "text", "text": block} if isinstance(block, str) else _mapping(block)


def _thought(block: Mapping[str, object]) -> str:
    """The text of a block of thoughts; a host's summary of them comes in pieces."""
    own = next((text for field in TEXT_FIELDS if (text := _text(block.get(field)))), "")
    return own or "".join(_text(_mapping(piece).get("text")) or "" for piece in _list(block.get("summary")))


def _is_signed(block: Mapping[str, object]) -> bool:
    more = _mapping(block.get("extras"))
    return any((block.get("signature"), more.get("signature"), block.get("encrypted_content"), block.get("data")))


def _usage(said: Mapping[str, object]) -> Usage | None:
    if not said:
        return None
    into, out = _mapping(said.get("input_token_details")), _mapping(said.get("output_token_details"))
    return Usage(
        input=_count(said.get("input_tokens")),
        output=_count(said.get("output_tokens")),
        cached=_count(into.get("cache_read")),
        cache_written=_count(into.get("cache_creation")),
        reasoning=_count(out.get("reasoning")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
