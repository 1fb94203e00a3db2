"""The load generator: raw protocols that count what they read. One process, so that a target never waits for it.

`python -m bench.load` reads jobs from its standard input and writes a reading for each, a line of JSON either way.
"""

import asyncio
import contextlib
import re
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import msgspec
import uvloop

from bench.gauges import Gauge, busy_share, memory_mb, read_gauge
from bench.jobs import CHUNKS, INTERVAL, STAMP_DIGITS, WORDS, Job, Mode, Reading, percentile
from bench.sessions import make_sessions
from bench.wires import Wire, wire_of

PATIENCE = 40.0
"""Seconds that answers may take beyond their time before they count as lost."""

TAIL = 0.5
"""Seconds of paced answers behind the window, so that all streams are open to its end."""


class Tally:
    """What all connections of one job count together. Only what happens while `open` is measured."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.open = False
        self.going_on = True
        self.events = 0
        self.spans = array("d")
        self.delays = array("d")
        self.failures = 0
        self.failure = ""
        self.running = 0
        self.found = asyncio.Event()
        self.idle = asyncio.Event()

    def count(self, events: int) -> None:
        if self.open:
            self.events += events

    def span(self, seconds: float) -> None:
        """An answer was whole after so many seconds."""
        if self.open:
            self.spans.append(seconds)
            self.found.set()

    def delay(self, written: list[bytes], now: int) -> None:
        """Chunks with these stamps came now, in nanoseconds."""
        if self.open and written:
            self.delays.extend([(now - int(stamp)) / 1e6 for stamp in written])
            self.found.set()

    def fail(self, what: str) -> None:
        self.failures += 1
        self.failure = self.failure or what

    def left(self) -> None:
        self.running -= 1
        if not self.running:
            self.idle.set()


class Client(asyncio.Protocol):
    """One connection. It asks, reads one answer to its end, and asks again while the tally goes on."""

    def __init__(self, wire: Wire, tally: Tally, *, once: bool) -> None:
        self._wire = wire
        self._tally = tally
        self._once = once
        self._mark_length = len(wire.mark)
        self._keeps = max(len(wire.mark) + STAMP_DIGITS, len(wire.end))
        self._opening = bool(wire.opening)
        self._number = 0
        self._begun = 0.0
        self._events = 0
        self._fresh = True
        self._ending = False
        self._kept = b""
        self._over = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._tally.running += 1
        if self._opening:
            self._transport.write(self._wire.opening)
        else:
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._over:
            self._tally.fail(f"a connection was lost: {error or 'closed'}")
        self._tally.left()

    def data_received(self, data: bytes) -> None:
        wire = self._wire
        if self._opening:
            self._open(data)
            return
        if self._fresh:
            self._fresh = False
            if not data.startswith(wire.begin):
                self._give_up(f"refused: {data[:300]!r}")
                return
        self._count(data)
        self._ending = self._ending or wire.end in data or wire.end in self._kept + data[: len(wire.end)]
        if self._ending and (self._kept + data if len(data) < len(wire.last) else data).endswith(wire.last):
            self._whole()
            return
        if wire.refusal in data:
            self._give_up(f"failed: {data[-300:]!r}")
            return
        self._kept = data[-self._keeps :] if len(data) >= self._keeps else (self._kept + data)[-self._keeps :]

    def _count(self, data: bytes) -> None:
        found = data.count(self._wire.mark) + self._cut(data, self._mark_length).count(self._wire.mark)
        self._events += found
        self._tally.count(found)

    def _cut(self, data: bytes, length: int) -> bytes:
        """Where something of that length stands that began in an earlier read and ends in this one, and nothing else
        of it does.
        """
        return self._kept[1 - length :] + data[: length - 1] if self._kept else b""

    def _open(self, data: bytes) -> None:
        if data.startswith(self._wire.opened):
            self._opening = False
            self._ask()
        else:
            self._give_up(f"the handshake was refused: {data[:300]!r}")

    def _ask(self) -> None:
        self._number += 1
        self._events = 0
        self._fresh = True
        self._ending = False
        self._kept = b""
        self._begun = time.perf_counter()
        self._transport.write(self._wire.question(self._number))

    def _whole(self) -> None:
        tally = self._tally
        if self._events != tally.expected:
            tally.fail(f"an answer had {self._events} of {tally.expected} chunks")
        tally.span(time.perf_counter() - self._begun)
        if tally.going_on and not self._once:
            self._ask()
        else:
            self._leave()

    def _give_up(self, why: str) -> None:
        self._tally.fail(why)
        self._leave()

    def _leave(self) -> None:
        self._over = True
        self._transport.close()

    def abort(self) -> None:
        """What is still running when time is up is lost."""
        if not self._over:
            self._tally.fail(f"an answer was not whole in time: {self._events} of {self._tally.expected} chunks")
            self._over = True
        self._transport.abort()


class PacedClient(Client):
    """Reads the time in every chunk."""

    def __init__(self, wire: Wire, tally: Tally, *, once: bool) -> None:
        super().__init__(wire, tally, once=once)
        self._stamp = re.compile(rb"%b(\d{%d})" % (re.escape(wire.mark), STAMP_DIGITS))

    def _count(self, data: bytes) -> None:
        now = time.monotonic_ns()
        stamps = self._stamp.findall(data)
        stamps += self._stamp.findall(self._cut(data, self._mark_length + STAMP_DIGITS))
        self._events += len(stamps)
        self._tally.count(len(stamps))
        self._tally.delay(stamps, now)


async def measure(job: Job) -> Reading:
    """Carry out one job. Bounded: what does not come in time counts as a failure."""
    mode = job.mode
    tally = Tally(_expected(mode))
    clients = await _connect(job, tally)
    try:
        if mode.act != "paced":
            await asyncio.sleep(mode.warm)
        with _window(job, tally) as close:
            await asyncio.sleep(mode.seconds)
            await _within(PATIENCE, tally.found)
            reading = close()
        tally.going_on = False
        await _within(PATIENCE, tally.idle)
    finally:
        for client in clients:
            client.abort()
    return msgspec.structs.replace(reading, failures=tally.failures, failure=tally.failure)


async def _within(seconds: float, happens: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await happens.wait()


async def _connect(job: Job, tally: Tally) -> list[Client]:
    """Open all connections; those of paced streams evenly over the mode's `warm` seconds."""
    loop, mode = asyncio.get_running_loop(), job.mode
    paced = mode.act == "paced"
    act = f"@paced:{tally.expected}" if paced else f"@{mode.act}"
    sessions = await make_sessions(job.port, mode.connections) if job.door == "rpc" else [""] * mode.connections
    begun, clients = loop.time(), []
    for number, session in enumerate(sessions):
        if paced:
            await asyncio.sleep(begun + mode.warm * number / mode.connections - loop.time())
        kind = partial(PacedClient if paced else Client, wire_of(job.door, act, session), tally, once=paced)
        _, client = await loop.create_connection(kind, "127.0.0.1", job.port)
        clients.append(client)
    return clients


