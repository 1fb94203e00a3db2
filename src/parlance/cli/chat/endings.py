"""How an answer ended, in words for people, and as the exit code of a command that asked for it."""

from parlance.cli.chat.told import Ended

INTERRUPTED = 130

_NOT_WHOLE = {
    "length": "The answer stops at the limit of the output.",
    "filtered": "The host's content filter stopped the answer.",
}
_ADVICE = {
    "key_invalid": "Check the key in --key or PARLANCE_KEY.",
    "model_not_found": "--model and /model choose another.",
    "model_forbidden": "--model and /model choose another.",
}
_IN_OUR_WORDS = {"key_missing": "The server needs a key. Give it with --key or PARLANCE_KEY."}
"""Where the server's message speaks to programs."""


def exit_code(ended: Ended) -> int:
    """0 for a whole answer, 130 for one that its user ended, 1 for all others."""
    if ended.status == "completed":
        return 0
    return INTERRUPTED if ended.status == "cancelled" and ended.code in (None, "left") else 1


def tell_trouble(ended: Ended) -> str | None:
    """What its reader must know; None for an answer that is whole, or was cancelled as its user wanted."""
    if ended.status == "completed":
        return _NOT_WHOLE.get(ended.finish or "")
    if exit_code(ended) == INTERRUPTED:
        return None
    code = ended.code or ""
    words = [_IN_OUR_WORDS.get(code) or ended.message or f"The answer ended as {ended.status}; nobody said why."]
    advice = _ADVICE.get(code, "")
    if advice and advice not in words[0]:
        words.append(advice)
    if ended.retry_after is not None:
        words.append(f"Try again in {ended.retry_after:g} s.")
    return " ".join(words)


def tell_usage(ended: Ended, seconds: float) -> str:
    """Model, tokens and time in one line."""
    words = [ended.model or "unknown model"]
    usage = ended.usage
    if usage is not None:
        about = "about " if usage.estimated else ""
        words.append(f"{about}{_count(usage.input)} tokens in, {_count(usage.output)} out")
    words.append(f"{seconds:.1f} s")
    return " · ".join(words)


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)
