"""A process whose children each carry out one request of the REST service, and are killed at one of its awaits.

Run as a module. It reads one order after another, and tells how each child ended. To fork costs a fiftieth of starting
Python anew.
"""

import asyncio
import os
import signal
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar, cast

from msgspec import Struct

from tests.fault.nurseries import raise_children
from tests.fault.rest_in_sql import answered, rest_in_sql

LONGEST = 20
"""Seconds after which a child that nothing killed kills itself."""

T = TypeVar("T")


class Order(Struct, frozen=True):
    """`at`: before or behind which await the child dies, in the order in which they come. 0: it does not."""

    address: str
    method: str
    path: str
    body: dict[str, object] | None
    key: str
    at: int


class Death:
    def __init__(self, at: int) -> None:
        self._at = at
        self.reached = 0

    def look(self) -> None:
        self.reached += 1
        if self.reached == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


@coroutine
def mortal(doing: Coroutine[Any, Any, T], death: Death) -> Generator[Any, Any, T]:
    """It may die whenever it has begun to wait, and whenever what it waited for is there."""
    error: BaseException | None = None
    while True:
        try:
            waited_for = doing.send(None) if error is None else doing.throw(error)
        except StopIteration as end:
            death.look()
            return cast(T, end.value)
        death.look()
        error = None
        try:
            yield waited_for
        except BaseException as thrown:
            error = thrown
        death.look()


async def carry_out(order: Order) -> int:
    """How many points there were to die at."""
    death = Death(order.at)
    async with rest_in_sql(order.address) as client:
        # The database is found by something else, as it is in a server that has run for a while.
        await answered(client, "GET", "/subtenants")
        await mortal(answered(client, order.method, order.path, order.body, order.key), death)
    return death.reached


def live(order: Order) -> None:
    reached = asyncio.run(carry_out(order))
    os.write(1, f"reached {reached}\n".encode())


def tell_end(code: int) -> None:
    os.write(1, f"ended {code}\n".encode())


if __name__ == "__main__":
    raise_children(Order, live, tell_end, longest=LONGEST)