def _expected(mode: Mode) -> int:
    match mode.act:
        case "short":
            return WORDS
        case "burst":
            return CHUNKS
        case "paced":
            return round((mode.warm + mode.seconds + TAIL) / INTERVAL)


@contextlib.contextmanager
def _window(job: Job, tally: Tally) -> Iterator[Callable[[], Reading]]:
    """Within it the tally is open; call what it gives at its end."""
    before, begun = _gauge(job), time.perf_counter()
    tally.open = True
    try:
        yield lambda: _read(job, tally, before, time.perf_counter() - begun)
    finally:
        tally.open = False


def _gauge(job: Job) -> Gauge:
    return read_gauge(job.pid, job.target_core, job.load_core)


def _read(job: Job, tally: Tally, before: Gauge, seconds: float) -> Reading:
    after = _gauge(job)
    memory = memory_mb(job.pid)
    spans, delays = sorted(tally.spans), sorted(tally.delays)
    spent = after.process - before.process if after.process is not None and before.process is not None else None
    target_busy = busy_share(before.target_core, after.target_core)
    due = job.mode.connections * seconds / INTERVAL
    return Reading(
        answers=len(spans) / seconds,
        events=tally.events / seconds,
        failures=tally.failures,
        answer_p50=_milliseconds(percentile(spans, 0.5)),
        answer_p99=_milliseconds(percentile(spans, 0.99)),
        delivered=tally.events / due if job.mode.act == "paced" else None,
        delay_p50=percentile(delays, 0.5),
        delay_p99=percentile(delays, 0.99),
        cpu=None if spent is None else spent / seconds,
        cpu_per_event=None if spent is None or not tally.events else spent / tally.events * 1e6,
        memory=memory,
        load_core_busy=busy_share(before.load_core, after.load_core),
        target_core_shared=None if target_busy is None or spent is None else max(0.0, target_busy - spent / seconds),
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def main() -> None:
    """Until standard input ends."""
    for line in sys.stdin:
        reading = uvloop.run(measure(msgspec.json.decode(line, type=Job)))
        print(msgspec.json.encode(reading).decode(), flush=True)


if __name__ == "__main__":
    main()
