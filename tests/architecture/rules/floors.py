"""The contracts of import-linter forget no room: a room that is added must be placed in each of them."""

import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.architecture.rules.source import Finding


class Floor(NamedTuple):
    """A contract's list of rooms: all but those that are named here must be in it."""

    contract: str
    field: str
    left_out: frozenset[str]


FLOORS = (
    Floor("doors", "forbidden_modules", frozenset({"core", "dialects", "doors", "engine"})),
    # The four are strangers to each other by the layers.
    Floor("inner", "forbidden_modules", frozenset({"config", "core", "engine", "journal", "routing"})),
    Floor("http_client", "source_modules", frozenset({"net", "providers", "testing"})),
    Floor("database", "source_modules", frozenset({"store"})),
    Floor("mcp_sdk", "source_modules", frozenset()),
    Floor("settings_library", "source_modules", frozenset({"config"})),
)


def find(tree: Path) -> list[Finding]:
    """Rooms that a contract leaves out."""
    config = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {contract["id"]: contract for contract in config["tool"]["importlinter"]["contracts"]}
    rooms = {file.parent.name for file in (tree / "src/parlance").glob("*/__init__.py")}
    return [
        Finding("pyproject.toml", 1, f"contract `{floor.contract}`: add parlance.{room} to {floor.field}")
        for floor in FLOORS
        for room in sorted(rooms - floor.left_out)
        if f"parlance.{room}" not in contracts[floor.contract][floor.field]
    ]
