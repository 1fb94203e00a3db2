"""A socket that was left is gone at once, with all that it remembers, and does not wait for the collector."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from parlance.core.principal import LOCAL_ADMIN
from parlance.engine.ask import EngineOptions
from parlance.engine.turn_state import Turn
from tests.turns.stage import here
from tests.unit.doors.asgi import House, Socket


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def visit(house: House) -> "weakref.ref[Turn]":
    """One turn on a socket of its own, which is left."""
    socket = Socket(house)
    await socket.accepted()
    socket.say(action="chat", request_id="1", payload={"text": "Hello"})
    turn_id = (await socket.until("complete"))["turn_id"]
    await socket.leave()
    return weakref.ref(here(await house.engine.find(turn_id, LOCAL_ADMIN)))


async def test_what_a_socket_remembered_is_gone_with_it() -> None:
    house = House(engine=EngineOptions(live_memory=0))
    first = await visit(house)
    assert first() is not None
    await visit(house)
    assert first() is None
    await house.engine.close()
