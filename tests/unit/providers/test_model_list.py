"""A host's list of models: remembered, also that it could not be had."""

import asyncio

import pytest

from parlance.core.errors import HostUnreachable
from parlance.providers.model_list import FRESH, FRESH_FAILURE, ModelList


class Lists:
    """A host whose lists the test writes down, with a clock of the test's own."""

    def __init__(self, *answers: tuple[str, ...] | HostUnreachable) -> None:
        self.now = 1000.0
        self.left = list(answers)
        self.list = ModelList(self.ask, now=lambda: self.now)

    async def ask(self) -> tuple[str, ...]:
        await asyncio.sleep(0)
        answer = self.left.pop(0)
        if isinstance(answer, HostUnreachable):
            raise answer
        return answer


async def test_a_list_is_asked_for_once_a_minute_for_all_who_want_it() -> None:
    host = Lists(("a",), ("a", "b"))
    assert await asyncio.gather(*(host.list.get() for _ in range(5))) == [("a",)] * 5
    host.now += FRESH - 1
    assert await host.list.get() == ("a",)
    host.now += 1
    assert await host.list.get() == ("a", "b")


async def test_a_failure_is_remembered_for_seconds_and_told_to_each() -> None:
    failure = HostUnreachable("The host 'lab' is away.", host="lab", upstream_id="req-1")
    host = Lists(failure, ("a",))
    told = await asyncio.gather(*(host.list.get() for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in told] == [HostUnreachable] * 3
    assert len({id(error) for error in told}) == 3
    for error in told:
        assert isinstance(error, HostUnreachable)
        assert (error.message, error.host, error.upstream_id) == (failure.message, "lab", "req-1")
    host.now += FRESH_FAILURE
    assert await host.list.get() == ("a",)


async def test_who_gives_up_waiting_leaves_the_others_a_list() -> None:
    host = Lists(("a",), ("a",))
    first = asyncio.ensure_future(host.list.get())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await host.list.get() == ("a",)
