"""Cancels at random moments over doors A, C and D, against one server and a scripted host behind it.

The host's work ends, tools end, nothing is said behind the acknowledgement, and a cancel that comes twice, late or
for another turn does no harm.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from parlance.testing.reply import Reply
from parlance.testing.script import Script, saying
from tests.acceptance.chat_lines import DEADLINE, open_client
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import calling
from tests.acceptance.server_process import SOURCE, ServerProcess, started
from tests.fault.cancelling import Canceller, open_canceller
from tests.fault.plans import DOORS, Door
from tests.probes.leaks import LeakProbe, settled
from tests.probes.processes import ProcessProbe, quiet

SEED = 5
FEW, MANY = 60, 1_000
WORKERS = 6
SPARE_MEMORY = 24_000_000

MOMENTS = ("unsent", "no_head", "no_text", "between", "streaming", "tool", "waiting", "behind_the_end", "any")

LONG = Reply(text=tuple(f"{number} " for number in range(60)))


class Site:
    """Where a worker's tool `dig` digs: sees it come and go."""

    def __init__(self) -> None:
        self.come = asyncio.Semaphore(0)
        self.gone = asyncio.Semaphore(0)
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.come.release()
        await reader.read()
        self.gone.release()
        writer.close()


class Worker:
    """Cancels at one door, again and again, each time at another moment. It has a host of its own."""

    def __init__(self, server: ServerProcess, door: Door, upstream: PlannedUpstream, model: str) -> None:
        self.done: Counter[str] = Counter()
        self.waits: list[float] = []
        self.door = door
        self._server = server
        self.upstream = upstream
        self.site = Site()
        self._model = model
        self._client: Canceller

    async def work(self, dice: random.Random, times: int) -> None:
        async with self.site.open(), open_canceller(self._server, self.door) as self._client:
            for number in range(times):
                moment = dice.choice(MOMENTS)
                try:
                    async with asyncio.timeout(DEADLINE):
                        await self._cancel_once(moment, dice)
                        if dice.random() < 0.2:
                            await self._cancel_stale()
                except BaseException as error:
                    error.add_note(f"seed {SEED}, {self.door}, number {number}: {moment}")
                    raise
                self.done[moment] += 1

    async def _cancel_once(self, moment: str, dice: random.Random) -> None:
        client, upstream = self._client, self.upstream
        upstream.begin()
        upstream.plan(_script(moment, dice, self.site.port), saying("This must not come."))
        await client.begin(self._model)
        await self._reach(moment, dice)
        running = moment not in ("behind_the_end", "any", "streaming", "unsent")
        acknowledged = await client.cancel()
        await client.cancel_turn(client.turn_id)
        ended = await client.end()
        assert not ended.late
        assert ended.status == "cancelled" or not running, ended
        assert ended.status in ("cancelled", "completed"), ended
        if ended.status == "cancelled":
            assert "must not" not in ended.text
            assert len(upstream.requests) <= 1
        if moment == "tool":
            await self.site.gone.acquire()
        await settled(lambda: upstream.open_connections == 0)
        self.waits += [one.gone_at - acknowledged for one in upstream.requests if one.gone_at is not None]

    async def _reach(self, moment: str, dice: random.Random) -> None:
        """Returns at the moment to cancel."""
        match moment:
            case "no_head" | "no_text":
                request = await self.upstream.arrival()
                await request.held.wait()
            case "between":
                await self._client.until_text(1)
                await self.upstream.requests[0].held.wait()
            case "streaming":
                await self._client.until_text(dice.randint(1, 40))
            case "tool":
                await self.site.come.acquire()
            case "waiting":
                await self._client.until_call()
            case "behind_the_end":
                await self._client.end()
            case "any":
                await passed(dice.uniform(0, 0.08))
            case _:
                pass

    async def _cancel_stale(self) -> None:
        """A cancel that names the turn before does not touch the one that runs."""
        client, old = self._client, self._client.turn_id
        self.upstream.begin()
        self.upstream.plan(Script(reply=Reply(text=("one", " two")), hold_after=2, keep_alive=False))
        await client.begin(self._model)
        await client.until_text(1)
        await client.cancel_turn(old)
        self.upstream.requests[0].go()
        ended = await client.end()
        assert (ended.status, ended.text) == ("completed", "one two")


