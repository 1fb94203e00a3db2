"""A turn that is forgotten gives its memory back at once: what stands in a circle waits for the collector, for long."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from parlance.core.deltas import Began, TextDelta
from parlance.engine.ask import EngineOptions
from parlance.engine.turn_state import Turn
from parlance.testing.clock import settle
from parlance.testing.provider import Act, ScriptedProvider, answering, calling
from parlance.tools.from_function import tool_from_function
from tests.turns.stage import Stage, ended, until


def look_up() -> str:
    """Nothing."""
    return "done"


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def scripts(ending: str) -> list[list[Act]]:
    match ending:
        case "incomplete":
            return [[[Began(model="m"), TextDelta("text", "x" * 10_000)]]]
        case "tools":
            return [calling(("look_up", "{}")), answering("done")]
        case _:
            return [answering("x" * 10_000)]


async def play(stage: Stage, ending: str) -> "weakref.ref[Turn]":
    """A turn that ended in one of several ways, and that nobody here holds any more."""
    turn = await stage.start()
    if ending == "cancelled":
        await until(turn, lambda event: True)
        turn.stop("cancelled")
    await ended(turn)
    await settle()
    return weakref.ref(turn)


@pytest.mark.parametrize("ending", ["completed", "cancelled", "incomplete", "tools"])
async def test_a_turn_that_is_forgotten_is_gone_at_once(ending: str) -> None:
    provider = ScriptedProvider(*scripts(ending), answering("done"))
    stage = Stage(provider, tool_from_function(look_up), options=EngineOptions(live_memory=0))
    forgotten = await play(stage, ending)
    assert forgotten() is not None
    await play(stage, "completed")
    assert forgotten() is None
    await stage.engine.close()
