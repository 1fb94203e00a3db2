"""The run itself: in every round the targets start anew, and each mode is measured on one after the other."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.gauges import memory_mb
from bench.jobs import Door, Job, Mode, Reading
from bench.processes import Child, Cores, Server

SLACK = 120.0
"""Seconds beyond a job's own time after which the run is given up."""


class Plan(Struct, frozen=True):
    """`rest`: seconds that started targets are left alone before their memory is read.

    `repeats`: how often a job is done again when others were busy on its cores meanwhile; the calmest counts.
    """

    rounds: int
    modes: tuple[Mode, ...]
    rest: float = 1.0
    repeats: int = 0


FULL = Plan(
    rounds=3,
    repeats=1,
    modes=(
        Mode("paced100", "100 paced streams", "paced", 100, 0.5, 4.0),
        Mode("paced1000", "1,000 paced streams", "paced", 1000, 2.5, 5.0),
        Mode("alone", "Short turns, one at a time", "short", 1, 0.3, 1.5),
        Mode("short", "Short turns, 64 connections", "short", 64, 0.7, 3.0),
        Mode("burst", "Bursts, 64 connections", "burst", 64, 0.7, 3.0),
    ),
)
QUICK = Plan(
    rounds=1,
    modes=(
        Mode("paced100", "100 paced streams", "paced", 100, 0.5, 1.5),
        Mode("paced400", "400 paced streams", "paced", 400, 1.0, 1.5),
        Mode("alone", "Short turns, one at a time", "short", 1, 0.3, 0.7),
        Mode("short", "Short turns, 64 connections", "short", 64, 0.5, 1.0),
        Mode("burst", "Bursts, 64 connections", "burst", 64, 0.5, 1.0),
    ),
)


class Target(Struct, frozen=True):
    name: str
    title: str
    door: Door


TARGETS = (
    Target("baseline", "Baseline", "relay"),
    Target("lines", "Door C", "lines"),
    Target("socket", "Door A", "socket"),
    Target("rpc", "Door D", "rpc"),
)
"""Parlance three times, each door in a process of its own: so that memory is one door's."""


class Round(Struct, frozen=True):
    """What one round found of one target: seconds until it was ready, megabytes at rest, and a reading per mode."""

    ready: float
    rest: float | None
    readings: dict[str, Reading]


Findings = dict[str, list[Round]]
"""By target, its rounds in order."""


async def run(plan: Plan, cores: Cores, tell: Callable[[str], None]) -> Findings:
    """Measure everything. `BenchFailed` when a process does not do its part."""
    findings: Findings = {target.name: [] for target in TARGETS}
    with tempfile.TemporaryDirectory(prefix="parlance-bench-") as name:
        folder = Path(name)
        async with (
            Child("upstream", ["-m", "bench.upstream"], folder, core=cores.host) as host,
            Child("load", ["-m", "bench.load"], folder, core=cores.load, greets=False) as load,
        ):
            for number in range(1, plan.rounds + 1):
                tell(f"round {number} of {plan.rounds}")
                for target, found in (await _round(plan, cores, host, load, folder)).items():
                    findings[target].append(found)
    return findings


async def _round(plan: Plan, cores: Cores, host: Child, load: Child, folder: Path) -> dict[str, Round]:
    async with AsyncExitStack() as stack:
        children = [await stack.enter_async_context(_start(target, host, folder, cores.target)) for target in TARGETS]
        await asyncio.sleep(plan.rest)
        rounds = [Round(child.started, memory_mb(child.pid), {}) for child in children]
        for mode in plan.modes:
            for target, child, found in zip(TARGETS, children, rounds, strict=True):
                job = Job(mode, target.door, child.port, child.pid, cores.target, cores.load)
                found.readings[mode.name] = await _carry_out(job, load, plan.repeats)
    return {target.name: found for target, found in zip(TARGETS, rounds, strict=True)}


def _start(target: Target, host: Child, folder: Path, core: int | None) -> Child:
    origin = f"http://127.0.0.1:{host.port}"
    if target.door == "relay":
        return Child(target.name, ["-m", "bench.baseline", origin], folder, core=core)
    return Server(
        target.name,
        folder,
        core=core,
        settings={
            "LLM__HOST": f"{origin}/v1",
            "LLM__MODEL": "scripted-model",
            "PARLANCE_DISCOVERY": "false",
            "PARLANCE_DATA": str(folder / target.name),
            # A socket's conversation would grow from answer to answer, and with it every request to the host.
            "PARLANCE_SERVER__WS__HISTORY": "none",
            "PARLANCE_LIMITS__PER_KEY__TURNS": "2000",
            "PARLANCE_SERVER__STOP_GRACE": "0.2",
        },
    )


async def _carry_out(job: Job, load: Child, repeats: int) -> Reading:
    line, seconds = msgspec.json.encode(job), 2 * job.mode.warm + job.mode.seconds + SLACK
    readings = [msgspec.json.decode(await load.ask(line, seconds), type=Reading)]
    while len(readings) <= repeats and not readings[-1].calm:
        readings.append(msgspec.json.decode(await load.ask(line, seconds), type=Reading))
    return min(readings, key=lambda reading: (reading.failures > 0, reading.disturbance))


def failures_of(findings: Findings) -> Sequence[str]:
    """What went wrong, a line for each target and mode."""
    return [
        f"{target}, {mode}: {reading.failures} failed; the first: {reading.failure}"
        for target, rounds in findings.items()
        for found in rounds
        for mode, reading in found.readings.items()
        if reading.failures
    ]
