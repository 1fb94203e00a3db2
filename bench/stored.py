"""What it costs to keep chats: the same requests as live turns and as stored ones, side by side in one run.

`python -m bench.stored [--quick] [--postgres URL] [--write]`: over a SQLite file of its own, and a PostgreSQL database
that may be emptied. The clients are in this process, on another core than the target.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import uvloop
from msgspec import Struct

from bench import page
from bench.gauges import memory_mb, read_gauge
from bench.jobs import percentile
from bench.processes import Child, Cores, choose_cores

CONNECTIONS = 64
WATCHERS = 2
MESSAGES = 1_000
BURSTS = "Events/s of bursts, 64 at once; stored ones with two watchers each"
LONG_TURN = 10_000
COMERS = 1_000


class Amount(Struct, frozen=True):
    """How much is asked: answers of a burst, short answers, single answers, and rounds of all that."""

    bursts: int = 640
    shorts: int = 2_560
    singles: int = 200
    rounds: int = 3


class Figures(Struct, frozen=True):
    """Of one round at one target: rates per second, milliseconds, and microseconds of CPU per event or answer."""

    events: float
    event_cpu: float | None
    shorts: float
    short_cpu: float | None
    first_p50: float


class Target:
    """A server under load: `stored` says whether its chats are kept."""

    def __init__(self, child: Child, client: aiohttp.ClientSession, *, stored: bool) -> None:
        self.child = child
        self.stored = stored
        self._client = client
        self._address = f"http://127.0.0.1:{child.port}"

    def body(self, text: str) -> dict[str, str]:
        return {"message": text, "chat_id": "new"} if self.stored else {"message": text}

    async def ask(self, text: str, *, watchers: int = 0) -> float:
        """Read an answer to its end, and let so many others follow it; the seconds to its first word."""
        begun, first = time.perf_counter(), 0.0
        following: list[asyncio.Task[bytes]] = []
        async with self._client.post(f"{self._address}/chat", json=self.body(text)) as answer:
            async for line in answer.content:
                if not first and line.startswith(b'{"delta"'):
                    first = time.perf_counter() - begun
                if watchers and line.startswith(b'{"meta"'):
                    turn = json.loads(line)["meta"]["turn_id"]
                    following = [asyncio.create_task(self.read(f"/chat/{turn}")) for _ in range(watchers)]
        for told in await asyncio.gather(*following):
            if b'"done":true' not in told:
                raise RuntimeError("a watcher was not told the end")
        return first

    async def read(self, path: str) -> bytes:
        async with self._client.get(f"{self._address}{path}") as answer:
            return await answer.read()

    async def first_of(self, path: str) -> bytes:
        async with self._client.get(f"{self._address}{path}") as answer:
            return await answer.content.readany()

    async def post(self, path: str, body: Mapping[str, object]) -> bytes:
        async with self._client.post(f"{self._address}{path}", json=body) as answer:
            return await answer.read()

    def cpu(self) -> float | None:
        return read_gauge(self.child.pid, None, None).process


async def side_by_side(count: int, connections: int, act: Callable[[], Awaitable[object]]) -> float:
    """The seconds that so many acts take, so many at once."""
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            await act()

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(work())
    return time.perf_counter() - begun


async def measure(target: Target, amount: Amount) -> Figures:
    await side_by_side(CONNECTIONS, CONNECTIONS, lambda: target.ask("@short"))
    before = target.cpu()
    seconds = await side_by_side(
        amount.bursts, CONNECTIONS, lambda: target.ask("@burst", watchers=WATCHERS if target.stored else 0)
    )
    between = target.cpu()
    short_seconds = await side_by_side(amount.shorts, CONNECTIONS, lambda: target.ask("@short"))
    after = target.cpu()
    firsts = sorted([await target.ask("@short") for _ in range(amount.singles)])
    return Figures(
        events=amount.bursts * 100 / seconds,
        event_cpu=_each(before, between, amount.bursts * 100),
        shorts=amount.shorts / short_seconds,
        short_cpu=_each(between, after, amount.shorts),
        first_p50=1e3 * (percentile(firsts, 0.5) or 0.0),
    )


def _each(before: float | None, after: float | None, count: int) -> float | None:
    return None if before is None or after is None else (after - before) / count * 1e6


async def measure_reading(target: Target) -> dict[str, float]:
    """Of a chat of 1,000 messages, a turn of 10,000 events, and 1,000 clients that come back at once; milliseconds."""
    made = json.loads(await target.post("/api/v1/subtenants/default/chats", {}))["id"]
    for _ in range(MESSAGES // 2):
        await target.post(f"/api/v1/chats/{made}/messages", {"content": "@short"})
    reads = sorted([await _timed(target.read(f"/api/v1/chats/{made}")) for _ in range(50)])
    told = (await target.post("/chat", {"message": f"@flood:{LONG_TURN}", "chat_id": "new"})).splitlines()
    turn = json.loads(told[0])["meta"]["turn_id"]
    cursors = [json.loads(line)["cursor"] for line in told[1 : LONG_TURN : LONG_TURN // 50]]
    resumes = sorted([await _timed(target.first_of(f"/chat/{turn}?after={cursor}")) for cursor in cursors])
    back = await _timed(_all_back(target, turn, cursors))
    return {"chat": _p(reads, 0.5), "resume": _p(resumes, 0.99), "back": back * 1e3}


async def _all_back(target: Target, turn: str, cursors: Sequence[str]) -> None:
    late = cursors[-10:]
    await asyncio.gather(*(target.read(f"/chat/{turn}?after={late[number % len(late)]}") for number in range(COMERS)))


def _p(values: Sequence[float], share: float) -> float:
    return 1e3 * (percentile(values, share) or 0.0)


@asynccontextmanager
async def target_of(host: Child, folder: Path, name: str, core: int | None, database: str) -> AsyncIterator[Target]:
    """A server in front of the scripted host. `database`: empty for SQLite."""
    settings = {
        "LLM__HOST": f"http://127.0.0.1:{host.port}/v1",
        "LLM__MODEL": "scripted-model",
        "DEFAULT_MODEL": "llm/scripted-model",
        "LOG_LEVEL": "WARNING",
        "DATABASE_URL": database,
        "PARLANCE_DISCOVERY": "false",
        "PARLANCE_DATA": str(folder / name),
        "PARLANCE_LIMITS__PER_KEY__TURNS": "2000",
    }
    # Shorter than the server keeps a silent connection: it must not close one that is about to be used.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
    async with (
        Child(name, ["-m", "parlance", "serve", "--port", "0"], folder, core=core, settings=settings) as child,
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=600)) as client,
    ):
        yield Target(child, client, stored=name != "live")


async def run(amount: Amount, cores: Cores, postgres: str | None) -> str:
    """The table of all rounds."""
    names = {"live": "", "SQLite": "", **({"PostgreSQL": postgres} if postgres else {})}
    found: dict[str, list[Figures]] = {name: [] for name in names}
    reading: dict[str, dict[str, float]] = {}
    memory: dict[str, float | None] = {}
    with tempfile.TemporaryDirectory(prefix="parlance-bench-") as place:
        async with AsyncExitStack() as stack:
            folder = Path(place)
            host = await stack.enter_async_context(Child("upstream", ["-m", "bench.upstream"], folder, core=cores.host))
            targets = {
                name: await stack.enter_async_context(target_of(host, folder, name, cores.target, database))
                for name, database in names.items()
            }
            memory = {name: memory_mb(target.child.pid) for name, target in targets.items()}
            for number in range(amount.rounds):
                print(f"bench: round {number + 1} of {amount.rounds}", file=sys.stderr, flush=True)
                for name, target in targets.items():
                    found[name].append(await measure(target, amount))
            for name in [name for name in targets if name != "live"]:
                print(f"bench: reading from {name}", file=sys.stderr, flush=True)
                reading[name] = await measure_reading(targets[name])
    return encode_table(found, reading, memory)


def encode_table(
    found: Mapping[str, Sequence[Figures]],
    reading: Mapping[str, Mapping[str, float]],
    memory: Mapping[str, float | None],
) -> str:
    def middle(name: str, of: Callable[[Figures], float | None]) -> float:
        return statistics.median([value for one in found[name] if (value := of(one)) is not None])

    rows = [
        ("", *found),
        ("---", *("---:" for _ in found)),
        (BURSTS, *(f"{middle(name, lambda one: one.events):,.0f}" for name in found)),
        ("CPU per event of those, µs", *(f"{middle(name, lambda one: one.event_cpu):.1f}" for name in found)),
        ("Short turns/s, 64 at once", *(f"{middle(name, lambda one: one.shorts):,.0f}" for name in found)),
        ("CPU per short turn, ms", *(f"{middle(name, lambda one: one.short_cpu) / 1e3:.2f}" for name in found)),
        ("First word, one at a time, p50, ms", *(f"{middle(name, lambda one: one.first_p50):.1f}" for name in found)),
        ("A chat of 1,000 messages, p50, ms", *(_of(reading, name, "chat") for name in found)),
        ("Resume in a turn of 10,000 events, first bytes, p99, ms", *(_of(reading, name, "resume") for name in found)),
        ("1,000 clients come back at once, all caught up, ms", *(_of(reading, name, "back") for name in found)),
        ("Memory at rest, MB", *(f"{memory[name]:.0f}" if memory[name] else "–" for name in found)),
    ]  # fmt: skip
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _of(reading: Mapping[str, Mapping[str, float]], name: str, figure: str) -> str:
    return f"{reading[name][figure]:.0f}" if name in reading else "–"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.stored", description="Measure what it costs to keep chats.")
    parser.add_argument("--quick", action="store_true", help="one short round: for a first look, not for comparing")
    parser.add_argument("--postgres", metavar="URL", help="a database that may be emptied")
    parser.add_argument("--write", action="store_true", help="renew the table of docs/performance.md")
    given = parser.parse_args()
    amount = Amount(64, 256, 20, 1) if given.quick else Amount()
    cores = choose_cores()
    if cores.target is not None:
        os.sched_setaffinity(0, os.sched_getaffinity(0) - {cores.target})
    table = uvloop.run(run(amount, cores, given.postgres))
    rounds = "One round." if amount.rounds == 1 else f"Medians of {amount.rounds} interleaved rounds."
    print(table)
    if given.write:
        page.write({"stored": f"{page.describe_machine()} {rounds}\n\n{table}"})
    return 0


async def _timed(doing: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await doing
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
