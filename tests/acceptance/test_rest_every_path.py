"""Every path of the REST service, on a server with SQLite and on one with PostgreSQL, and again after a restart."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.acceptance.chat_lines import DEADLINE
from tests.acceptance.server_process import ServerProcess, started

Json = Any
KINDS = ("sqlite", "postgresql")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder and settings for servers that share a database."""
    address = request.getfixturevalue("empty_postgres") if request.param == "postgresql" else None
    return tmp_path, {"DATABASE_URL": str(address)} if address is not None else {}


class Walk:
    """A client that keeps which operations it has used."""

    def __init__(self, server: ServerProcess, client: httpx.AsyncClient, document: Json) -> None:
        self.server = server
        self.used: set[tuple[str, str]] = set()
        self.all = {(method.upper(), path) for path, acts in document["paths"].items() for method in acts}
        self._client = client

    async def ask(
        self, method: str, path: str, body: Json = None, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        answer = await self._client.request(method, f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code == status, (method, path, answer.text)
        self.used.add((method, self._template(method, path.partition("?")[0])))
        return answer

    async def get(self, path: str) -> Json:
        return (await self.ask("GET", path)).json()

    async def post(self, path: str, body: Json, *, status: int = 200, headers: dict[str, str] | None = None) -> Json:
        return (await self.ask("POST", path, body, status=status, headers=headers)).json()

    async def first_events(self, path: str, count: int) -> list[str]:
        """Of a stream that does not end."""
        events: list[str] = []
        async with self._client.stream("GET", f"/api/v1{path}") as answer:
            self.used.add(("GET", self._template("GET", path.partition("?")[0])))
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    events.append(line)
                if len(events) == count:
                    return events
        raise AssertionError(f"the stream ended: {events}")

    def _template(self, method: str, path: str) -> str:
        fitting = [
            template
            for at, template in self.all
            if at == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
        ]
        return str(min(fitting, key=lambda template: template.count("{")))


@pytest.mark.requirement("rest:every_path")
async def test_every_path_works_and_what_was_kept_is_there_after_a_restart(place: tuple[Path, dict[str, str]]) -> None:
    folder, settings = place
    async with started(folder, settings) as server, _client(server) as client:
        walk = Walk(server, client, (await client.get("/api/v1/openapi.json")).json())
        kept = await _walk(walk)
        assert walk.used == walk.all
    async with started(folder, settings) as server, _client(server) as client:
        for path, answer in kept.items():
            assert (await client.get(f"/api/v1{path}")).json() == answer
        turn = kept[next(path for path in kept if path.startswith("/turns/"))]
        told = (await client.get(f"/api/v1/turns/{turn['id']}/events")).text
        assert told.endswith("data: [DONE]\n\n")


async def _walk(walk: Walk) -> dict[str, Json]:
    """The paths to read again later, and what they answered."""
    desk = (await walk.post("/subtenants", {"name": "Desk"}))["id"]
    home = f"/subtenants/{desk}"
    await walk.ask("PUT", home, {"metadata": {"plan": "small"}})
    assistant = (await walk.post("/assistants", {"name": "Clerk", "subtenant_id": desk}))["id"]
    await walk.ask("PUT", f"/assistants/{assistant}", {"system_prompt": "Be kind."})
    chat = (await walk.post(f"{home}/chats", {"assistant_id": assistant}))["id"]
    await walk.ask("PUT", f"/chats/{chat}", {"title": "One"})
    await _remember(walk, home)
    turn = await _talk(walk, f"/chats/{chat}")
    await _ask_directly(walk, home)
    kept = {path: await walk.get(path) for path in (
        home, f"{home}/chats", f"/chats/{chat}", f"/chats/{chat}/messages", f"{home}/memories",
        f"{home}/memories/home%2Fcity", f"/assistants/{assistant}", "/assistants", f"/turns/{turn}",
        "/subtenants?limit=1000",
    )}  # fmt: skip
    assert len(kept[f"/chats/{chat}"]["messages"]) == len(kept[f"/chats/{chat}/messages"]) >= 8
    await walk.get(f"/requests?chat_id={chat}")
    await walk.get("/usage")
    await _delete_another(walk)
    return kept


async def _remember(walk: Walk, home: str) -> None:
    await walk.post(f"{home}/memories", {"key": "home/city", "value": {"name": "Oslo", "at": [59.9, 10.75]}})
    await walk.ask("PUT", f"{home}/memories/home%2Fcity", {"value": "Bergen"})


async def _talk(walk: Walk, chat: str) -> str:
    """The id of its first turn."""
    sent = await walk.post(f"{chat}/messages", {"content": "/words 3", "include_memories": True})
    assert sent["message"]["content"] == "Parlance tells the"
    keyed = {"idempotency-key": "again"}
    told = (await walk.ask("POST", f"{chat}/messages/stream", {"content": "/words 2"}, headers=keyed)).text
    assert (await walk.ask("POST", f"{chat}/messages/stream", {"content": "/words 2"}, headers=keyed)).text == told
    later = await walk.post(
        f"{chat}/messages", {"content": "/slow 5 /words 100"}, status=202, headers={"prefer": "respond-async"}
    )
    await walk.first_events(f"{chat}/events", 1)
    async with connect(f"ws://127.0.0.1:{walk.server.port}/api/v1{chat}/live", proxy=None) as socket:
        assert json.loads(await socket.recv())["data"]["turn_id"] == later["id"]
    assert (await walk.post(f"/turns/{later['id']}/cancel", None))["status"] == "cancelled"
    tools = [{"type": "function", "function": {"name": "stock", "parameters": {"type": "object", "properties": {}}}}]
    asked = await walk.post(f"{chat}/messages", {"content": "/call stock {}", "tools": tools})
    results = {"results": [{"tool_call_id": asked["message"]["tool_calls"][0]["id"], "result": 12}]}
    await walk.post(f"/turns/{asked['turn_id']}/tool_results", results)
    assert "[DONE]" in (await walk.ask("GET", f"/turns/{asked['turn_id']}/events")).text
    assert (await walk.get(f"/turns/{sent['turn_id']}"))["message"] == sent["message"]
    return str(sent["turn_id"])


async def _ask_directly(walk: Walk, home: str) -> None:
    body = {"messages": [{"role": "user", "content": "/words 2"}]}
    for place in ("/llm", f"{home}/llm"):
        assert (await walk.post(f"{place}/complete", body))["content"] == "Parlance tells"
        assert "[DONE]" in (await walk.ask("POST", f"{place}/stream", body)).text


async def _delete_another(walk: Walk) -> None:
    gone = f"/subtenants/{(await walk.post('/subtenants', {}))['id']}"
    chat = (await walk.post(f"{gone}/chats", {}))["id"]
    await walk.post(f"/chats/{chat}/messages", {"content": "/words 1"})
    await walk.post(f"{gone}/memories", {"key": "k", "value": 1})
    assistant = (await walk.post("/assistants", {"name": "x"}))["id"]
    for path in (f"{gone}/memories/k", f"/assistants/{assistant}", f"/chats/{chat}"):
        await walk.ask("DELETE", path)
    other = (await walk.post(f"{gone}/chats", {}))["id"]
    await walk.ask("DELETE", gone)
    await walk.ask("GET", f"/chats/{other}", status=404)


def _client(server: ServerProcess) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.address, timeout=DEADLINE, trust_env=False)
