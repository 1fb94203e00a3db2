"""The measured tables of docs/performance.md: each stands between two marks, and `script/bench --write` renews them."""

import os
import platform
import re
from pathlib import Path

from bench.processes import ROOT

PAGE = ROOT / "docs/performance.md"


def renew(text: str, name: str, measured: str) -> str:
    """The page's text with another table of that name. ValueError when it has no place for it."""
    marked = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    renewed, places = marked.subn(lambda mark: f"{mark[1]}\n{measured.rstrip()}\n\n{mark[2]}", text)
    if places != 1:
        raise ValueError(f"{PAGE.name} has {places} places for the table {name!r}; it needs one.")
    return renewed


def write(tables: dict[str, str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, measured in tables.items():
        text = renew(text, name, measured)
    PAGE.write_text(text, encoding="utf-8")


def describe_machine() -> str:
    """In general terms: what a reader needs to compare, and nothing that names this machine."""
    cores = os.cpu_count() or 1
    return (
        f"{_processor()}, {cores} {'core' if cores == 1 else 'cores'}, {platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}."
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()
