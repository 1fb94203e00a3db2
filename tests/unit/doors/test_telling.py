"""Telling turns at one socket: whatever is told anew, and whatever is held back meanwhile, nothing waits for ever."""

import asyncio
from collections.abc import Mapping
from typing import Any

from parlance.core.errors import SlowFollower
from parlance.core.events import Event
from parlance.core.ids import Epoch
from parlance.core.messages import user_message
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.requests import Request
from parlance.core.snapshot import Snapshot
from parlance.doors.telling import Telling
from parlance.engine.ask import Ask
from parlance.testing.provider import ScriptedProvider, answering
from tests.probes.leaks import LeakProbe
from tests.unit.doors.asgi import PATIENCE, House


class Names:
    """Tells each event by the name of its kind."""

    def encode(self, number: int, event: Event) -> str:
        return type(event).__name__

    def renumber(self, epoch: Epoch) -> None:
        """Names are the same in every epoch."""

    def snapshot(self, number: int, snapshot: Snapshot) -> str:
        return "Snapshot"


async def test_a_turn_told_anew_while_its_ending_is_held_keeps_nobody_waiting(leak_probe: LeakProbe) -> None:
    said: list[str] = []

    async def send(message: Mapping[str, Any]) -> None:
        said.append(message["text"])

    def cut(error: SlowFollower, name: str) -> str:
        return error.code

    house = House(ScriptedProvider(answering("Hi")))
    message = user_message("Hello")
    turn = await house.engine.start(Ask(LOCAL_ADMIN, "json_rpc", "1", Request("scripted", (message,)), message))
    telling = Telling(send, cut)
    async with asyncio.timeout(PATIENCE):
        with telling.endings_held():
            telling.begin("turn", turn, None, Names())
            await turn.finished()
            await telling.caught_up()
            whole = list(said)
            said.clear()
            telling.begin("turn", turn, None, Names())
            await telling.caught_up()
            assert said == whole
        while "turn" in telling:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
    assert said == [*whole, "TurnEnded"]
    await telling.close()
    await house.engine.close()
