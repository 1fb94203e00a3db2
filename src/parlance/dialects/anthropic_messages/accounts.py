"""Usage on this wire: what the cache took and gave is counted beside the input, and figures come in instalments."""

from parlance.core.usage import Usage
from parlance.dialects.anthropic_messages.wire import OutputDetails, WireUsage


def merge_usage(known: WireUsage | None, said: WireUsage) -> WireUsage:
    """Figures are cumulative: what is said again replaces, what is left out stays."""
    if known is None or known.unreported:
        return said
    return WireUsage(
        input_tokens=_newer(said.input_tokens, known.input_tokens),
        cache_creation_input_tokens=_newer(said.cache_creation_input_tokens, known.cache_creation_input_tokens),
        cache_read_input_tokens=_newer(said.cache_read_input_tokens, known.cache_read_input_tokens),
        output_tokens=_newer(said.output_tokens, known.output_tokens),
        output_tokens_details=said.output_tokens_details or known.output_tokens_details,
        estimated=said.estimated,
        unreported=said.unreported,
    )


def decode_usage(told: WireUsage) -> Usage | None:
    """None where the host never counted."""
    if told.unreported:
        return None
    written, read, bare = told.cache_creation_input_tokens, told.cache_read_input_tokens, told.input_tokens
    return Usage(
        input=None if bare is None else bare + (written or 0) + (read or 0),
        output=told.output_tokens,
        cached=read,
        cache_written=written,
        reasoning=told.output_tokens_details.thinking_tokens if told.output_tokens_details is not None else None,
        estimated=told.estimated,
    )


def encode_usage(usage: Usage | None) -> WireUsage:
    """Clients count on both totals, so they stand there also where the host was silent."""
    if usage is None or usage.output is None:
        return WireUsage(input_tokens=0, output_tokens=0, unreported=True)
    beside = (usage.cached or 0) + (usage.cache_written or 0)
    return WireUsage(
        input_tokens=max(0, usage.input - beside) if usage.input is not None else None,
        cache_creation_input_tokens=usage.cache_written,
        cache_read_input_tokens=usage.cached,
        output_tokens=usage.output,
        output_tokens_details=OutputDetails(usage.reasoning) if usage.reasoning is not None else None,
        estimated=usage.estimated,
    )


def _newer(said: int | None, known: int | None) -> int | None:
    return known if said is None else said
