"""`script/bench [--quick] [--write]`: measures, prints, and with `--write` puts the tables into docs/performance.md."""

import argparse
import sys

from bench import page, stages
from bench.beginning import carry_out, tell
from bench.report import encode_report
from bench.rounds import FULL, QUICK, Plan, failures_of, run


def main() -> int:
    arguments = _arguments()
    plan = QUICK if arguments.quick else FULL
    findings = carry_out(lambda cores: run(plan, cores, tell))
    if isinstance(findings, int):
        return findings
    machine = f"{page.describe_machine()} {_rounds(plan)}"
    tables = {
        "targets": f"{machine}\n\n{encode_report(plan, findings)}",
        "stages": stages.encode_stages(stages.measure()),
        "languages": stages.encode_languages(stages.measure_languages()),
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


def _rounds(plan: Plan) -> str:
    return "One round." if plan.rounds == 1 else f"Medians of {plan.rounds} interleaved rounds."


if __name__ == "__main__":
    sys.exit(main())
