"""The tree as rows for people: every value, secrets masked, with its source."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from msgspec import Struct
from pydantic import SecretStr

from parlance.config.load import Loaded
from parlance.config.schema import KeyPath
from parlance.config.sections.fields import Section

MASK = "********"


class Row(Struct, frozen=True):
    path: str
    value: str
    source: str


def describe(loaded: Loaded) -> tuple[Row, ...]:
    """A row for each value of the tree, in the tree's order. A value that nobody set and that has no default: none."""
    return tuple(
        Row(".".join(path), show(value), str(loaded.source_of(path)))
        for path, value in walk(loaded.settings, ())
        if value is not None
    )


def secrets_of(settings: Section) -> list[str]:
    """Every secret of the tree: what no log may ever show."""
    return [value.get_secret_value() for _, value in walk(settings, ()) if isinstance(value, SecretStr)]


def walk(value: object, above: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, Section):
        for name in type(value).model_fields:
            yield from walk(getattr(value, name), (*above, name))
    elif isinstance(value, Mapping):
        for name, below in value.items():
            yield from walk(below, (*above, str(name)))
    else:
        yield above, value


def show(value: object) -> str:
    if isinstance(value, SecretStr):
        return mask(value.get_secret_value())
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def mask(secret: str) -> str:
    """Of an address its server and path may be seen, as they say which database it is; of anything else nothing."""
    scheme, separator, rest = secret.partition("://")
    if not separator:
        return MASK
    try:
        parts = urlsplit(f"{scheme}://{rest.rpartition('@')[2]}")
        server = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        return MASK
    return f"{parts.scheme}://{MASK}@{server}{parts.path}" if "@" in rest else f"{parts.scheme}://{server}{parts.path}"
