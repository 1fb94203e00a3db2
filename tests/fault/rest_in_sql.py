"""The REST service over a database, in this process: asked in ASGI's messages, without a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from parlance.doors import rest
from parlance.store.addresses import read_address
from parlance.store.answers import SqlAnswers
from parlance.store.assistants import SqlAssistants
from parlance.store.bells import SqlBells
from parlance.store.chats import SqlChats
from parlance.store.database import Database
from parlance.store.memories import SqlMemories
from parlance.store.messages import SqlMessages
from parlance.store.model_calls import SqlModelCalls
from parlance.store.subtenants import SqlSubtenants
from parlance.store.turns import SqlTurns
from parlance.store.writer import Writer
from tests.probes.databases import open_unhurried
from tests.unit.doors.rest.rest_house import API, RestHouse

PORT = 8000
"""Nobody listens there: it stands in requests alone."""

PATIENCE = 20.0


async def answered(
    client: httpx.AsyncClient, method: str, path: str, body: object = None, key: str | None = None
) -> httpx.Response:
    """Asks again while the database is away, as a machine with much to do may make it look."""
    headers = {"idempotency-key": key} if key is not None else {}
    async with asyncio.timeout(PATIENCE):
        answer = await client.request(method, path, json=body, headers=headers)
        while answer.status_code == 503:
            answer = await client.request(method, path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


@asynccontextmanager
async def rest_in_sql(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service as one process has it. The tables are there."""
    database = open_unhurried(read_address(address), connections=4)
    bells = SqlBells(database, shared=False)
    writer = Writer(database, bells)
    house = RestHouse(PORT, stores=_stores(database, bells, writer))
    transport = httpx.ASGITransport(app=house.app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{PORT}{API}") as client:
        yield client
    await house.engine.close()
    await writer.close()
    await database.close()


def _stores(database: Database, bells: SqlBells, writer: Writer) -> rest.Stores:
    return rest.Stores(
        subtenants=SqlSubtenants(database),
        chats=SqlChats(database),
        messages=SqlMessages(database),
        memories=SqlMemories(database),
        assistants=SqlAssistants(database),
        calls=SqlModelCalls(database),
        turns=SqlTurns(database, writer),
        answers=SqlAnswers(database),
        bells=bells,
    )
