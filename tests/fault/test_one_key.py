"""Many who send the same message under one idempotency key at once: one turn, one call of the host, one answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.fault.resuming import Doors, events_of
from tests.fault.several import new_chat, several

CALLERS = 200
KEY = {"idempotency-key": "once"}
PATIENCE = 60.0

Told = tuple[str, str, tuple[str, ...]]
"""The turn, its text, and the cursors."""


async def send_at_c(http: httpx.AsyncClient, chat: str) -> Told:
    answer = await http.post("/chat", json={"message": "Hello", "chat_id": chat}, headers=KEY)
    assert answer.status_code == 200, answer.text
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1]["done"], lines
    text = "".join(line.get("delta", "") for line in lines)
    return lines[0]["meta"]["turn_id"], text, tuple(line["cursor"] for line in lines)


async def stream_at_b(http: httpx.AsyncClient, chat: str) -> Told:
    begun, text, cursors = "", "", []
    path = f"/api/v1/chats/{chat}/messages/stream"
    async with http.stream("POST", path, json={"content": "Hello"}, headers=KEY) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for event in events_of(answer):
            cursors.append(event.cursor)
            if event.name == "start":
                begun = json.loads(event.data)["turn_id"]
            elif not event.name and event.data != "[DONE]":
                text += json.loads(event.data)["content"]
    assert event.data == "[DONE]"
    return begun, text, tuple(cursors)


async def send_at_b(http: httpx.AsyncClient, chat: str) -> Told:
    answer = await http.post(f"/api/v1/chats/{chat}/messages", json={"content": "Hello"}, headers=KEY)
    assert answer.status_code == 200, answer.text
    sent = answer.json()
    return sent["turn_id"], sent["message"]["content"], (sent["message"]["id"],)


@pytest.mark.requirement("durability:idempotency:callers")
@pytest.mark.parametrize("send", [send_at_c, stream_at_b, send_at_b])
async def test_callers_with_one_key_begin_one_turn_and_all_get_its_answer(
    send: Callable[[httpx.AsyncClient, str], Awaitable[Told]], database_url: str, tmp_path: Path
) -> None:
    script = Script(reply=Reply(text=("one ", "two ", "three")), event_delay=0.05)
    async with (
        PlannedUpstream(default=script) as upstream,
        several(tmp_path, database_url, upstream) as processes,
    ):
        chat = await new_chat(processes[0].client)
        clients = [clients_of(doors) for doors in processes]
        told = await asyncio.gather(*(send(clients[one % len(clients)], chat) for one in range(CALLERS)))
        again = [await send(client, chat) for client in clients]
        for client in clients:
            await client.aclose()
        assert {*told, *again} == {told[0]}
        assert told[0][1] == "one two three"
        assert len(upstream.requests) == 1
        listed = (await processes[-1].client.get(f"/api/v1/chats/{chat}/messages")).json()
        assert [(one["role"], one["turn_id"]) for one in listed] == [("user", told[0][0]), ("assistant", told[0][0])]


def clients_of(doors: Doors) -> httpx.AsyncClient:
    """One that opens as many connections as there are callers."""
    limits = httpx.Limits(max_connections=CALLERS)
    return httpx.AsyncClient(
        base_url=doors.server.address, timeout=PATIENCE, limits=limits, trust_env=False, verify=False
    )
