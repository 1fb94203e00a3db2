"""`python -m bench.stored [--quick] [--postgres URL] [--write]`: measures what it costs to keep chats, and prints it.

The clients are in this process, on another core than the server that is measured.
"""

import argparse
import sys

from bench import page
from bench.beginning import carry_out, tell
from bench.stored.findings import FULL, QUICK
from bench.stored.run import run
from bench.stored.table import encode_findings


def main() -> int:
    given = _arguments()
    amount = QUICK if given.quick else FULL
    findings = carry_out(lambda cores: run(amount, cores, given.postgres, tell))
    if isinstance(findings, int):
        return findings
    rounds = "One round." if amount.rounds == 1 else f"Medians of {amount.rounds} interleaved rounds."
    table = f"{page.describe_machine()} {rounds}\n\n{encode_findings(findings, amount)}"
    print(table)
    if given.write:
        page.write({"stored": table})
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.stored", description="Measure what it costs to keep chats.")
    parser.add_argument("--quick", action="store_true", help="one short round: for a first look, not for comparing")
    parser.add_argument(
        "--postgres", metavar="URL", help="a database of PostgreSQL's; its user may create others, which are dropped"
    )
    parser.add_argument("--write", action="store_true", help="renew the table of docs/performance.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
