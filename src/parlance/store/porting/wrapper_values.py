"""Values of an older service's columns as ours, whatever types its columns have."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from parlance.core.stores.chats import Names
from parlance.store.checks import storable

NAMES: Final = uuid.UUID("6b2c9d0e-3f6a-5d0b-9a57-1d3c1f6f3c11")
"""Where the ids come from of things whose own were no UUIDs: the same for the same thing, each time."""


def uuid_of(table: str, id: object) -> str:
    try:
        return str(uuid.UUID(str(id)))
    except ValueError:
        return str(uuid.uuid5(NAMES, f"{table}/{id}"))


def subtenant_of(id: object) -> str:
    """A subtenant may be called anything."""
    try:
        return str(uuid.UUID(str(id)))
    except ValueError:
        return str(id)


def text_of(value: object) -> str | None:
    match value:
        case None:
            return None
        case str():
            return storable(value)
        case _:
            return storable(json.dumps(value, ensure_ascii=False, default=str))


def json_of(value: object) -> object:
    """What stands in a column for JSON that is no text, in whatever type of column; a text that is none is itself."""
    if not isinstance(value, str):
        return value_of(value)
    try:
        return value_of(json.loads(value))
    except (ValueError, RecursionError):
        return storable(value)


def object_of(value: object) -> dict[str, object]:
    found = json_of(value)
    return found if isinstance(found, dict) else {}


def names_of(value: object) -> Names:
    found = json_of(value)
    return tuple(map(str, found)) if isinstance(found, list) else None


def moment_of(value: object, otherwise: datetime) -> datetime:
    """A time without a zone is UTC's."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return otherwise
    if not isinstance(value, datetime):
        return otherwise
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def count_of(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def value_of(value: object) -> object:
    """JSON that every database holds, from what may be none."""
    match value:
        case str():
            return storable(value)
        case list() | tuple():
            return [value_of(item) for item in value]
        case Mapping():
            return {storable(str(key)): value_of(item) for key, item in value.items()}
        case float() if value != value or value in (float("inf"), float("-inf")):
            return None
        case _:
            return value
