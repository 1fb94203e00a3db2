"""The scripts that a newcomer meets first: they can be run, and say clearly what is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("script", ["script/server", "script/test", "script/bench", "script/pin", ".ci/run"])
def test_a_script_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A tree with nothing installed, and a folder `bin` in which the only Python is too old."""
    for name in ("script", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "bin").mkdir()
    old_python = tmp_path / "bin/python3"
    old_python.write_text("#!/bin/sh\necho 3.9 0\n")
    old_python.chmod(0o755)
    for tool in ("cat", "cksum", "dirname"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


@pytest.mark.parametrize("script", ["server", "test", "bench"])
def test_a_python_that_is_too_old_is_named(script: str, clone: Path) -> None:
    environment = {"PATH": str(clone / "bin")}
    command = ["/bin/sh", str(clone / "script" / script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "needs Python 3.11 or newer. Found: python3 is 3.9" in done.stderr
    assert not (clone / ".venv").exists()


def test_hooks_run_the_tools_of_the_tree_and_no_others() -> None:
    repositories = [
        line.split("repo:")[1].strip()
        for line in (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8").splitlines()
        if "repo:" in line
    ]
    assert repositories == ["local"]
