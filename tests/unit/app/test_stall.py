"""A connection whose client takes nothing is dropped; one whose client takes little is not."""

import asyncio

from parlance.app.stall import Stall

PATIENCE = 10.0


class Transport(asyncio.Transport):
    """`sizes` is what is left to be sent, at each look; the last one stays."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.dropped = asyncio.Event()

    def get_write_buffer_size(self) -> int:
        return self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0]

    def abort(self) -> None:
        self.dropped.set()


async def dropped(transport: Transport) -> int:
    """How many looks were still to come."""
    async with asyncio.timeout(PATIENCE):
        await transport.dropped.wait()
    return len(transport.sizes)


async def test_it_is_dropped_when_nothing_was_taken_since_the_last_look() -> None:
    transport = Transport(100, 100, 1)
    Stall(transport, 0.001).begin()
    assert await dropped(transport) == 1


async def test_it_is_not_while_something_is() -> None:
    # What a look begins anew with is asked for again.
    transport = Transport(100, 90, 90, 80, 80, 79, 79, 79)
    Stall(transport, 0.001).begin()
    assert await dropped(transport) == 1


async def test_it_is_not_when_all_was_taken() -> None:
    transport, looked = Transport(100, 0), Transport(1)
    Stall(transport, 0.001).begin()
    Stall(looked, 0.002).begin()
    await dropped(looked)
    assert not transport.dropped.is_set()


async def test_nor_when_it_ended() -> None:
    transport, looked = Transport(100), Transport(1)
    stall = Stall(transport, 0.001)
    stall.begin()
    stall.end()
    Stall(looked, 0.002).begin()
    await dropped(looked)
    assert not transport.dropped.is_set()


async def test_a_closing_one_is_watched_only_while_something_is_left() -> None:
    empty, full = Transport(0), Transport(5)
    for transport in (empty, full):
        Stall(transport, 0.001).closing()
    await dropped(full)
    assert not empty.dropped.is_set()
