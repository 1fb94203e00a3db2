"""Idempotency keys at the four doors of all processes of one database: what a key is, and whose."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tests.acceptance.chat_socket import open_chat
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import create_session, join
from tests.acceptance.scripts import PAUSED
from tests.acceptance.server_process import ServerProcess, started
from tests.fault.plain_http import PlainAnswer, posted
from tests.fault.resuming import ALL_DOORS, events_of
from tests.fault.several import servers_on, settings_of

ANN, HER_OTHER, BOB = "key-of-ann-0123456789", "other-key-of-ann-0123456789", "key-of-bob-0123456789"
KEYS = f"""
access:
  keys:
    ann: {{key: {ANN}, scope: "subtenant:ann"}}
    other: {{key: {HER_OTHER}, scope: "subtenant:ann"}}
    bob: {{key: {BOB}, scope: "subtenant:bob"}}
"""


class Told(Struct, frozen=True):
    """The turn, or why there is none; `status` is that of HTTP, where there is one."""

    turn: str | None = None
    code: str | None = None
    status: int | None = None


class Ask(Struct, frozen=True, kw_only=True):
    """One message at one door of one process. Whoever asks leaves as soon as they know what became of it."""

    server: ServerProcess
    door: str
    chat: str
    key: str
    text: str = "Hello"
    who: str = ANN

    async def told(self) -> Told:
        match self.door:
            case "ws_chat":
                return await self._at_a()
            case "json_rpc":
                return await self._at_d()
            case "rest":
                return await self._over_http(f"/api/v1/chats/{self.chat}/messages/stream", {"content": self.text})
            case _:
                return await self._over_http("/chat", {"message": self.text, "chat_id": self.chat})

    async def _at_a(self) -> Told:
        async with open_chat(self.server, headers=self._bearer) as socket:
            request = await socket.chat(self.text, chat_id=self.chat, idempotency_key=self.key)
            frame = await socket.frame_of(request)
            return Told(frame.get("turn_id"), frame.get("code"))

    async def _at_d(self) -> Told:
        session_id = await create_session(self.server, headers=self._bearer, body={"chat_id": self.chat, "queue": True})
        async with join(self.server, session_id, headers=self._bearer) as session:
            response = await session.call("generate", message=self.text, idempotency_key=self.key)
        if "error" in response:
            return Told(None, response["error"]["data"]["code"])
        return Told(response["result"]["task_id"])

    async def _over_http(self, path: str, body: Mapping[str, object]) -> Told:
        headers = {**self._bearer, "idempotency-key": self.key}
        async with posted(self.server.port, path, body, headers) as answer:
            if answer.status != 200:
                return Told(None, json.loads(await answer.body())["code"], answer.status)
            return Told(await self._turn_of(answer), None, answer.status)

    async def _turn_of(self, answer: PlainAnswer) -> str:
        if self.door == "rest":
            start = json.loads((await anext(events_of(answer.lines()))).data)
        else:
            start = json.loads(await anext(answer.lines()))["meta"]
        turn: str = start["turn_id"]
        return turn

    @property
    def over_http(self) -> bool:
        return self.door in ("rest", "ndjson_chat")

    @property
    def _bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.who}"}


@asynccontextmanager
async def guarded(url: str, folder: Path, upstream: PlannedUpstream) -> AsyncIterator[list[ServerProcess]]:
    """The processes of a database, where everybody needs a key."""
    async with AsyncExitStack() as stack:
        servers = []
        for number in range(servers_on(url)):
            own = folder / f"server {number}"
            own.mkdir()
            (own / "parlance.yaml").write_text(KEYS)
            servers.append(await stack.enter_async_context(started(own, settings_of(folder, url, upstream))))
        yield servers


async def new_chat(server: ServerProcess, who: str, subtenant: str) -> str:
    path, headers = f"/api/v1/subtenants/{subtenant}/chats", {"authorization": f"Bearer {who}"}
    async with posted(server.port, path, {}, headers) as answer:
        made: dict[str, Any] = json.loads(await answer.body())
    assert answer.status == 200, made
    chat: str = made["id"]
    return chat


@pytest.mark.requirement("durability:idempotency:doors")
async def test_a_key_is_one_request_of_one_principal_at_one_door(database_url: str, tmp_path: Path) -> None:
    async with (
        PlannedUpstream(default=PAUSED) as upstream,
        guarded(database_url, tmp_path, upstream) as servers,
    ):
        here, there = servers[0], servers[-1]
        turns: list[str] = []
        for door in ALL_DOORS:
            chat = await new_chat(here, ANN, "ann")
            ask = Ask(server=here, door=door, chat=chat, key="k" * 255)
            await check_refused(ask, len(upstream.requests), upstream)
            first = await ask.told()
            assert first.turn is not None, first
            await (await upstream.arrival(len(turns) + 1)).held.wait()
            turns.append(first.turn)
            await check_same(ask, there, first.turn)
            upstream.requests[-1].go()
            # Its own door: each of them is another operation, and the turns of one chat wait for each other.
            others = [
                Ask(server=there, door=door, chat=await new_chat(here, ANN, "ann"), key=ask.key),
                Ask(server=there, door=door, chat=await new_chat(here, ANN, "ann"), key=ask.key, who=HER_OTHER),
                Ask(server=there, door=door, chat=await new_chat(here, BOB, "bob"), key=ask.key, who=BOB),
                Ask(server=there, door=door, chat=chat, key=ask.key, who=HER_OTHER),
                Ask(server=there, door=ALL_DOORS[ALL_DOORS.index(door) - 1], chat=chat, key=ask.key),
            ]
            for other in others:
                told = await other.told()
                assert told.turn is not None, (door, told)
                turns.append(told.turn)
                (await upstream.arrival(len(turns))).go()
            await check_same(ask, there, first.turn)
        assert len(set(turns)) == len(turns) == len(upstream.requests)


async def check_refused(ask: Ask, asked: int, upstream: PlannedUpstream) -> None:
    """What can be no key begins nothing."""
    for key in ("", "k" * 256):
        told = await Ask(server=ask.server, door=ask.door, chat=ask.chat, key=key).told()
        assert told == Told(None, "idempotency_key_invalid", 400 if ask.over_http else None)
    assert len(upstream.requests) == asked


async def check_same(ask: Ask, there: ServerProcess, turn: str) -> None:
    """At any process the same words are the same turn, and others under the key are refused."""
    for server in (ask.server, there):
        again = Ask(server=server, door=ask.door, chat=ask.chat, key=ask.key)
        assert (await again.told()).turn == turn
        told = await Ask(server=server, door=ask.door, chat=ask.chat, key=ask.key, text="Other").told()
        assert told == Told(None, "idempotency_key_reused", 422 if ask.over_http else None)
