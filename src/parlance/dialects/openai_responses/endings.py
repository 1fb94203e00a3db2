"""How an answer ends, and what it cost: read from a response, and told in one."""

from typing import Final

from msgspec import Raw, Struct

from parlance.core.deltas import Finished
from parlance.core.errors import TruncatedAnswer
from parlance.core.usage import Finish, Usage
from parlance.dialects.openai_responses.faults import decode_stream_error
from parlance.dialects.raw_fields import Fields, read_count, read_fields, read_items, read_text

_REASONS: Final[dict[str, Finish]] = {
    "max_output_tokens": "length",
    "max_tokens": "length",
    "max_messages": "length",
    "content_filter": "filtered",
    "steered": "continue",
}
_TOLD: Final[dict[Finish, str]] = {"length": "max_output_tokens", "filtered": "content_filter", "continue": "steered"}


class _Unsaid(Struct, frozen=True, omit_defaults=True):
    estimated: bool = False
    unsaid: tuple[str, ...] = ()


class InputDetails(Struct, frozen=True):
    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(Struct, frozen=True):
    reasoning_tokens: int


class ToldUsage(_Unsaid, frozen=True, omit_defaults=True, kw_only=True):
    """Zero where the host did not say, for clients count on numbers; `unsaid` and `estimated` are ours."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


def decode_ending(response: Fields, ending: str, *, host: str) -> Finished:
    """Raises the error of a response that failed, and `TruncatedAnswer` for one that is not at its end.

    `ending` is the status that its event stands for, if it came with one: it counts where the response has none, and
    a failure always does.
    """
    error = read_fields(response.get("error"))
    said = read_text(response.get("status")) or ending or ("failed" if error else "completed")
    status = "failed" if ending == "failed" else said
    match status:
        case "failed":
            raise decode_stream_error(error or read_text(response.get("error")) or "", host=host)
        case "completed":
            return Finished("stop", status)
        case "incomplete":
            reason = read_text(read_fields(response.get("incomplete_details")).get("reason")) or status
            return Finished(_REASONS.get(reason, "unknown"), reason)
        case "cancelled" | "queued" | "in_progress":
            raise TruncatedAnswer(
                f"The answer of {host} is {status}, so it is not the whole. Ask again for a whole one.", host=host
            )
        case _:
            return Finished("unknown", status)


def tell_reason(finish: Finish | None) -> str | None:
    """Why an answer is incomplete, or None for one that is complete."""
    return _TOLD.get(finish or "stop")


def decode_usage(raw: Raw | None) -> Usage | None:
    """None where the host said nothing of it."""
    fields = read_fields(raw)
    if not fields:
        return None
    unsaid = {read_text(one) for one in read_items(fields.get("unsaid"))}
    given = read_fields(fields.get("input_tokens_details"))
    made = read_fields(fields.get("output_tokens_details"))

    def count(of: Fields, name: str) -> int | None:
        return None if name in unsaid else read_count(of.get(name))

    return Usage(
        input=count(fields, "input_tokens"),
        output=count(fields, "output_tokens"),
        cached=count(given, "cached_tokens"),
        cache_written=count(given, "cache_write_tokens"),
        reasoning=count(made, "reasoning_tokens"),
        estimated=bytes(fields.get("estimated", Raw(b""))) == b"true",
    )


def tell_usage(usage: Usage) -> ToldUsage:
    counts = {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cached_tokens": usage.cached,
        "cache_write_tokens": usage.cache_written,
        "reasoning_tokens": usage.reasoning,
    }
    return ToldUsage(
        input_tokens=usage.input or 0,
        input_tokens_details=InputDetails(usage.cached or 0, usage.cache_written or 0),
        output_tokens=usage.output or 0,
        output_tokens_details=OutputDetails(usage.reasoning or 0),
        total_tokens=usage.total or 0,
        estimated=usage.estimated,
        unsaid=tuple(name for name, said in counts.items() if said is None),
    )
