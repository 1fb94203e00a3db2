"""Why a model stopped, in this language's words and ours."""

from typing import Final

from parlance.core.usage import Finish

_FINISHES: Final[dict[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "filtered",
    "pause_turn": "continue",
}
_WORDS: Final[dict[Finish, str]] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "filtered": "refusal",
    "continue": "pause_turn",
}


def decode_finish(word: str | None) -> Finish:
    return _FINISHES.get(word or "", "unknown")


def encode_finish(finish: Finish | None, raw: str | None) -> str:
    """The host's own word where it is one of this language and means the same, or nobody has another."""
    if raw is not None and _FINISHES.get(raw) == finish:
        return raw
    return _WORDS.get(finish or "stop") or raw or "end_turn"
