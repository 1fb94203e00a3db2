"""Prices: the operator's over the library's, and what is not known is said."""

import pytest
from genai_prices import Usage as Amount
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.usage import Usage
from parlance.routing.prices import ListPrices, Price

USAGE = Usage(input=1_000_000, output=100_000, cached=200_000)
PUBLIC = ListPrices({"cloud/mine": Price(1.0, 10.0)}, {"cloud": "openai", "google": "google"})
MODELS = [(provider, model) for provider in get_snapshot().providers for model in provider.models]


def test_cached_tokens_have_their_own_price() -> None:
    assert PUBLIC.cost("cloud", "gpt-4o-mini", USAGE) == pytest.approx(0.8 * 0.15 + 0.2 * 0.075 + 0.1 * 0.6)


def test_the_operators_price_holds_over_the_librarys() -> None:
    assert PUBLIC.cost("cloud", "mine", USAGE) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [
        ("cloud", "a-model-that-nobody-knows", USAGE),
        ("local", "gpt-4o-mini", USAGE),
        ("cloud", "gpt-4o-mini", Usage(input=None, output=5)),
        ("cloud", "gpt-4o-mini", Usage(input=5)),
    ],
)
def test_what_is_not_known_is_none_and_never_zero(provider: str, model: str, usage: Usage) -> None:
    assert PUBLIC.cost(provider, model, usage) is None


def test_a_price_that_depends_on_the_length_is_the_librarys_own() -> None:
    short = PUBLIC.cost("google", "gemini-2.5-pro", Usage(input=100_000, output=0))
    long = PUBLIC.cost("google", "gemini-2.5-pro", Usage(input=300_000, output=0))
    assert short is not None
    assert long is not None
    assert long > 3 * short


@given(st.sampled_from(MODELS), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**5), st.booleans())
def test_every_listed_model_costs_what_the_library_says(
    listed: tuple[object, object], plain: int, cached: int, output: int, told: bool
) -> None:
    provider, model = listed
    amount = Amount(input_tokens=plain + cached, output_tokens=output, cache_read_tokens=cached if told else None)
    usage = Usage(input=plain + cached, output=output, cached=cached if told else None)
    try:
        expected = float(model.calc_price(amount, provider).total_price)  # type: ignore[attr-defined] # the library's
    except (LookupError, ValueError):
        return
    ours = ListPrices({}, {"x": provider.id}).cost("x", model.id, usage)  # type: ignore[attr-defined] # the library's
    if ours is not None:
        assert ours == pytest.approx(expected)
