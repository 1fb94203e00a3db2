"""What a start loads: nothing heavy that only some settings need."""

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3] / "src"
HEAVY = ("aiohttp", "alembic", "asyncpg", "genai_prices", "langchain_core", "rich")

LOOK = f"""
import gc, sys
from parlance.cli.main import main
main.get_command(None, "serve")
assert gc.isenabled()
print(*(name for name in {HEAVY!r} if name in sys.modules))
import rich.console
"""


def test_a_start_loads_no_library_that_only_some_settings_need() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOOK],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert loaded.stdout.split() == []
