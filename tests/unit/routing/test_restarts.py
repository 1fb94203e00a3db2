"""After a failure in mid-answer: what stands, what is void, and what is told of it."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from parlance.core.deltas import Began, Delta, Finished, Noted, Restarted, TextDelta
from parlance.core.errors import HostFailed, HostRejected, TruncatedAnswer, UpstreamError
from parlance.testing.provider import Act, answering
from tests.unit.routing.asking import ASKED, fails, provider, read, route, texts
from tests.unit.routing.surroundings import Surroundings

CUT = TruncatedAnswer("cut", host="a")
DOWN = HostFailed("down", host="b")
HEL: list[list[Delta]] = [[Began("x")], [TextDelta("t", "Hel")]]
RESTARTABLE = replace(ASKED, can_restart=True)


@pytest.mark.parametrize("other", [DOWN, HostRejected("bad", host="b")])
async def test_what_was_shown_stands_when_nobody_has_anything_to_put_in_its_place(other: UpstreamError) -> None:
    around, deltas = Surroundings(), list[Delta]()
    a, b = provider("a", fails(CUT, *HEL), fails(other)), provider("b", fails(other))
    with pytest.raises(TruncatedAnswer):
        await read(route(around, a, b, restarts=True), RESTARTABLE, into=deltas)
    assert (texts(deltas), len(b.requests) > 0) == ("Hel", True)
    assert not any(isinstance(delta, Restarted) for delta in deltas)


async def test_a_restart_comes_right_before_what_replaces_the_answer_and_names_who_failed() -> None:
    around = Surroundings()
    three = [provider("a", fails(CUT, *HEL)), provider("b", fails(DOWN)), provider("c", answering("Hi"))]
    deltas = await read(route(around, *three, restarts=True), RESTARTABLE)
    assert [type(delta) for delta in deltas] == [Began, TextDelta, Restarted, Began, Noted, Noted, TextDelta, Finished]
    assert deltas[2] == Restarted("a failed in the middle of its answer.")
    assert [str(delta.message).split()[0] for delta in deltas if isinstance(delta, Noted)] == ["a", "b"]


async def test_each_answer_that_breaks_off_is_void_once_another_has_begun() -> None:
    around, deltas = Surroundings(), list[Delta]()
    pair = provider("a", fails(CUT, *HEL)), provider("b", fails(DOWN, [TextDelta("t", "Bo")]))
    with pytest.raises(UpstreamError):
        await read(route(around, *pair, restarts=True), RESTARTABLE, into=deltas)
    told = [delta for delta in deltas if isinstance(delta, Restarted | TextDelta)]
    for first, second in pairwise(told):
        assert isinstance(first, Restarted) != isinstance(second, Restarted)


async def test_an_answer_that_is_whole_is_not_asked_for_again() -> None:
    around, b = Surroundings(), provider("b")
    late = fails(CUT, *HEL, [Finished("stop")])
    deltas: list[Delta] = []
    with pytest.raises(TruncatedAnswer):
        await read(route(around, provider("a", late), b, restarts=True), RESTARTABLE, into=deltas)
    assert (deltas[-1], b.requests) == (Finished("stop"), [])


async def test_an_answer_that_ends_with_an_error_begins_anew_where_it_may() -> None:
    around = Surroundings()
    ended: list[Act] = [*HEL, [Finished("error")]]
    deltas = await read(route(around, provider("a", ended), provider("b", answering("Hi")), restarts=True), RESTARTABLE)
    at = next(number for number, delta in enumerate(deltas) if isinstance(delta, Restarted))
    assert texts(deltas[at:]) == "Hi"
    assert Finished("error") not in deltas
    assert around.outcomes == [("a", "upstream_failed"), ("b", "answered")]


async def test_elsewhere_it_is_told_as_it_came_and_counted_as_a_failure() -> None:
    around = Surroundings()
    deltas = await read(route(around, provider("a", [*HEL, [Finished("error")]]), provider("b")))
    assert deltas[-1] == Finished("error")
    assert around.outcomes == [("a", "upstream_failed")]
