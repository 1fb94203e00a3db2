"""Two servers on one PostgreSQL, which they reach by TLS and through a pooler that passes no notifications on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.acceptance.chat_lines import begun
from tests.acceptance.server_process import run_command
from tests.fault.resuming import Doors, Told
from tests.fault.several import several
from tests.probes.pooler import pooled
from tests.probes.postgres import PostgresServer
from tests.probes.tls_postgres import Authority, behind_tls

PATIENCE = 20.0


@pytest.fixture
async def url(own_postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[str]:
    authority = Authority(tmp_path)
    chain = authority.issue("localhost", address="127.0.0.1")
    async with AsyncExitStack() as stack:
        pooler = await stack.enter_async_context(pooled(own_postgres.port, 6))
        front = await stack.enter_async_context(behind_tls(pooler.port, chain))
        tls = f"sslmode=verify-full&sslrootcert={authority.file}"
        yield f"postgresql+psycopg2://postgres@127.0.0.1:{front.port}/postgres?{tls}&pgbouncer=true"


async def told_at(doors: Doors, turn_id: str) -> list[Told]:
    told: list[Told] = []
    async with asyncio.timeout(PATIENCE), doors.resumed("ndjson_chat", turn_id, None) as telling:
        while not told or not told[-1].last:
            told.append(await anext(telling))
    return told


@pytest.mark.requirement("database:pooler:server")
async def test_what_one_server_runs_is_followed_and_stopped_at_the_other(url: str, tmp_path: Path) -> None:
    async with several(tmp_path, url) as (here, there):
        async with begun(here.client, "/words 60 /slow 0.02", chat_id="new") as answer:
            await answer.until("delta")
            told = await told_at(there, answer.turn_id)
            await answer.rest()
        assert "".join(one.text for one in told) == answer.text
        async with begun(here.client, "/words 4000 /slow 0.02", chat_id="new") as answer:
            await answer.until("delta")
            stopped = await there.client.post(f"/chat/{answer.turn_id}/cancel")
            assert stopped.json()["status"] == "cancelled"
            async with asyncio.timeout(PATIENCE):
                assert (await answer.rest()).lines[-1]["status"] == "cancelled"
        for doors in (here, there):
            assert (await doors.client.get("/ready")).status_code == 200
            assert doors.server.log.count("database.listen_url") == 1


async def test_the_doctor_and_a_start_say_what_is_missing(url: str, tmp_path: Path) -> None:
    looked = await asyncio.to_thread(run_command, "doctor", folder=tmp_path, settings={"DATABASE_URL": url})
    assert "no tables yet; a start brings it" in looked.stdout
    assert "notifications do not come through" in looked.stdout
    wrong = {"DATABASE_URL": url.replace("sslrootcert=", "sslrootcert=/no")}
    refused = await asyncio.to_thread(run_command, "serve", "--port", "0", folder=tmp_path, settings=wrong)
    assert refused.returncode == 2
    assert "can't be read: No such file or directory" in refused.stderr
    assert "Traceback" not in refused.stderr
