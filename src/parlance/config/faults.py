"""Says in plain words what is wrong with a value: where it came from, what was found, what to write instead."""

import re
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from parlance.config.entries import Entry, Merged
from parlance.config.errors import Findings
from parlance.config.schema import KeyPath, default_at, is_group, is_secret

LONGEST_SHOWN = 60
LOGIN = re.compile(r"//.*@", re.DOTALL)

WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "path_type": "must be a path",
    "literal_error": "must be one of {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} item",
    "tuple_type": "must be a list, such as `[a, b]`",
    "mapping_type": "must be a group of keys, not a single value",
    "model_type": "must be a group of keys, not a single value",
    "model_attributes_type": "must be a group of keys, not a single value",
    "value_error": "{error}",
}


def tell_faults(error: ValidationError, merged: Merged, findings: Findings) -> None:
    for detail in error.errors(include_url=False, include_input=False):
        path = tuple(str(name) for name in detail["loc"] if name != "[key]")
        entry = merged.nearest(path)
        if entry is not None and entry.missing:
            continue
        findings.fault(place_of_fault(path, entry), describe_fault(detail, path, entry))


def place_of_fault(path: KeyPath, entry: Entry | None) -> str:
    """The source and its key; and our own name for it where the source calls it otherwise."""
    dotted = ".".join(path) or "settings"
    if entry is None:
        return dotted
    source = str(entry.source)
    return source if source.endswith(dotted) else f"{source} ({dotted})"


def describe_fault(detail: ErrorDetails, path: KeyPath, entry: Entry | None) -> str:
    template = WORDS.get(detail["type"], detail["msg"].replace("Input should", "must").lower())
    text = template.format_map({key: str(value) for key, value in detail.get("ctx", {}).items()})
    exact = entry is not None and entry.path == path[: len(entry.path)] and detail["type"] != "missing"
    found = show_found(entry) if exact and entry is not None else ""
    default = default_at(path) if path else None
    example = f"; write it as {default}, for example" if default and isinstance(default, str | int | float) else ""
    return f"{found}{text}{'' if isinstance(default, bool) else example}"


def show_found(entry: Entry) -> str:
    """What was given, for the message; nothing of a secret, of what may be one, or of what a variable held."""
    if entry.hidden or is_secret(entry.path) or is_group(entry.path) or not isinstance(entry.value, str):
        return ""
    shown = LOGIN.sub("//***@", entry.value)
    return f"{shown[:LONGEST_SHOWN]!r} was found; it "
