"""Pins: every requirement is an exact version with hashes, no address, and fits what pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path
from typing import cast

from tests.architecture.rules.source import Finding

PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)")
ASKED = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?P<bounds>[^;]*)")
ADDRESS = re.compile(r"https?:|file:|^-|^\s+--(?!hash=sha256:[0-9a-f]{64}\b)")


def find(tree: Path) -> list[Finding]:
    """Requirements without hashes or with addresses; dependencies that are not pinned, or not to a fitting version."""
    project = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    runtime, dev = tree / "requirements/runtime.txt", tree / "requirements/dev.txt"
    asked = cast(list[str], project["project"]["dependencies"])
    groups = cast(dict[str, list[object]], project["dependency-groups"])
    build = [item for item in groups["build"] if isinstance(item, str)]
    development = [item for group in groups.values() for item in group if isinstance(item, str)]
    return [
        *bad_lines(runtime),
        *bad_lines(dev),
        *unpinned(runtime, asked + build),
        *unpinned(dev, asked + development),
        *apart(runtime, dev),
        *build_twice(project["build-system"]["requires"], build),
    ]


def bad_lines(file: Path) -> list[Finding]:
    """Lines that carry an address, and requirements without hashes."""
    name = f"requirements/{file.name}"
    lines = file.read_text(encoding="utf-8").splitlines()
    findings = [
        Finding(name, n, f"an address or an option: {line}") for n, line in enumerate(lines, 1) if ADDRESS.search(line)
    ]
    for number, line in enumerate(lines, 1):
        following = lines[number] if number < len(lines) else ""
        if line[:1].isalnum() and not (PINNED.match(line) and following.lstrip().startswith("--hash=sha256:")):
            findings.append(Finding(name, number, f"not an exact version with a hash: {line}"))
    return findings


def unpinned(file: Path, asked: list[str]) -> list[Finding]:
    """Dependencies that a file of pins leaves out or pins outside their bounds."""
    pins = read_pins(file)
    findings = []
    for requirement in asked:
        match = ASKED.match(requirement)
        name = normal(match["name"]) if match else requirement
        pinned = pins.get(name)
        if pinned is None:
            findings.append(Finding(f"requirements/{file.name}", 1, f"{name} is not pinned: run script/pin"))
        elif match and not within(pinned, match["bounds"]):
            findings.append(
                Finding(
                    f"requirements/{file.name}", 1, f"{name} {pinned} does not fit {match['bounds']}: run script/pin"
                )
            )
    return findings


def apart(runtime: Path, dev: Path) -> list[Finding]:
    """Packages that development pins to another version than running does."""
    wanted, found = read_pins(runtime), read_pins(dev)
    return [
        Finding(
            "requirements/dev.txt", 1, f"{name} is {found.get(name)} here and {version} in runtime.txt: run script/pin"
        )
        for name, version in wanted.items()
        if found.get(name) != version
    ]


def build_twice(required: list[str], group: list[str]) -> list[Finding]:
    """The build backend is asked for in two places, which must agree."""
    same = sorted(required) == sorted(group)
    return [] if same else [Finding("pyproject.toml", 1, "build-system.requires and the group `build` differ")]


def read_pins(file: Path) -> dict[str, str]:
    """Package names and their pinned versions."""
    matches = (PINNED.match(line) for line in file.read_text(encoding="utf-8").splitlines())
    return {normal(match["name"]): match["version"] for match in matches if match}


def within(version: str, bounds: str) -> bool:
    """Whether a version is inside bounds of the forms `>=a` and `<b`, joined by commas."""
    for bound in filter(None, (part.strip() for part in bounds.split(","))):
        limit = numbers(bound.lstrip("<>="))
        if bound.startswith(">=") and numbers(version) < limit:
            return False
        if bound.startswith("<") and numbers(version) >= limit:
            return False
    return True


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, without trailing zeros."""
    parts = [int(part) for part in re.findall(r"\d+", version)]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def normal(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
