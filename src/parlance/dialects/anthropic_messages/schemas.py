"""JSON Schemas as this language takes them where it holds strictly to them: every object closed."""

import msgspec
from msgspec import Raw


def close_schema(schema: Raw) -> Raw:
    """The schema with `additionalProperties` false wherever an object does not say; the same bytes if none."""
    try:
        decoded = msgspec.json.decode(schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return schema
    return Raw(msgspec.json.encode(decoded)) if _close(decoded) else schema


def _close(schema: object) -> bool:
    changed = False
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
            changed = True
        for inner in schema.values():
            changed = _close(inner) or changed
    elif isinstance(schema, list):
        for inner in schema:
            changed = _close(inner) or changed
    return changed
