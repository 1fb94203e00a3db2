"""Chats of the REST service for tests: a server with one in it, and streams read to their end."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from parlance.testing.models import FunctionTool
from parlance.testing.provider import Act, ScriptedProvider
from tests.unit.doors.rest.rest_house import Event, Json, RestHouse, done, events_of, open_rest

STOCK = {"type": "function", "function": {"name": "stock", "parameters": {"type": "object", "properties": {}}}}


@asynccontextmanager
async def open_chat(
    *answers: Sequence[Act], tools: Sequence[FunctionTool] = ()
) -> AsyncIterator[tuple[RestHouse, httpx.AsyncClient, str]]:
    """A server, its client, and the path of a chat."""
    async with open_rest(*tools, provider=ScriptedProvider(*answers)) as house, house.client() as client:
        chat = done(await client.post("/subtenants/ann/chats", json={"title": "One"}))
        yield house, client, f"/chats/{chat['id']}"


async def stream(client: httpx.AsyncClient, path: str, **options: Json) -> list[Event]:
    answer = await client.request(options.pop("method", "GET"), path, **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return events_of(answer.text)
