"""`script/bench [--quick] [--write]`: measures, prints, and with `--write` puts the tables into docs/performance.md."""

import argparse
import asyncio
import os
import signal
import sys

from bench import page, stages
from bench.processes import BenchFailed, choose_cores
from bench.report import encode_report
from bench.rounds import FULL, QUICK, Findings, Plan, failures_of, run

LONGEST = 1800.0
"""Seconds after which the whole run is given up."""


def main() -> int:
    arguments = _arguments()
    plan = QUICK if arguments.quick else FULL
    try:
        findings = asyncio.run(_bounded(plan))
    except (BenchFailed, TimeoutError) as error:
        print(f"bench: {str(error) or f'not done within {LONGEST:g} s'}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    machine = f"{page.describe_machine()} {_rounds(plan)}"
    tables = {
        "targets": f"{machine}\n\n{encode_report(plan, findings)}",
        "stages": f"{stages.encode_stages(stages.measure())}\n{stages.encode_languages(stages.measure_languages())}",
    }
    print(*tables.values(), sep="\n")
    failures = failures_of(findings)
    if failures:
        print("\n".join(failures), file=sys.stderr)
        return 1
    if arguments.write:
        page.write(tables)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="script/bench", description="Measure Parlance beside a byte relay.")
    parser.add_argument("--quick", action="store_true", help="one short round: for a first look, not for comparing")
    parser.add_argument("--write", action="store_true", help="renew the tables of docs/performance.md")
    return parser.parse_args()


async def _bounded(plan: Plan) -> Findings:
    """The run, which SIGTERM ends as Ctrl-C does: with all that it started."""
    task = asyncio.current_task()
    if task is not None and sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    cores = choose_cores()
    if cores.target is not None:
        os.sched_setaffinity(0, os.sched_getaffinity(0) - {cores.target})
    else:
        _tell("no cores to pin to: the figures are noisier")
    async with asyncio.timeout(LONGEST):
        return await run(plan, cores, _tell)


def _tell(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _rounds(plan: Plan) -> str:
    return "One round." if plan.rounds == 1 else f"Medians of {plan.rounds} interleaved rounds."


if __name__ == "__main__":
    sys.exit(main())
