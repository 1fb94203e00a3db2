"""A whole server in this process behind real sockets; its provider, tools and preparer are under the test's hand."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from parlance.access.options import AccessOptions
from parlance.core.deltas import Delta
from parlance.core.errors import HostFailed, HostTimeout, ToolFailed
from parlance.core.json import JsonObject
from parlance.core.parts import Family, ToolOutput
from parlance.core.requests import Request
from parlance.doors.serving import DoorOptions
from parlance.engine.ask import EngineOptions
from parlance.engine.turn_state import EngineParts
from parlance.testing.models import FunctionTool
from parlance.testing.provider import ScriptedProvider
from tests.fault.plans import BROKEN_TOOL, SERVERS_TOOL, Plan
from tests.fault.surroundings import Careful, Distant
from tests.probes.served import bind_loopback, served
from tests.unit.doors.asgi import House

OPTIONS = EngineOptions(rounds=6, tool_timeout=0.2, answer_timeout=0.3, live_grace=0.05)


class Scene:
    """One plan while it is played: counts the suspensions of what its turn calls, and lets the trouble in.

    `struck` is set when the moment has come for what others have to do: cancel, leave, stop the server.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.provider = ScriptedProvider(*plan.answers)
        self.distant = Distant(self.provider, lambda: self.reach("provider"))
        self.gathered = asyncio.Event()
        self.struck = asyncio.Event()
        self._count = 0

    async def reach(self, place: str) -> None:
        await self.gathered.wait()
        for _ in range(3):
            self._count += 1
            if self._count == self.plan.strikes_at:
                await self._strike(place)
            await asyncio.sleep(0)

    async def _strike(self, place: str) -> None:
        match self.plan.trouble:
            case "os_error":
                raise OSError("the wire broke")
            case "bug":
                raise ValueError("a secret")
            case "host_failed":
                raise HostFailed("500", host="scripted")
            case "cancelled_inside":
                raise asyncio.CancelledError
            case "overdue" if place != "tool":
                raise HostTimeout("idle", host="scripted")
            case "overdue":
                await asyncio.Event().wait()
            case "cancel" | "stranger" | "interrupt" | "disconnect":
                self.struck.set()
                if self.plan.hangs:
                    await asyncio.Event().wait()
            case "none" | "driver":
                pass


class Cast:
    """A `Provider` that plays whatever scene is on; so do the tools and the preparer."""

    def __init__(self) -> None:
        self.scene: Scene
        self.preparer = Careful(lambda: self.scene.reach("preparer"))
        self.tools = (FunctionTool(SERVERS_TOOL, self._look), FunctionTool(BROKEN_TOOL, self._break))

    @property
    def name(self) -> str:
        return "scripted"

    @property
    def family(self) -> Family:
        return "scripted"

    def stream(self, request: Request) -> AsyncGenerator[Sequence[Delta], None]:
        return self.scene.distant.stream(request)

    async def list_models(self) -> Sequence[str]:
        return ("scripted-model",)

    async def close(self) -> None:
        pass

    async def _look(self, arguments: JsonObject) -> ToolOutput:
        await self.scene.reach("tool")
        return "seen"

    async def _break(self, arguments: JsonObject) -> ToolOutput:
        await self.scene.reach("tool")
        raise ToolFailed("The tool is broken.")


class PlayHouse:
    """Doors A, C and D of one engine, at `port` of loopback."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cast = Cast()
        house = House(
            self.cast,
            *self.cast.tools,
            engine=OPTIONS,
            doors=DoorOptions(keeps_history=False),
            access=AccessOptions(port=port),
        )
        self.app, self.engine, self.journal = house.app, house.engine, house.engine._journal
        parts = self.engine._parts
        self.engine._parts = EngineParts(parts.observer, (self.cast.preparer,), parts.options)


@asynccontextmanager
async def open_house() -> AsyncIterator[PlayHouse]:
    listener, port = bind_loopback()
    house = PlayHouse(port)
    async with served(house.app, listener):
        try:
            yield house
        finally:
            await house.engine.close()
