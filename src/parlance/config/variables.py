"""`${VAR}` and `${VAR:-default}` in a file's values; the names come from the environment, then from `.env`."""

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

REFERENCE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")

Lookup = Callable[[str], str | None]


class Expanded(Struct, frozen=True):
    """`missing`: names without value and default. `filled`: some text came from a variable, so it may be a secret."""

    value: object
    missing: tuple[str, ...] = ()
    filled: bool = False


def expand(value: object, lookup: Lookup) -> Expanded:
    """Fill in the variables of a text or of each text in a list, once: what a variable holds is not expanded again.

    `$${NAME}` stays `${NAME}`. An empty variable counts as unset.
    """
    if isinstance(value, str):
        return expand_text(value, lookup)
    if isinstance(value, list):
        items = [expand(item, lookup) for item in value]
        missing = tuple(name for item in items for name in item.missing)
        return Expanded([item.value for item in items], missing, any(item.filled for item in items))
    if isinstance(value, Mapping):
        pairs = {key: expand(item, lookup) for key, item in value.items()}
        missing = tuple(name for item in pairs.values() for name in item.missing)
        filled = any(item.filled for item in pairs.values())
        return Expanded({key: item.value for key, item in pairs.items()}, missing, filled)
    return Expanded(value)


def expand_text(text: str, lookup: Lookup) -> Expanded:
    missing: list[str] = []
    filled = False

    def fill(match: re.Match[str]) -> str:
        nonlocal filled
        escape, name, default = match.groups()
        if escape:
            return match.group(0)[1:]
        value = lookup(name)
        if value:
            filled = True
            return value
        if default is None:
            missing.append(name)
        return default or ""

    return Expanded(REFERENCE.sub(fill, text), tuple(missing), filled)
