"""import-linter, ruff and mypy, run as the gate runs them, each shown to fail on one thing broken."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent


def run(tool: str, *arguments: str, folder: Path, text: str | None = None) -> tuple[int, str]:
    """Run a tool of the environment in `folder`; its status and all that it printed."""
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "NO_COLOR": "1"}
    command = [str(TOOLS / tool), *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, input=text, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms of the package, empty, under the real contracts."""
    tree = tmp_path_factory.mktemp("skeleton")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for file in (ROOT / "src/parlance").rglob("__init__.py"):
        copy = tree / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.touch()
    (tree / "src/parlance/__main__.py").touch()
    return tree


BAD_IMPORTS = [
    ("layers", "core/a.py", "import parlance.engine"),
    ("layers", "dialects/a.py", "import parlance.net"),
    ("layers", "engine/a.py", "import parlance.tools"),
    ("layers", "config/a.py", "import parlance.doors"),
    ("layers", "attic/__init__.py", ""),
    ("app", "testing/a.py", "import parlance.app"),
    ("doors", "doors/a.py", "import parlance.journal"),
    ("inner", "engine/a.py", "import parlance.dialects"),
    ("inner", "routing/a.py", "import parlance.net"),
    ("inner", "config/a.py", "import parlance.providers"),
    ("languages", "dialects/one/a.py", "import parlance.dialects.two.b"),
    ("languages", "dialects/shared.py", "import parlance.dialects.two.b"),
    ("cycles", "core/a.py", "import parlance.core.b"),
    ("http_client", "engine/a.py", "import aiohttp"),
    ("database", "engine/a.py", "import sqlalchemy.orm"),
    ("mcp_sdk", "tools/a.py", "from mcp import client"),
    ("settings_library", "core/a.py", "import pydantic"),
]


def plant(tree: Path, path: str, text: str) -> None:
    """Add one module, and what it needs to be found."""
    file = tree / "src/parlance" / path
    file.parent.mkdir(exist_ok=True)
    if not (file.parent / "__init__.py").exists():
        (file.parent / "__init__.py").touch()
    file.write_text(text)


@pytest.mark.parametrize(("contract", "path", "text"), BAD_IMPORTS)
def test_a_contract_fails_on_one_bad_import(
    contract: str, path: str, text: str, skeleton: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(skeleton, tree)
    plant(tree, "dialects/two/b.py", "")
    plant(tree, "core/b.py", "import parlance.core.a" if contract == "cycles" else "")
    plant(tree, path, text)
    status, output = run("lint-imports", "--no-cache", "--no-logo", "--contract", contract, folder=tree)
    assert status == 1, output
    assert "1 broken" in output


def test_the_rooms_alone_break_no_contract(skeleton: Path) -> None:
    status, output = run("lint-imports", "--no-cache", "--no-logo", folder=skeleton)
    assert status == 0, output


GOOD_HEAD = '"""A module."""\n\n'


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("D100", "x = 1\n"),
        ("F401", GOOD_HEAD + "import os\n"),
        ("I001", GOOD_HEAD + "import sys\nimport os\n\nprint(os, sys)\n"),
        ("PLR0913", GOOD_HEAD + "def f(a: int, b: int, c: int, d: int, e: int, f: int, g: int) -> None: ...\n"),
        ("TID251", GOOD_HEAD + "from unittest.mock import patch\n\nprint(patch)\n"),
        ("TID252", GOOD_HEAD + "from .turn import run_turn\n\nprint(run_turn)\n"),
        ("T201", GOOD_HEAD + 'print("hello")\n'),
        ("ASYNC251", GOOD_HEAD + "import time\n\n\nasync def f() -> None:\n    time.sleep(1)\n"),
        ("S102", GOOD_HEAD + 'exec("x = 1")\n'),
        ("E501", GOOD_HEAD + f'x = "{"x" * 120}"\n'),
    ],
)
def test_ruff_fails_on_one_bad_file(code: str, text: str) -> None:
    arguments = ("check", "--no-cache", "--stdin-filename", "src/parlance/engine/bad.py", "-")
    status, output = run("ruff", *arguments, folder=ROOT, text=text)
    assert status == 1
    assert code in output


def test_ruff_fails_on_a_bad_format() -> None:
    arguments = ("format", "--check", "--no-cache", "--stdin-filename", "src/parlance/engine/bad.py", "-")
    assert run("ruff", *arguments, folder=ROOT, text="x = {  'a':1 }\n")[0] == 1


BADLY_TYPED = """
from typing import Literal

def untyped(x): return x
def unreachable(x: int) -> int:
    if isinstance(x, str):
        return 1
    return x
def bare(x: list) -> None: ...
def partial(x: Literal["a", "b"]) -> int:
    match x:
        case "a":
            y = 1
    return y
silent = "x" + 1  # type: ignore
"""


def test_mypy_fails_on_one_bad_file(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(BADLY_TYPED)
    config = ("--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path / "cache"))
    status, output = run("mypy", *config, "bad.py", folder=tmp_path)
    assert status == 1
    expected = (
        "no-untyped-def",
        "unreachable",
        "type-arg",
        "exhaustive-match",
        "possibly-undefined",
        "ignore-without-code",
    )
    assert [code for code in expected if f"[{code}]" not in output] == []
