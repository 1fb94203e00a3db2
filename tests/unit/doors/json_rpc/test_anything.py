"""A session under anything its clients may do, in any order: every task ends once, and is told so."""

import asyncio
import json
import random

import pytest

from parlance.core.principal import LOCAL_ADMIN
from parlance.testing.clock import settle
from parlance.testing.provider import Act, ScriptedProvider, answering, calling
from tests.probes.leaks import LeakProbe
from tests.turns.laws import broken_laws
from tests.unit.doors.asgi import House, Message
from tests.unit.doors.json_rpc.rpc import RpcClient, make_session

TOOLS = [{"name": "pick"}]


class Visitor:
    """Does at random what a client can do, over connections that come and go, and keeps what it is told."""

    def __init__(self, house: House, session_id: str, chance: random.Random) -> None:
        self.tasks: list[str] = []
        self.endings: dict[str, set[str]] = {}
        self._house = house
        self._session_id = session_id
        self._chance = chance
        self._client: RpcClient | None = None
        self._open: dict[str, str] = {}

    async def act(self) -> None:
        client = await self.connected()
        match self._chance.choice(["generate", "generate", "cancel", "answer", "leave", "die", "resume", "wait"]):
            case "generate":
                client.call("generate", message=str(len(self.tasks)))
            case "cancel":
                client.call("cancel", **self._maybe_task())
            case "answer" if self._open:
                call_id, task_id = self._chance.choice(list(self._open.items()))
                client.call("tool_result", task_id=task_id, results=[{"tool_call_id": call_id, "result": 1}])
            case "resume" if self.tasks:
                client.call("resume", task_id=self._chance.choice(self.tasks))
            case "leave":
                await self.leave()
            case "die":
                client.gone = True
                await settle(self._chance.randrange(8))
                await self.leave()
            case _:
                pass
        await settle(self._chance.randrange(8))
        self.hear()

    async def connected(self) -> RpcClient:
        if self._client is None:
            self._client = RpcClient(self._house, self._session_id)
            await self._client.accepted()
        return self._client

    async def leave(self) -> None:
        if self._client is not None:
            await self._client.leave()
            self.hear()
            self._client = None

    def hear(self) -> None:
        while self._client is not None and (frame := self._client.heard()) is not None:
            self._note(frame)

    def _note(self, frame: Message) -> None:
        params = frame.get("params", {})
        match frame.get("method"):
            case None:
                if "task_id" in frame.get("result", {}) and frame["result"]["status"] == "processing":
                    self.tasks.append(frame["result"]["task_id"])
            case "function_call_request":
                self._open[params["request_id"]] = params["task_id"]
            case "end" | "error":
                self.endings.setdefault(params["task_id"], set()).add(json.dumps(params, sort_keys=True))
            case _:
                pass

    def _maybe_task(self) -> dict[str, object]:
        return {"task_id": self._chance.choice(self.tasks)} if self.tasks and self._chance.random() < 0.5 else {}


def answers(chance: random.Random) -> list[list[Act]]:
    plain, asking = answering("Hello", " there"), calling(("pick", "{}"), ("pick", "{}"))
    return [[*chance.choice([plain, asking])] for _ in range(200)]


@pytest.mark.requirement("json_rpc:end:once")
@pytest.mark.parametrize("queue", [False, True])
@pytest.mark.parametrize("seed", range(8))
async def test_every_task_ends_once_whatever_its_clients_do(seed: int, queue: bool, leak_probe: LeakProbe) -> None:
    chance = random.Random(seed)
    house = House(ScriptedProvider(*answers(chance)))
    session_id = await make_session(house, queue=queue, tools=TOOLS)
    visitors = [Visitor(house, session_id, chance) for _ in range(2)]
    for _ in range(80):
        await chance.choice(visitors).act()
    await settle(100)
    async with asyncio.timeout(10):
        while house.engine.running:
            (await visitors[0].connected()).call("cancel")
            await settle()
    for visitor in visitors:
        await visitor.connected()
        await settle()
        await visitor.leave()
    begun = {task for visitor in visitors for task in visitor.tasks}
    told: dict[str, set[str]] = {}
    for visitor in visitors:
        for task, endings in visitor.endings.items():
            told.setdefault(task, set()).update(endings)
    assert len(begun) > 3
    assert told.keys() >= begun
    assert all(len(endings) == 1 for endings in told.values())
    for task in begun:
        assert not broken_laws(list((await house.engine.find(task, LOCAL_ADMIN)).log.read()))
    await house.engine.close()
