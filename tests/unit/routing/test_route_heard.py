"""What a route passes on in the moment it comes: only what a batch would have shown as it is."""

from collections.abc import Sequence
from contextlib import aclosing

import pytest

from parlance.core.deltas import Began, Delta, Finished, Restarted, TextDelta, UsageReported
from parlance.core.errors import HostFailed, UpstreamError
from parlance.core.requests import Request
from parlance.core.usage import Usage
from parlance.routing.route import Route
from parlance.testing.provider import answering
from tests.unit.routing.asking import ASKED, fails, provider, route, texts
from tests.unit.routing.surroundings import Surroundings

DOWN = HostFailed("down", host="a")
RESTARTABLE = Request("both", ASKED.messages, can_restart=True)


async def listen(asked: Route, said: list[Delta], request: Request = ASKED) -> Sequence[str]:
    """All that was said goes into `said`, in order; the texts that were heard."""
    heard: list[str] = []

    def hear(delta: TextDelta) -> bool:
        heard.append(delta.text)
        said.append(delta)
        return True

    async with aclosing(asked.stream_to(request, hear)) as batches:
        async for batch in batches:
            said += batch
    return heard


async def test_an_answer_is_heard_from_its_second_piece_on() -> None:
    said: list[Delta] = []
    assert await listen(route(Surroundings(), provider("a", answering("one", "two", "three"))), said) == [
        "two",
        "three",
    ]
    assert isinstance(said[0], Began)
    assert texts(said) == "onetwothree"
    assert said[-1] == Finished("stop")


async def test_an_answer_that_begins_anew_is_heard_only_behind_the_news_that_it_does() -> None:
    cut = fails(DOWN, [Began("x")], [TextDelta("text", "one")], [TextDelta("text", "two")])
    second = [[Began("x")], [UsageReported(Usage(input=1))], *answering("uno", "due")[1:]]
    pair = route(Surroundings(), provider("a", cut), provider("b", second), restarts=True)
    said: list[Delta] = []
    assert await listen(pair, said, RESTARTABLE) == ["two", "due"]
    at = next(number for number, delta in enumerate(said) if isinstance(delta, Restarted))
    assert (texts(said[:at]), texts(said[at:])) == ("onetwo", "unodue")


async def test_what_was_heard_is_counted_where_the_host_can_not_tell() -> None:
    around = Surroundings()
    cut = fails(DOWN, [Began("x")], [TextDelta("text", "word ")], *[[TextDelta("text", "word ")]] * 99)
    with pytest.raises(UpstreamError):
        await listen(route(around, provider("a", cut)), [])
    alone = Surroundings()
    with pytest.raises(UpstreamError):
        await listen(route(alone, provider("a", fails(DOWN, [Began("x")], [TextDelta("text", "word " * 100)]))), [])
    assert around.usages == alone.usages
    assert around.usages[0] is not None
