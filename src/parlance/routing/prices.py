"""What model calls cost: the operator's prices over those of the price library. What is not known is None, never 0."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache

from msgspec import Struct

from parlance.core.usage import Usage

MILLION = 1_000_000

_COUNTED = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
_SEPARATE = {"requests_kcount", "output_reasoning_mtok"}
"""Prices that make the others not the whole of a call's."""

Rate = Callable[[Usage], float | None]


class Price(Struct, frozen=True):
    """US dollars per million tokens. Where those of cached tokens are not said, they cost as much as others."""

    input: float
    output: float
    cached: float | None = None
    cache_written: float | None = None

    def cost(self, usage: Usage) -> float:
        cached, written = usage.cached or 0, usage.cache_written or 0
        plain = max(0, (usage.input or 0) - cached - written)
        of_cached = self.input if self.cached is None else self.cached
        of_written = self.input if self.cache_written is None else self.cache_written
        total = plain * self.input + cached * of_cached + written * of_written + (usage.output or 0) * self.output
        return total / MILLION


class ListPrices:
    """`own` are the operator's, by `provider/model`. `lists` says under which name the library knows a provider; one
    that is not there, such as a server on this machine, has no list price.
    """

    def __init__(self, own: Mapping[str, Price], lists: Mapping[str, str]) -> None:
        self._own = own
        self._lists = lists

    def cost(self, provider: str, model: str, usage: Usage) -> float | None:
        if usage.input is None or usage.output is None:
            return None
        own = self._own.get(f"{provider}/{model}")
        if own is not None:
            return own.cost(usage)
        listed = self._lists.get(provider)
        rate = _rate(listed, model) if listed is not None else None
        return rate(usage) if rate is not None else None

    def prepare(self) -> None:
        """Load the library, which takes a third of a second: not on the event loop."""
        if self._lists:
            _rate("", "")


def listed_window(listed: str, model: str) -> int | None:
    """How many tokens a model takes at once, which stands beside its prices; None for one that the library doesn't
    know. Loads the library: not on the event loop.
    """
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, found = get_snapshot().find_provider_model(model, None, listed, None)
    except LookupError:
        return None
    return found.context_window or None


@lru_cache(maxsize=512)
def _rate(listed: str, model: str) -> Rate | None:
    """How the library prices a model; None for one that it doesn't know."""
    # Only here: the library and its prices weigh as much as half of the program.
    from genai_prices import Usage as Amount
    from genai_prices.data_snapshot import get_snapshot

    try:
        provider, priced = get_snapshot().find_provider_model(model, None, listed, None)
    except LookupError:
        return None
    flat = _flat(priced.prices)
    if flat is not None:
        return flat.cost

    def rate(usage: Usage) -> float | None:
        amount = Amount(
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cached,
            cache_write_tokens=usage.cache_written,
            output_reasoning_tokens=usage.reasoning,
        )
        try:
            total = priced.calc_price(amount, provider).total_price
        except (LookupError, ValueError):
            return None
        return float(total) if total or not _consumed(usage) else None

    return rate


def _flat(prices: object) -> Price | None:
    """Most models have one price for each kind of token, at any time and at any length: these need not ask the library
    for each call, which takes it a tenth of a millisecond.
    """
    if not _is_plain(prices) or any(getattr(prices, name, None) is not None for name in _SEPARATE):
        return None
    given, taken, cached, written = (getattr(prices, name) for name in _COUNTED)
    if not isinstance(given, Decimal) or not isinstance(taken, Decimal):
        return None
    if not isinstance(cached, Decimal | None) or not isinstance(written, Decimal | None):
        return None
    return Price(
        input=float(given),
        output=float(taken),
        cached=None if cached is None else float(cached),
        cache_written=None if written is None else float(written),
    )


def _is_plain(prices: object) -> bool:
    from genai_prices.types import ModelPrice

    return isinstance(prices, ModelPrice)


def _consumed(usage: Usage) -> bool:
    return bool(usage.input or usage.output)