def _script(moment: str, dice: random.Random, site: int) -> Script:
    """What the host does, so that the moment comes. Connections are not kept, so that those left over show."""
    plain = {
        "no_head": Script(hold_head=True),
        "no_text": Script(hold_after=dice.randint(0, 1)),
        "between": Script(reply=LONG, hold_after=dice.randint(2, 50)),
        "streaming": Script(reply=LONG, event_delay=0.001, keep_alive=False),
        "behind_the_end": Script(keep_alive=False),
        "unsent": Script(reply=LONG, event_delay=0.001, head_delay=0.001, keep_alive=False),
        "any": Script(reply=LONG, event_delay=0.001, head_delay=0.01, keep_alive=False),
    }
    tools = {"tool": ("dig", f'{{"site":{site}}}'), "waiting": ("get_weather", "{}")}
    if moment in plain:
        return plain[moment]
    return Script(reply=calling(tools[moment]).reply, keep_alive=False)


async def test_a_cancel_at_any_moment_stops_everything_and_nothing_else(long_run: bool, tmp_path: Path) -> None:
    own = LeakProbe()
    async with open_workers(tmp_path) as (server, workers):
        await asyncio.gather(*(worker.work(random.Random(worker.door), 2) for worker in workers))
        held = ProcessProbe(server.pid, spare=SPARE_MEMORY)
        times = -(-(MANY if long_run else FEW) // WORKERS)
        dice = [random.Random(f"{SEED}/{number}") for number in range(WORKERS)]
        await asyncio.gather(*(one.work(own_dice, times) for one, own_dice in zip(workers, dice, strict=True)))
        await held.settled()
        await quiet(server.pid)
        await check_figures(server)
        print(report(workers))
    await own.settled()


async def check_figures(server: ServerProcess) -> None:
    """The server's own word for it: no turn is open, nobody follows one, no socket is."""
    async with open_client(server) as client:
        figures = dict(
            line.rsplit(" ", 1) for line in (await client.get("/metrics")).text.splitlines() if not line.startswith("#")
        )
    assert not [name for name in figures if name.startswith("parlance_turns_open") and float(figures[name])]
    assert float(figures["parlance_followers"]) == 0
    assert float(figures['parlance_connections_open{kind="websocket"}']) == 0


def report(workers: list[Worker]) -> str:
    """How many cancels at which moment, and from the acknowledgement to the host's end of the connection."""
    lines = []
    for door in DOORS:
        waits = sorted(wait for worker in workers if worker.door == door for wait in worker.waits)
        p50, p99 = (1000 * waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
        done = sum((worker.done for worker in workers if worker.door == door), Counter[str]())
        lines.append(f"{door}: {dict(done)}; closed {p50:.1f} ms (p50), {p99:.1f} ms (p99) after the acknowledgement")
    return "\n".join(lines)


@asynccontextmanager
async def open_workers(folder: Path) -> AsyncIterator[tuple[ServerProcess, list[Worker]]]:
    """A server with one provider for each worker, and the tool that digs."""
    async with AsyncExitStack() as held:
        upstreams = [await held.enter_async_context(PlannedUpstream()) for _ in range(WORKERS)]
        hosts = [
            # With its models named it is never asked for them, which would be a request more.
            f"  lab{n}: {{host: openai_compatible, base_url: '{one.base_url}', models: [scripted-model]}}"
            for n, one in enumerate(upstreams)
        ]
        (folder / "parlance.yaml").write_text("providers:\n" + "\n".join(hosts) + "\n")
        path = os.pathsep.join((str(Path(__file__).parent / "digging"), str(SOURCE)))
        server = await held.enter_async_context(started(folder, {"PYTHONPATH": path}))
        yield (
            server,
            [
                Worker(server, DOORS[number % 3], upstream, f"lab{number}/scripted-model")
                for number, upstream in enumerate(upstreams)
            ],
        )


async def passed(seconds: float) -> None:
    """A random moment is a moment in time."""
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, over.set_result, None)
    await over
