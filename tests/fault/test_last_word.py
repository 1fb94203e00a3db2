"""Behind the acknowledgement of a cancel no content comes, whatever was under way when it arrived."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from parlance.core.deltas import Began, TextDelta
from parlance.testing.provider import ScriptedProvider
from tests.probes.leaks import LeakProbe
from tests.unit.doors.asgi import House, Socket
from tests.unit.doors.json_rpc.rpc import opened


class Stage:
    """A model that says one word, and three more in the moment in which its client cancels."""

    def __init__(self) -> None:
        self.now = asyncio.Event()
        more = [[TextDelta("t", word)] for word in ("two", "three", "four")]
        never = asyncio.Event()
        self.house = House(ScriptedProvider([[Began()], [TextDelta("t", "one")], self.now, *more, never]))


@pytest.fixture
async def stage(leak_probe: LeakProbe) -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.house.engine.close()


async def test_door_d_sends_what_was_said_before_it_acknowledges(stage: Stage) -> None:
    client = await opened(stage.house)
    await client.generate("Go on")
    await client.until("text_chunk")
    stage.now.set()
    client.call("cancel")
    told: list[dict[str, Any]] = [await client.frame()]
    while told[-1].get("method") != "end":
        told.append(await client.frame())
    await client.leave()
    said = [frame.get("method", "acknowledged") for frame in told]
    assert said[said.index("acknowledged") :] == ["acknowledged", "end"]
    assert told[-1]["params"]["status_message"] == "cancelled"


async def test_door_a_says_nothing_behind_the_ending(stage: Stage) -> None:
    client = Socket(stage.house)
    await client.accepted()
    client.say(action="chat", payload={"text": "Go on"}, request_id="1")
    await client.until("text")
    stage.now.set()
    client.say(action="cancel", request_id="1")
    last = await client.until("complete")
    assert last["metadata"]["status"] == "cancelled"
    await client.leave()
    assert client._from_app.empty()
