"""The run: turns that pass and turns that are kept, in interleaved rounds; then each database, empty and full."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from msgspec import Struct

from bench.gauges import memory_mb
from bench.jobs import WORDS
from bench.processes import Child, Cores, Server
from bench.stored.clients import Clients, turn_of
from bench.stored.databases import Databases, databases_of
from bench.stored.filling import fill
from bench.stored.findings import (
    FEW,
    LIVE,
    Amount,
    AtStart,
    Findings,
    Kind,
    Place,
    Turns,
)
from bench.stored.reading import ask_long, measure_reading, time_return
from bench.stored.turns import measure_growth, measure_round

REST = 1.0
"""Seconds that started servers are left alone before their memory is read."""


class _Stage(Struct, frozen=True):
    """What all parts of a run need: the scripted host's port, where servers run, and their databases."""

    host: int
    folder: Path
    cores: Cores
    databases: Databases


async def run(amount: Amount, cores: Cores, postgres: str | None, tell: Callable[[str], None]) -> Findings:
    """Measure everything. `BenchFailed` when a process or an answer is not what it should be."""
    kinds: list[Kind] = ["SQLite", "PostgreSQL"] if postgres else ["SQLite"]
    with tempfile.TemporaryDirectory(prefix="parlance-bench-") as name:
        folder = Path(name)
        async with (
            Child("upstream", ["-m", "bench.upstream"], folder, core=cores.host) as host,
            databases_of(folder, postgres) as databases,
        ):
            stage = _Stage(host.port, folder, cores, databases)
            findings = await _compare(stage, kinds, amount, tell)
            for kind in kinds:
                await _measure_full(stage, kind, amount, findings, tell)
            return findings


async def _compare(stage: _Stage, kinds: Sequence[Kind], amount: Amount, tell: Callable[[str], None]) -> Findings:
    places = [LIVE]
    for kind in kinds:
        places += [Place(kind, kind), Place(f"{kind}, strict", kind, "strict")]
    turns: dict[Place, list[Turns]] = {place: [] for place in places}
    async with AsyncExitStack() as stack:
        at = {place: await stack.enter_async_context(_serve(stage, place)) for place in places}
        started = await _at_start(at)
        for number in range(1, amount.rounds + 1):
            tell(f"turns, round {number} of {amount.rounds}")
            for place, found in (await measure_round(at, amount, stage.cores)).items():
                turns[place].append(found)
    return Findings(turns, started, {}, {}, {}, {})


async def _measure_full(
    stage: _Stage, kind: Kind, amount: Amount, findings: Findings, tell: Callable[[str], None]
) -> None:
    few, many = Place(f"{kind}, few", kind), Place(f"{kind}, many", kind)
    tell(f"{kind}: {amount.many:,} chats are made")
    async with _serve(stage, many) as clients:
        long_turn = await ask_long(clients, amount.events)
        findings.back[kind] = await time_return(clients, long_turn, amount)
        short_turn = turn_of(await clients.post("/chat", {"message": "@short", "chat_id": "new"}))
    async with stage.databases.opened(many) as database:
        chat = await fill(database, short_turn, chats_of_one=amount.many, turns_of_one_chat=amount.messages // 2)
    await stage.databases.tidy(many)
    tell(f"{kind}: read, and compared with {FEW} chats")
    async with _serve(stage, few) as beside, _serve(stage, many) as full:
        findings.full[kind] = (await _at_start({many: full}))[many]
        for _ in range(FEW):
            await beside.ask("@short", WORDS)
        findings.growth[kind] = [await measure_growth(beside, full, amount) for _ in range(amount.rounds)]
        findings.reads[kind] = await measure_reading(full, chat, long_turn, amount)


async def _at_start(at: dict[Place, Clients]) -> dict[Place, AtStart]:
    await asyncio.sleep(REST)
    return {place: AtStart(clients.server.started, memory_mb(clients.server.pid)) for place, clients in at.items()}


@asynccontextmanager
async def _serve(stage: _Stage, place: Place) -> AsyncIterator[Clients]:
    settings = {
        "LLM__HOST": f"http://127.0.0.1:{stage.host}/v1",
        "LLM__MODEL": "scripted-model",
        "DEFAULT_MODEL": "llm/scripted-model",
        "LOG_LEVEL": "WARNING",
        "DATABASE_URL": await stage.databases.address_of(place),
        "PARLANCE_DISCOVERY": "false",
        "PARLANCE_DATA": str(stage.databases.data_of(place)),
        "PARLANCE_JOURNAL__DURABILITY": place.durability,
        "PARLANCE_LIMITS__PER_KEY__TURNS": "2000",
    }
    # Shorter than the server keeps a silent connection: it must not close one that is about to be used.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
    async with (
        Server(place.name, stage.folder, core=stage.cores.target, settings=settings) as server,
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=600)) as session,
    ):
        yield Clients(server, session, stored=place.kind is not None)
