"""A server whose database goes away: it refuses what it can't keep, tells what needs no keeping, and comes back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Struct

from tests.acceptance.chat_lines import Answer, ask, begun, open_client, problem_of
from tests.acceptance.chat_socket import ChatSocket, open_chat, text_of
from tests.acceptance.rpc_session import RpcSession, create_session, join
from tests.acceptance.server_process import ServerProcess, started
from tests.fault.outages import Outage, postgresql_outages, sqlite_outages
from tests.probes.polling import pause, until
from tests.probes.postgres import PostgresServer

REFUSED = 2.0
"""Seconds in which a refusal must have come. One is promised; the rest is for a machine that is busy."""

RECOVERED = 10.0
DOORS = ("A", "B", "C", "D")


class House(Struct, frozen=True):
    """A server, a chat in it, and a client at each door; `session` is of the chat."""

    server: ServerProcess
    client: httpx.AsyncClient
    chat: ChatSocket
    session: RpcSession
    chat_id: str

    async def send(self, door: str, text: str) -> dict[str, Any] | None:
        """A message for the chat, under a key of its own: None once it is answered, or the refusal in words that all
        doors have in common.
        """
        key = text.partition("\n")[2]
        keyed = {"idempotency-key": key}
        match door:
            case "A":
                last = (await self.chat.ask(text, chat_id=self.chat_id, idempotency_key=key))[-1]
                return None if last["status"] == "complete" else last
            case "B":
                path = f"/api/v1/chats/{self.chat_id}/messages"
                return _refusal_in(await self.client.post(path, json={"content": text}, headers=keyed))
            case "C":
                asked = {"message": text, "chat_id": self.chat_id}
                return _refusal_in(await self.client.post("/chat", json=asked, headers=keyed))
            case _:
                called = await self.session.call("generate", message=text, idempotency_key=key)
                if "error" in called:
                    return {**called["error"], **called["error"]["data"]}
                await self.session.answer()
                return None

    async def begin(self, stack: AsyncExitStack, words: int) -> Answer:
        """A stored turn that takes its time, in a chat of its own."""
        asked = begun(self.client, f"/words {words} /slow 0.02", chat_id="new")
        answer = await stack.enter_async_context(asked)
        await answer.until("delta")
        return answer

    async def messages(self) -> list[tuple[str, str, str]]:
        answer = await self.client.get(f"/api/v1/chats/{self.chat_id}/messages")
        assert answer.status_code == 200, answer.text
        return [(one["role"], one["content"], one["status"]) for one in answer.json()]

    async def ready(self) -> dict[str, Any]:
        answer = await self.client.get("/ready")
        found: dict[str, Any] = answer.json()
        assert answer.status_code == (200 if found["status"] == "ready" else 503)
        return found


def _refusal_in(answer: httpx.Response) -> dict[str, Any] | None:
    if answer.status_code == 200:
        return None
    assert answer.headers["retry-after"] == "1"
    return problem_of(answer, 503, "storage_unavailable")


@asynccontextmanager
async def open_house(folder: Path, outage: Outage) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(started(folder, outage.settings))
        client = await stack.enter_async_context(open_client(server))
        chat = await stack.enter_async_context(open_chat(server))
        made = (await client.post("/api/v1/subtenants/default/chats", json={})).json()["id"]
        session_id = await create_session(server, body={"chat_id": made})
        session = await stack.enter_async_context(join(server, session_id))
        yield House(server, client, chat, session, made)


async def journey(folder: Path, outage: Outage, *, ends: bool) -> None:
    """With `ends`, until an answer has ended that could not be kept."""
    async with open_house(folder, outage) as house:
        for door in DOORS:
            assert await house.send(door, f"/words 2\nfirst at {door}") is None
        async with AsyncExitStack() as stack:
            stored = await house.begin(stack, 400)
            ending = await house.begin(stack, 40) if ends else None
            async with outage.away(house.server):
                await _refused_everywhere(house, outage)
                await _told_nonetheless(house, stored)
                if ending is not None:
                    await _ended_unkept(ending)
            await _back_by_itself(house)
            if ending is not None:
                await _kept_after_all(house, ending)
        for door in DOORS:
            assert await house.send(door, f"/words 2\nagain at {door}") is None
        told = await house.messages()
    asked = [text for role, text, _ in told if role == "user"]
    assert sorted(asked) == sorted(f"/words 2\n{when} at {door}" for when in ("first", "again") for door in DOORS)
    assert {(text, status) for role, text, status in told if role == "assistant"} == {("Parlance tells", "completed")}


async def _refused_everywhere(house: House, outage: Outage) -> None:
    for door in DOORS:
        async with asyncio.timeout(REFUSED):
            refusal = await house.send(door, f"/words 2\nagain at {door}")
        assert refusal is not None
        assert (refusal["code"], refusal["retryable"]) == ("storage_unavailable", True), refusal
        assert outage.says in str(refusal), refusal
    for path in ("/api/v1/subtenants", "/create_session"):
        async with asyncio.timeout(REFUSED):
            refused = await house.client.post(path, json={"chat_id": "new"} if path == "/create_session" else {})
        assert _refusal_in(refused) is not None
    assert (await house.client.get("/health")).status_code == 200
    unready = await house.ready()
    assert unready["status"] == "storage_unavailable"
    assert outage.says in unready["reason"]


async def _told_nonetheless(house: House, stored: Answer) -> None:
    """Turns without a chat, begun now; and a stored one that ran already."""
    assert text_of(await house.chat.ask("/words 3")) == "Parlance tells the"
    assert (await ask(house.client, "/words 3")).text == "Parlance tells the"
    heard = len(stored.lines)
    while len(stored.lines) < heard + 20:
        assert "delta" in (await stored.line() or {})


async def _ended_unkept(ending: Answer) -> None:
    end = (await ending.rest()).lines[-1]
    assert (end["done"], end["status"]) == (True, "incomplete"), end
    assert ending.lines[-2]["error"]["code"] == "not_stored", ending.lines[-2]


async def _kept_after_all(house: House, ending: Answer) -> None:
    """As it was told, word by word and to its last line."""

    async def kept() -> bool:
        turn = (await house.client.get(f"/api/v1/turns/{ending.turn_id}")).json()
        status: str = turn["status"]
        return status == "incomplete"

    await until(kept, within=RECOVERED)
    chat_id = ending.lines[0]["meta"]["chat_id"]
    stored = (await house.client.get(f"/api/v1/chats/{chat_id}/messages")).json()
    assert [(one["content"], one["status"]) for one in stored][1:] == [(ending.text, "incomplete")]


async def _back_by_itself(house: House) -> None:
    async def ready() -> bool:
        found: str = (await house.ready())["status"]
        return found == "ready"

    await until(ready, within=RECOVERED)


@pytest.mark.requirement("database:server:sqlite")
@pytest.mark.parametrize("kind", ["locked", "full", "removed", "read-only"])
async def test_a_server_without_its_sqlite_refuses_goes_on_and_comes_back(
    kind: str, tmp_path: Path, long_run: bool
) -> None:
    await journey(tmp_path, sqlite_outages(tmp_path)[kind], ends=long_run or kind == "locked")


@pytest.mark.requirement("database:server:postgresql")
@pytest.mark.parametrize("kind", ["frozen", "stopped", "cut", "read-only"])
async def test_a_server_without_its_postgresql_refuses_goes_on_and_comes_back(
    kind: str, tmp_path: Path, own_postgres: PostgresServer, long_run: bool
) -> None:
    async with postgresql_outages(own_postgres) as outages:
        await journey(tmp_path, outages[kind], ends=long_run or kind == "stopped")


async def insist(house: House, path: str, key: str) -> str:
    """Send the same message again and again, until it is taken; what was answered."""
    async with asyncio.timeout(30):
        while True:
            sent = await house.client.post(path, json={"content": f"/words 2\n{key}"}, headers={"idempotency-key": key})
            if sent.status_code == 200:
                return str(sent.json()["message"]["turn_id"])
            assert _refusal_in(sent) is not None
            await pause()


async def read(house: House, path: str) -> list[Any]:
    """A list, asked for again while it is refused: a connection that was killed may be met once more."""
    async with asyncio.timeout(10):
        while True:
            told = await house.client.get(path, params={"limit": 1000})
            if told.status_code == 200:
                return list(told.json())
            assert _refusal_in(told) is not None
            await pause()


async def flickers(folder: Path, outage: Outage, sends: int) -> None:
    async with open_house(folder, outage) as house:
        make = "/api/v1/subtenants/default/chats"
        chats = [(await house.client.post(make, json={})).json()["id"] for _ in range(5)]
        async with outage.away(house.server):
            told = [
                await asyncio.gather(
                    *(insist(house, f"/api/v1/chats/{chat}/messages", f"{chat} {number}") for chat in chats)
                )
                for number in range(sends)
            ]
        await _back_by_itself(house)
        for place, chat in enumerate(chats):
            stored = await read(house, f"/api/v1/chats/{chat}/messages")
            asked = [(one["content"], one["turn_id"]) for one in stored if one["role"] == "user"]
            assert asked == [(f"/words 2\n{chat} {number}", told[number][place]) for number in range(sends)]


@pytest.mark.requirement("database:server:flickering")
async def test_a_sqlite_that_flickers_loses_and_doubles_nothing(tmp_path: Path, long_run: bool) -> None:
    await flickers(tmp_path, sqlite_outages(tmp_path)["flickering"], 60 if long_run else 10)


@pytest.mark.requirement("database:server:flickering")
async def test_a_postgresql_whose_connections_are_killed_loses_and_doubles_nothing(
    tmp_path: Path, own_postgres: PostgresServer, long_run: bool
) -> None:
    async with postgresql_outages(own_postgres) as outages:
        await flickers(tmp_path, outages["flickering"], 60 if long_run else 10)
