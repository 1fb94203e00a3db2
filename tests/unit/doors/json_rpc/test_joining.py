"""Sockets that join a session: each is told what runs and what nobody heard, once, whatever happens meanwhile."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from parlance.core.principal import LOCAL_ADMIN
from parlance.core.stores.turns import Accepted, NewTurn, TurnRecord
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.testing.clock import settle
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.turns.chat_stage import Shelves, stores_on
from tests.unit.doors.asgi import House, Message
from tests.unit.doors.json_rpc.rpc import RpcClient, make_session, opened


class SlowTurns(InMemoryTurns):
    """Answers when it is let: `listing` what is open in a chat, and what was `accepted`."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(shelves.shelf)
        self.listing, self.accepted = asyncio.Event(), asyncio.Event()
        for go in (self.listing, self.accepted):
            go.set()

    async def list(self, *which: Any, **how: Any) -> tuple[TurnRecord, ...]:
        found = await super().list(*which, **how)
        await self.listing.wait()
        return found

    async def accept(self, new: NewTurn) -> Accepted:
        accepted = await super().accept(new)
        await self.accepted.wait()
        return accepted


async def with_chats(provider: ScriptedProvider) -> tuple[House, SlowTurns]:
    shelves = await Shelves().opened()
    shelves.turns = turns = SlowTurns(shelves)
    return House(provider, chats=stores_on(shelves)), turns


async def joined(house: House, session_id: str) -> RpcClient:
    client = RpcClient(house, session_id)
    await client.accepted()
    return client


async def told(client: RpcClient) -> list[Message]:
    """All that a client is told of turns, to the first ending and what follows it at once."""
    frames = [await client.frame()]
    while frames[-1].get("method") not in ("end", "error"):
        frames.append(await client.frame())
    await settle(50)
    while (frame := client.heard()) is not None:
        frames.append(frame)
    return [frame for frame in frames if "method" in frame]


def methods(frames: Sequence[Message]) -> list[str]:
    return [frame["method"] for frame in frames]


async def ended(house: House, task_id: str) -> None:
    await (await house.engine.find(task_id, LOCAL_ADMIN)).finished()
    await settle()


@pytest.mark.requirement("json_rpc:session:unheard")
async def test_an_ending_that_was_sent_to_nobody_is_told_to_the_next_one_and_to_none_behind_it() -> None:
    go = asyncio.Event()
    house = House(ScriptedProvider([go, *answering("Hi")]))
    client = await opened(house)
    task_id = await client.generate()
    await client.leave()
    dying = await joined(house, client.session_id)
    dying.gone = True
    go.set()
    await ended(house, task_id)
    await dying.leave()
    dying = await joined(house, client.session_id)
    dying.gone = True
    await settle()
    await dying.leave()
    client = await joined(house, client.session_id)
    (end,) = await told(client)
    assert (end["params"]["task_id"], end["params"]["final_text"]) == (task_id, "Hi")
    await client.leave()
    client = await joined(house, client.session_id)
    client.call("cancel")
    assert "error" in await client.frame()
    await client.leave()
    await house.engine.close()


@pytest.mark.requirement("json_rpc:session:connections")
async def test_a_turn_that_runs_while_a_socket_joins_is_told_there_whole_and_once() -> None:
    house, turns = await with_chats(ScriptedProvider(answering("Hi", " there")))
    first = await opened(house, chat_id="new")
    await settle()
    turns.listing.clear()
    second = await joined(house, first.session_id)
    await settle()
    first.call("generate", message="Hello")
    await told(first)
    await settle()
    turns.listing.set()
    assert methods(await told(second)) == ["text_chunk", "text_chunk", "end"]
    for client in (first, second):
        await client.leave()
    await house.engine.close()


@pytest.mark.requirement("json_rpc:session:connections")
async def test_two_sockets_that_join_at_once_are_each_told_once_what_waits_in_their_chat() -> None:
    house, turns = await with_chats(ScriptedProvider(calling(("pick", "{}")), answering("Done")))
    other = await opened(house, chat_id="new", tools=[{"name": "pick"}])
    task_id = await other.generate()
    asked = await other.until("function_call_request")
    (chat,) = {turn.chat for turn in turns._shelf.turns.values()}
    session_id = await make_session(house, chat_id=chat)
    turns.listing.clear()
    both = [await joined(house, session_id) for _ in range(2)]
    await settle()
    turns.listing.set()
    await settle(50)
    other.call("tool_result", task_id=task_id, results=[{"tool_call_id": asked["request_id"], "result": 1}])
    for client in both:
        assert methods(await told(client)) == ["function_call_request", "text_chunk", "end"]
    for client in (other, *both):
        await client.leave()
    await house.engine.close()


@pytest.mark.requirement("json_rpc:session:connections")
async def test_a_turn_that_a_joining_socket_finds_before_it_has_begun_is_told_at_each_socket_once() -> None:
    house, turns = await with_chats(ScriptedProvider(answering("Hi", " there")))
    asking = await opened(house, chat_id="new")
    listening = await joined(house, asking.session_id)
    await settle()
    turns.accepted.clear()
    asking.call("generate", message="Hello")
    await settle()
    joining = await joined(house, asking.session_id)
    await settle()
    turns.accepted.set()
    for client in (asking, listening, joining):
        assert methods(await told(client)) == ["text_chunk", "text_chunk", "end"]
        await client.leave()
    await house.engine.close()
