"""Servers in processes of their own that keep chats in one database, and ask one scripted host."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from tests.acceptance.chat_lines import open_client
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import create_session
from tests.acceptance.server_process import SIGNS_OF_BUGS, ServerProcess, started
from tests.fault.resuming import Doors

PATIENCE = 45.0
"""Seconds that a client waits for the next piece: longer than the turns of the dead may take to end."""


def settings_of(folder: Path, url: str, upstream: PlannedUpstream | None = None) -> dict[str, str]:
    """Without a host of its own a server asks the demonstration."""
    lab = {}
    if upstream is not None:
        lab = {
            "OPENAI_API_KEY": "sk-lab",
            "OPENAI_API_BASE_URL": upstream.base_url,
            "DEFAULT_MODEL": "openai/scripted-model",
            "PARLANCE_REQUEST__MAX_RETRIES": "0",
        }
    return {"DATABASE_URL": url} | lab if url else {"PARLANCE_DATA": str(folder / "data")} | lab


def servers_on(url: str) -> int:
    """How many processes may share it."""
    return 2 if url else 1


@asynccontextmanager
async def several(
    folder: Path, url: str, upstream: PlannedUpstream | None = None, more: Mapping[str, str] | None = None
) -> AsyncIterator[list[Doors]]:
    """As many servers as may share the database, with all their doors; one after the other, since the first makes the
    tables.
    """
    async with AsyncExitStack() as stack:
        doors = []
        for number in range(servers_on(url)):
            settings = {**settings_of(folder, url, upstream), **(more or {})}
            server = await stack.enter_async_context(started(folder / f"server {number}", settings))
            doors.append(await stack.enter_async_context(doors_of(server)))
        yield doors


@asynccontextmanager
async def doors_of(server: ServerProcess) -> AsyncIterator[Doors]:
    async with open_client(server) as client:
        client.timeout = httpx.Timeout(PATIENCE)
        yield Doors(server, client, await create_session(server))


async def new_chat(client: httpx.AsyncClient) -> str:
    made = await client.post("/api/v1/subtenants/default/chats", json={})
    assert made.status_code == 200, made.text
    chat_id: str = made.json()["id"]
    return chat_id


@asynccontextmanager
async def killable(folder: Path, settings: Mapping[str, str]) -> AsyncIterator[Doors]:
    """A server that need not be there any more when the block ends."""
    server = ServerProcess(folder, settings)
    await asyncio.to_thread(server.__enter__)
    try:
        async with doors_of(server) as doors:
            yield doors
    finally:
        await asyncio.to_thread(server.stop)
    assert not [sign for sign in SIGNS_OF_BUGS if sign in server.log], server.log
