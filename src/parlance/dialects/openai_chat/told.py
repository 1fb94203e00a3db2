"""What both forms of our answers, streamed and whole, are made of."""

from typing import Final

from msgspec import Raw, Struct

from parlance.core.parts import Reasoning, Text, ToolCall
from parlance.core.usage import Finish, Usage
from parlance.dialects.mend import encode_json
from parlance.dialects.openai_chat.thoughts import FAMILY, encode_entry, encode_signature
from parlance.dialects.openai_chat.wire import (
    CallFragment,
    CompletionDetails,
    Custom,
    ExtraContent,
    Function,
    PromptDetails,
)

_FINISHES: Final[dict[Finish, str]] = {
    "stop": "stop",
    "tool_calls": "tool_calls",
    "length": "length",
    "filtered": "content_filter",
    "error": "error",
}

encode: Final = encode_json


class ToldUsage(Struct, frozen=True, omit_defaults=True):
    """Zero where the host did not say: clients count on numbers. `estimated` is ours."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    estimated: bool = False


class ToldDelta(Struct, frozen=True, omit_defaults=True):
    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Raw] | None = None
    annotations: list[Raw] | None = None
    tool_calls: list[CallFragment] | None = None
    extra_content: ExtraContent | None = None


class Head(Struct, frozen=True):
    """What every chunk of an answer begins with. `created` is in seconds since 1970."""

    id: str
    object: str
    created: int
    model: str


def tell_finish(finish: Finish | None, raw: str | None) -> str:
    """The finish reason; for one that is none of ours, the word of the host that said it."""
    return _FINISHES.get(finish or "stop") or raw or "stop"


def tell_usage(usage: Usage) -> ToldUsage:
    prompt = PromptDetails(usage.cached, usage.cache_written)
    completion = CompletionDetails(usage.reasoning)
    return ToldUsage(
        prompt_tokens=usage.input or 0,
        completion_tokens=usage.output or 0,
        total_tokens=usage.total or 0,
        prompt_tokens_details=prompt if prompt != PromptDetails() else None,
        completion_tokens_details=completion if completion != CompletionDetails() else None,
        estimated=usage.estimated,
    )


def tell_call(call: ToolCall, *, index: int | None) -> CallFragment:
    """A call, or the fragment that opens it, with `index` its place among the calls told."""
    signed = encode_signature(call)
    if call.freeform:
        return CallFragment(index, call.id, "custom", custom=Custom(call.name, call.arguments), extra_content=signed)
    return CallFragment(index, call.id, "function", Function(call.name, call.arguments), extra_content=signed)


def tell_annotations(text: Text) -> list[Raw] | None:
    own = [annotation.data for annotation in text.annotations if annotation.family == FAMILY]
    return own if own and text.text else None


def tell_proof(thought: Reasoning, *, text: str = "") -> list[Raw] | None:
    """A thought's signature, with its `text` where that does not stand beside it."""
    if thought.signature is None:
        return None
    return [encode_entry(thought.signature, sealed=not thought.text, text=text)]
