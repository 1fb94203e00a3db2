"""What settings are read from, as a value: nothing in this room looks at the real environment by itself."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from parlance.config.entries import Source
from parlance.config.legacy import KEY_VARIABLES, KNOWN_HOSTS


class Surroundings(Struct, frozen=True):
    """`arguments`: dotted paths and texts, the strongest source. `config`: Parlance's own file, where one was named.
    `key_variables` says to which rows of the catalogue each key's variable belongs: several where one host has several
    APIs, the one that is meant by the variable alone first. `hosts`: the ids of all rows."""

    environ: Mapping[str, str]
    folder: Path
    arguments: Mapping[str, str] = field(default_factory=dict)
    config: Path | None = None
    key_variables: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: KEY_VARIABLES)
    hosts: frozenset[str] = KNOWN_HOSTS

    def __repr__(self) -> str:
        return f"Surroundings(folder={self.folder})"


def real_surroundings(
    arguments: Mapping[str, str],
    *,
    config: Path | None = None,
    key_variables: Mapping[str, tuple[str, ...]] = KEY_VARIABLES,
    hosts: frozenset[str] = KNOWN_HOSTS,
) -> Surroundings:
    """This process's environment, as it is now, and its working folder."""
    return Surroundings(dict(os.environ), Path.cwd(), arguments, config, key_variables, hosts)


class Variable(Struct, frozen=True):
    value: str
    source: Source

    def __repr__(self) -> str:
        return f"Variable({self.source})"


class Variables:
    """Environment over `.env`; an empty value counts as unset."""

    def __init__(self, environ: Mapping[str, str], dotenv: Mapping[str, str]) -> None:
        self.environ = set_values(environ)
        self.dotenv = set_values(dotenv)

    def get(self, name: str) -> Variable | None:
        if value := self.environ.get(name):
            return Variable(value, Source("environment", name))
        if value := self.dotenv.get(name):
            return Variable(value, Source("dotenv", name, ".env"))
        return None

    def text(self, name: str) -> str | None:
        found = self.get(name)
        return found.value if found else None


def set_values(values: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, value in values.items() if (text := value.strip())}
