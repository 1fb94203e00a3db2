"""Sums of usage, where not said is not zero."""

from hypothesis import given
from hypothesis import strategies as st

from parlance.core.usage import Usage, add_usage

COUNTS = st.none() | st.integers(0, 10**6)
USAGES = st.none() | st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.booleans())


def test_figures_are_added() -> None:
    first = Usage(input=10, output=2, cached=4, cache_written=1, reasoning=1)
    second = Usage(input=20, output=3, cached=0, cache_written=2, reasoning=2)
    assert add_usage(first, second) == Usage(input=30, output=5, cached=4, cache_written=3, reasoning=3)


def test_nothing_said_adds_nothing() -> None:
    said = Usage(input=1, output=2)
    assert add_usage(None, None) is None
    assert add_usage(said, None) == add_usage(None, said) == said


def test_what_nobody_said_stays_unsaid() -> None:
    assert add_usage(Usage(input=1), Usage(input=2)) == Usage(input=3)


def test_a_total_that_only_one_said_is_an_estimate() -> None:
    assert add_usage(Usage(input=1, output=1), Usage(input=2)) == Usage(input=3, output=1, estimated=True)


def test_subsets_that_only_one_said_are_no_estimate() -> None:
    assert add_usage(Usage(input=1, output=1, cached=1), Usage(input=2, output=2)) == Usage(input=3, output=3, cached=1)


def test_the_total_is_of_what_was_said() -> None:
    assert Usage(input=1, output=2).total == 3
    assert Usage(output=2).total == 2
    assert Usage().total is None


@given(USAGES, USAGES)
def test_the_order_of_a_sum_does_not_matter(first: Usage | None, second: Usage | None) -> None:
    assert add_usage(first, second) == add_usage(second, first)


@given(USAGES, USAGES)
def test_an_estimate_stays_one(first: Usage | None, second: Usage | None) -> None:
    added = add_usage(first, second)
    assert bool(added and added.estimated) >= any(one is not None and one.estimated for one in (first, second))
