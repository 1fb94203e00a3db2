"""Time that is waited for a database, while this process has much else to do."""

import asyncio
import gc
import time
import weakref

import pytest

from parlance.store.patience import LOOK, Patience


def busy(seconds: float) -> None:
    """Nothing else runs meanwhile."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


@pytest.mark.parametrize("seconds", [0.01, LOOK, 3 * LOOK])
async def test_who_is_waited_for_in_vain_is_given_up_when_the_time_is_over(seconds: float) -> None:
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        async with Patience(seconds):
            await asyncio.Event().wait()
    assert seconds * 0.9 <= time.monotonic() - begun < seconds + 5


async def test_time_in_which_the_loop_heard_nobody_does_not_count() -> None:
    async with Patience(8 * LOOK):
        for _ in range(5):
            busy(2 * LOOK)
            await asyncio.sleep(0)


async def test_on_a_busy_loop_it_is_over_some_time_all_the_same() -> None:
    async def never_end() -> None:
        async with Patience(3 * LOOK):
            while True:
                busy(LOOK)
                await asyncio.sleep(0)

    with pytest.raises(TimeoutError):
        await never_end()


async def test_what_is_done_in_time_is_not_disturbed_later() -> None:
    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    async with Patience(LOOK / 10):
        pass
    with pytest.raises(TimeoutError):
        async with Patience(LOOK):
            await asyncio.Event().wait()
    assert faults == []


async def test_a_cancel_comes_through_as_one() -> None:
    async def wait() -> None:
        async with Patience(10):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


class _Seen(Patience):
    """One that can be looked for."""


async def test_it_is_gone_with_its_use_and_without_the_collector() -> None:
    gc.disable()
    try:
        patience = _Seen(LOOK)
        seen = weakref.ref(patience)
        async with patience:
            pass
        del patience
        assert seen() is None
    finally:
        gc.enable()
