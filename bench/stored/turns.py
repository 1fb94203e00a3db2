"""Turns, measured: the same requests at every server in every round, first one server and then the next."""

import time
from collections.abc import Mapping, Sequence

from bench.gauges import read_gauge
from bench.jobs import CHUNKS, WORDS, percentile
from bench.processes import Cores
from bench.stored.clients import Clients, side_by_side
from bench.stored.findings import CONNECTIONS, WATCHERS, Amount, Growth, Place, Turns, disturbance


async def measure_round(at: Mapping[Place, Clients], amount: Amount, cores: Cores) -> dict[Place, Turns]:
    firsts = await _first_words(list(at.values()), amount.singles)
    return {
        place: await _measure(clients, first, amount, cores)
        for (place, clients), first in zip(at.items(), firsts, strict=True)
    }


async def _first_words(servers: Sequence[Clients], count: int) -> list[float]:
    """The median milliseconds of each, one question at a time, and every server in turn: all in the same weather."""
    spans: list[list[float]] = [[] for _ in servers]
    for _ in range(count):
        for clients, own in zip(servers, spans, strict=True):
            own.append(await clients.ask("@short", WORDS))
    return [1e3 * (percentile(sorted(own), 0.5) or 0.0) for own in spans]


async def _measure(clients: Clients, first: float, amount: Amount, cores: Cores) -> Turns:
    await _shorts(clients, CONNECTIONS)
    watchers = WATCHERS if clients.stored else 0
    pid = clients.server.pid
    begun, before = time.perf_counter(), read_gauge(pid, cores.target, cores.load)
    seconds = await side_by_side(amount.bursts, CONNECTIONS, lambda: clients.ask("@burst", CHUNKS, watchers=watchers))
    between = read_gauge(pid, cores.target, cores.load)
    short_seconds = await _shorts(clients, amount.shorts)
    after = read_gauge(pid, cores.target, cores.load)
    return Turns(
        events=amount.bursts * CHUNKS / seconds,
        event_cpu=_each(before.process, between.process, amount.bursts * CHUNKS),
        shorts=amount.shorts / short_seconds,
        short_cpu=_each(between.process, after.process, amount.shorts),
        first_p50=first,
        disturbance=disturbance(before, after, time.perf_counter() - begun),
    )


async def measure_growth(few: Clients, many: Clients, amount: Amount) -> Growth:
    """The same short turns in two databases of one kind."""
    cpu, rate = zip(*[await _cost(clients, amount.shorts) for clients in (few, many)], strict=True)
    return Growth(cpu[1] / cpu[0] if cpu[0] and cpu[1] else None, rate[1] / rate[0])


async def _cost(clients: Clients, count: int) -> tuple[float | None, float]:
    """Microseconds of CPU for a short turn, and turns per second."""
    await _shorts(clients, CONNECTIONS)
    before = read_gauge(clients.server.pid, None, None).process
    seconds = await _shorts(clients, count)
    after = read_gauge(clients.server.pid, None, None).process
    return _each(before, after, count), count / seconds


async def _shorts(clients: Clients, count: int) -> float:
    return await side_by_side(count, CONNECTIONS, lambda: clients.ask("@short", WORDS))


def _each(before: float | None, after: float | None, count: int) -> float | None:
    return None if before is None or after is None else (after - before) / count * 1e6
