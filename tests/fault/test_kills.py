"""The server is killed amid many sends, again and again: nothing acknowledged is lost, nothing is doubled."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from msgspec import Struct
from sqlalchemy import select

from parlance.core.json import JsonObject
from parlance.store.addresses import Address, SqliteAddress, read_address
from parlance.store.database import open_database
from parlance.store.tables.messages import messages
from parlance.store.tables.turns import turns
from tests.acceptance.server_process import ServerProcess

SEED = 20_261_121
SENDERS = 50
CHATS = 10
ENDED_WITHIN = 30.0
SETTLED = {"completed", "failed", "cancelled", "incomplete"}


class Sent(Struct):
    """One message: to which chat, and what its client knows of it. `turn` is None until that was acknowledged."""

    chat: str
    key: str
    text: str
    turn: str | None = None

    async def post(self, http: httpx.AsyncClient) -> JsonObject:
        """The last line that came."""
        body = {"message": self.text, "chat_id": self.chat}
        line: JsonObject = {}
        try:
            async with http.stream("POST", "/chat", json=body, headers={"idempotency-key": self.key}) as answer:
                async for told in answer.aiter_lines():
                    line = json.loads(told) if told else line
                    if "meta" in line:
                        self.acknowledge(line["meta"])
        except httpx.RemoteProtocolError:
            # An answer that is not whole is broken off, behind its last line.
            if not line.get("done"):
                raise
        return line

    def acknowledge(self, meta: object) -> None:
        assert isinstance(meta, dict)
        assert self.turn in (None, meta["turn_id"]), "the same request began another turn"
        self.turn = meta["turn_id"]


class Killed:
    """A server on one database that is started and killed over and over."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self._settings = {
            "LOG_LEVEL": "WARNING",
            "PARLANCE_CHATS__QUEUE_SIZE": str(SENDERS),
            "PARLANCE_DATA": str(folder / "data"),
            **settings,
        }
        self._starts = 0

    async def start(self) -> ServerProcess:
        self._starts += 1
        server = ServerProcess(self._folder / str(self._starts), self._settings)
        return await asyncio.to_thread(server.__enter__)


def client_of(server: ServerProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.address, timeout=ENDED_WITHIN + 10, trust_env=False, verify=False)


async def new_chats(http: httpx.AsyncClient) -> list[str]:
    chats = []
    for _ in range(CHATS):
        answer = await http.post("/chat", json={"message": "/words 1", "chat_id": "new"})
        chats.append(json.loads(answer.text.splitlines()[0])["meta"]["chat_id"])
    return chats


async def send_until_killed(server: ServerProcess, number: int, wait: float) -> list[Sent]:
    async with client_of(server) as http:
        chats = await new_chats(http)
        sent = [
            Sent(chats[sender % CHATS], f"key {number} {sender}", f"/slow 0.01 /words 20 say {number} {sender}")
            for sender in range(SENDERS)
        ]
        posts = [asyncio.create_task(one.post(http)) for one in sent]
        await asyncio.wait(posts, timeout=wait)
        server.kill()
        await asyncio.wait(posts)
        for post in posts:
            error = post.exception()
            assert error is None or isinstance(error, httpx.TransportError), error
    return sent


async def sent_again(server: ServerProcess, sent: list[Sent]) -> None:
    """Each is told to its end, by the turn it began, if it had begun one."""
    async with client_of(server) as http:
        for begin in range(0, len(sent), SENDERS):
            lines = await asyncio.gather(*(one.post(http) for one in sent[begin : begin + SENDERS]))
            assert all(line.get("done") for line in lines)


async def check_kept(address: Address, sent: list[Sent]) -> None:
    database = open_database(address)
    try:
        async with database.reading() as connection:
            rows = (await connection.execute(select(turns.c.id, turns.c.state))).all()
            said = (await connection.execute(select(messages.c.role, messages.c.parts))).all()
    finally:
        await database.close()
    states = {str(row.id): row.state for row in rows}
    assert {states.get(one.turn or "") for one in sent} <= SETTLED
    assert set(states.values()) <= SETTLED
    asked = Counter(json.loads(one.parts)[0]["text"] for one in said if one.role == "user")
    assert [asked[one.text] for one in sent] == [1] * len(sent)


@pytest.mark.requirement("stores:killed_servers")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_killing_the_server_loses_nothing_acknowledged_and_doubles_nothing(
    kind: str, tmp_path: Path, long_run: bool, request: pytest.FixtureRequest
) -> None:
    url = "" if kind == "sqlite" else str(request.getfixturevalue("empty_postgres"))
    address = read_address(url) if url else SqliteAddress(tmp_path / "data" / "parlance.db")
    kills = 300 if long_run else 3
    chance, sent = random.Random(SEED), []
    killed = Killed(tmp_path, {"DATABASE_URL": url} if url else {})
    for number in range(kills):
        sent += await send_until_killed(await killed.start(), number, chance.uniform(0.0, 0.8))
    server = await killed.start()
    try:
        await sent_again(server, sent)
    finally:
        await asyncio.to_thread(server.__exit__)
    await check_kept(address, sent)
