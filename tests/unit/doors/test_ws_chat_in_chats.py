"""Door A where each connection is a stored chat, and the store takes its time."""

import asyncio

import pytest

from parlance.core.stores.turns import Accepted, NewTurn
from parlance.doors.serving import DoorOptions
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.testing.clock import settle
from parlance.testing.provider import ScriptedProvider, answering
from tests.turns.chat_stage import Shelves, stores_on
from tests.unit.doors.asgi import House, Message, Socket


class LateTurns(InMemoryTurns):
    """Keeps no turn before it is let."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(shelves.shelf)
        self.go = asyncio.Event()

    async def accept(self, new: NewTurn) -> Accepted:
        await self.go.wait()
        return await super().accept(new)


def say(socket: Socket, *request_ids: str) -> None:
    for request_id in request_ids:
        socket.say(action="chat", request_id=request_id, payload={"text": f"Hello {request_id}"})


@pytest.mark.requirement("ws_chat:cancel:starting")
@pytest.mark.requirement("ws_chat:request_id:in_use")
async def test_requests_that_wait_for_the_connection_s_chat_have_their_ids_and_can_be_cancelled() -> None:
    shelves = await Shelves().opened()
    shelves.turns = turns = LateTurns(shelves)
    provider = ScriptedProvider(answering("Hi"))
    house = House(provider, chats=stores_on(shelves), doors=DoorOptions(stores_all=True))
    socket = Socket(house)
    await socket.accepted()
    say(socket, "1", "2", "2", "3")
    socket.say(action="cancel", request_id="3")
    refused = await socket.frame()
    assert (refused["request_id"], refused["code"]) == (None, "request_id_in_use")
    assert refused["rejected_request_id"] == "2"
    await settle()
    turns.go.set()
    last: dict[str, Message] = {}
    while len(last) < 3:
        ending = await socket.until("complete", "error")
        last[ending["request_id"]] = ending
    told = {request_id: ending.get("metadata", {}).get("status") for request_id, ending in last.items()}
    assert told == {"1": "completed", "2": "completed", "3": "cancelled"}
    assert [request.messages[-1].text for request in provider.requests] == ["Hello 1", "Hello 2"]
    assert len({turn.chat for turn in shelves.shelf.turns.values()}) == 1
    say(socket, "3")
    assert (await socket.until("complete", "error"))["metadata"]["status"] == "completed"
    await socket.leave()
    await house.engine.close()
