"""Many who send the same message under one idempotency key at once: one turn, one call of the host, one answer."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.fault.plain_http import posted
from tests.fault.resuming import events_of
from tests.fault.several import new_chat, several

CALLERS = 200
KEY: Mapping[str, str] = {"idempotency-key": "once"}

Told = tuple[str, str, tuple[str, ...]]
"""The turn, its text, and the cursors."""


async def send_at_c(port: int, chat: str, key: Mapping[str, str] = KEY) -> Told:
    async with posted(port, "/chat", {"message": "Hello", "chat_id": chat}, key) as answer:
        lines = [json.loads(line) async for line in answer.lines()]
    assert lines[-1]["done"], lines
    text = "".join(line.get("delta", "") for line in lines)
    return lines[0]["meta"]["turn_id"], text, tuple(line["cursor"] for line in lines)


async def stream_at_b(port: int, chat: str, key: Mapping[str, str] = KEY) -> Told:
    async with posted(port, f"/api/v1/chats/{chat}/messages/stream", {"content": "Hello"}, key) as answer:
        events = [event async for event in events_of(answer.lines())]
    assert (events[0].name, events[-1].data) == ("start", "[DONE]")
    text = "".join(json.loads(event.data)["content"] for event in events[:-1] if not event.name)
    return json.loads(events[0].data)["turn_id"], text, tuple(event.cursor for event in events)


async def send_at_b(port: int, chat: str, key: Mapping[str, str] = KEY) -> Told:
    async with posted(port, f"/api/v1/chats/{chat}/messages", {"content": "Hello"}, key) as answer:
        sent = json.loads(await answer.body())
    return sent["turn_id"], sent["message"]["content"], (sent["message"]["id"],)


@pytest.mark.requirement("durability:idempotency:callers")
async def test_callers_with_one_key_begin_one_turn_and_all_get_its_answer(database_url: str, tmp_path: Path) -> None:
    script = Script(reply=Reply(text=("one ", "two ", "three")), event_delay=0.05)
    async with (
        PlannedUpstream(default=script) as upstream,
        several(tmp_path, database_url, upstream) as processes,
    ):
        client = processes[-1].client
        ports = [doors.server.port for doors in processes]
        for asked, send in enumerate((send_at_c, stream_at_b, send_at_b), 1):
            chat = await new_chat(client)
            told = await asyncio.gather(*(send(ports[one % len(ports)], chat) for one in range(CALLERS)))
            again = [await send(port, chat) for port in ports]
            assert {*told, *again} == {told[0]}
            assert told[0][1] == "one two three"
            assert len(upstream.requests) == asked
            listed = (await client.get(f"/api/v1/chats/{chat}/messages")).json()
            assert [(one["role"], one["turn_id"]) for one in listed] == [
                ("user", told[0][0]),
                ("assistant", told[0][0]),
            ]


@pytest.mark.requirement("durability:idempotency:many")
async def test_each_of_many_keys_begins_one_turn_whatever_door_and_process_it_comes_to(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    """The same words under one key at C and at B are different requests: each key has its door, and its chat."""
    keys, callers = (1_000, CALLERS) if long_run else (12, 20)
    async with (
        PlannedUpstream(default=Script(reply=Reply(text=("one ", "two ", "three")))) as upstream,
        several(tmp_path, database_url, upstream) as processes,
    ):
        chats = [await new_chat(processes[0].client) for _ in range(16)]
        ports = [doors.server.port for doors in processes]
        turns = set[str]()
        for key in range(keys):
            chat, send = chats[key % len(chats)], (send_at_c, stream_at_b, send_at_b)[key % 3]
            headers = {"idempotency-key": f"key {key}"}
            told = await asyncio.gather(*(send(ports[one % len(ports)], chat, headers) for one in range(callers)))
            assert {*told} == {told[0]}
            turns.add(told[0][0])
        assert len(turns) == len(upstream.requests) == keys
