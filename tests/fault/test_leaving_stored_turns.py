"""Whoever leaves a stored turn, and however they do it, it goes on, and is whole for those who come back."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path
from typing import Literal, assert_never

import pytest

from tests.acceptance.chat_lines import DEADLINE
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.raw_client import RawClient, held, raw, until_held
from tests.acceptance.relay import Relay, relayed
from tests.acceptance.rpc_session import create_session
from tests.acceptance.scripts import PAUSED
from tests.fault.resuming import ALL_DOORS, Doors
from tests.fault.several import new_chat, several
from tests.fault.test_two_processes import send

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


async def at_a(client: RawClient, doors: Doors, chat: str) -> None:
    await client.shake_hands("/ws/chat")
    asked = {"action": "chat", "payload": {"text": "Hello", "chat_id": chat}, "request_id": "r"}
    client.frame(json.dumps(asked).encode())


async def streamed_at_b(client: RawClient, doors: Doors, chat: str) -> None:
    post(client, f"/api/v1/chats/{chat}/messages/stream", {"content": "Hello"})


async def whole_at_b(client: RawClient, doors: Doors, chat: str) -> None:
    post(client, f"/api/v1/chats/{chat}/messages", {"content": "Hello"})


async def at_c(client: RawClient, doors: Doors, chat: str) -> None:
    post(client, "/chat", {"message": "Hello", "chat_id": chat})


async def at_d(client: RawClient, doors: Doors, chat: str) -> None:
    await client.shake_hands(f"/ws/{await create_session(doors.server, body={'chat_id': chat})}")
    client.frame(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"message": "Hello"}}).encode())


async def live_at_b(client: RawClient, doors: Doors, chat: str) -> None:
    """Who follows the chat over a WebSocket; they send beside it."""
    await client.shake_hands(f"/api/v1/chats/{chat}/live")
    await send(doors, chat)


def post(client: RawClient, path: str, body: dict[str, str]) -> None:
    data = json.dumps(body).encode()
    client.begin(path, len(data))
    client.say(data)


Begin = Callable[[RawClient, Doors, str], Awaitable[None]]
BEGINNINGS: tuple[Begin, ...] = (at_a, streamed_at_b, whole_at_b, live_at_b, at_c, at_d)
SOCKETS = (at_a, live_at_b, at_d)
Way = Literal["fin", "reset", "half_open", "tab_closed"]
WAYS: tuple[Way, ...] = ("fin", "reset", "half_open", "tab_closed")


def leave(client: RawClient, relay: Relay, way: Way) -> None:
    match way:
        case "half_open":
            relay.cut()
        case "fin":
            client.writer.close()
        case "tab_closed":
            # A browser says that it goes away.
            client.frame((1001).to_bytes(2), opcode=8)
            client.writer.close()
        case "reset":
            client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            client.writer.transport.abort()
        case _ as never:
            assert_never(never)


@pytest.mark.requirement("durability:disconnects")
async def test_a_stored_turn_goes_on_however_its_client_leaves_and_is_whole_for_who_comes_back(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        PlannedUpstream(default=PAUSED) as upstream,
        several(tmp_path, database_url, upstream) as processes,
        AsyncExitStack() as stack,
    ):
        here, there = processes[0], processes[-1]
        # Over HTTP a closed tab is a connection that ends.
        cases = [(begin, way) for begin, way in product(BEGINNINGS, WAYS) if begin in SOCKETS or way != "tab_closed"]
        for number, (begin, way) in enumerate(cases, 1):
            chat, open_before = await new_chat(here.client), await held(here.client, "connections")
            relay = await stack.enter_async_context(relayed(here.server))
            client = await stack.enter_async_context(raw(relay.port if way == "half_open" else here.server.port))
            await begin(client, here, chat)
            await (await upstream.arrival(number)).held.wait()
            leave(client, relay, way)
            if way != "half_open":
                await until_held(here.client, connections=open_before)
            upstream.requests[-1].go()
            turn, *_ = (await there.client.get(f"/api/v1/chats/{chat}/messages")).json()
            await check_whole(there, turn["turn_id"], ALL_DOORS[number % len(ALL_DOORS)])


async def check_whole(doors: Doors, turn_id: str, door: str) -> None:
    async with asyncio.timeout(DEADLINE), doors.resumed(door, turn_id, None) as telling:
        told = [await anext(telling)]
        while not told[-1].last:
            told.append(await anext(telling))
    assert "".join(one.text for one in told) == "one two"
    turn = (await doors.client.get(f"/api/v1/turns/{turn_id}")).json()
    assert (turn["status"], turn["message"]["content"]) == ("completed", "one two")
