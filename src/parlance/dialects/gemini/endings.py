"""How an answer ends, and what it took: finish reasons and usage, in both directions."""

from typing import Final

from parlance.core.usage import Finish, Usage
from parlance.dialects.gemini.wire import WireUsage

_FINISHES: Final[dict[str, Finish]] = {
    "STOP": "stop",
    "TOOL_CALLS": "tool_calls",
    "MAX_TOKENS": "length",
    "CONTINUATION": "continue",
    "SAFETY": "filtered",
    "RECITATION": "filtered",
    "LANGUAGE": "filtered",
    "BLOCKLIST": "filtered",
    "PROHIBITED_CONTENT": "filtered",
    "SPII": "filtered",
    "MODEL_ARMOR": "filtered",
    "ESCALATION": "filtered",
    "PUP_LIMITED_DISABLED": "filtered",
    "IMAGE_SAFETY": "filtered",
    "IMAGE_PROHIBITED_CONTENT": "filtered",
    "IMAGE_RECITATION": "filtered",
    "IMAGE_OTHER": "filtered",
    "NO_IMAGE": "error",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
    "MALFORMED_RESPONSE": "error",
    "OTHER": "error",
}
"""The host's words; but `TOOL_CALLS` is Parlance's own, for calls that its client is not told."""

_WORDS: Final[dict[Finish, str]] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "filtered": "SAFETY",
    "continue": "CONTINUATION",
    "error": "OTHER",
}


def decode_finish(word: str) -> Finish:
    return _FINISHES.get(word.upper(), "unknown")


def encode_finish(finish: Finish | None, raw: str | None, *, called: bool) -> str:
    """The finish reason; for one that is none of ours, the word of the host that said it."""
    if finish == "tool_calls" and not called:
        return "TOOL_CALLS"
    return _WORDS.get(finish or "stop") or raw or "FINISH_REASON_UNSPECIFIED"


def decode_usage(usage: WireUsage) -> Usage:
    """Zeros are left out on this wire: of an answer that says nothing only the total tells so."""
    prompt, tools = usage.prompt_token_count, usage.tool_use_prompt_token_count
    answer, thoughts = usage.candidates_token_count, usage.thoughts_token_count
    input = prompt if tools is None else (prompt or 0) + tools
    output = answer if thoughts is None else (answer or 0) + thoughts
    if output is None and input is not None and usage.total_token_count == input:
        output = 0
    return Usage(
        input,
        output,
        usage.cached_content_token_count,
        usage.cache_written_token_count,
        thoughts,
        usage.estimated,
    )


def encode_usage(usage: Usage) -> WireUsage:
    output = usage.output if usage.output is None else usage.output - (usage.reasoning or 0)
    return WireUsage(
        prompt_token_count=usage.input,
        candidates_token_count=output,
        thoughts_token_count=usage.reasoning,
        total_token_count=usage.total,
        cached_content_token_count=usage.cached,
        cache_written_token_count=usage.cache_written,
        estimated=usage.estimated,
    )
