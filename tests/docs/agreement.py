"""Whether what a page shows is what came. Ids, cursors and times differ from run to run: what stands for what is kept,
so that a page may go on with the ids that it has shown.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

IDS = frozenset({"turn_id", "chat_id", "request_id", "id", "tool_call_id", "call_id", "session_id", "task_id"})
TIMES = frozenset({"expires_at"})
ANY = "..."
"""A line that stands for any number of others."""


class Mismatch(AssertionError):
    """What came is not what the page shows."""


class Names(dict[str, str]):
    """Ids as the page shows them → as they are in this run."""

    def put_into(self, text: str) -> str:
        for shown, real in self.items():
            text = text.replace(shown, real)
        return text


def match_json(shown: object, came: object, names: Mapping[str, str], key: str = "") -> dict[str, str]:
    """The names that make the two equal, with those that are known already. `Mismatch`."""
    match shown, came:
        case dict(), dict():
            if shown.keys() != came.keys():
                raise Mismatch(f"{key or '$'}: shown {sorted(shown)}, came {sorted(came)}")
            found: dict[str, str] = {}
            for name, value in shown.items():
                found |= match_json(value, came[name], {**names, **found}, name)
            return found
        case list(), list() if len(shown) == len(came):
            found = {}
            for one, other in zip(shown, came, strict=True):
                found |= match_json(one, other, {**names, **found}, key)
            return found
        case str(), str():
            return match_text(shown, came, names, key)
        case _:
            if shown != came or type(shown) is not type(came):
                raise Mismatch(f"{key}: shown {shown!r}, came {came!r}")
            return {}


def match_text(shown: str, came: str, names: Mapping[str, str], key: str) -> dict[str, str]:
    if key in TIMES or shown == came:
        return {}
    if shown.startswith("{") and came.startswith("{"):
        return match_json(json.loads(shown), json.loads(came), names)
    if key == "cursor":
        shown, _, number = shown.rpartition("-")
        came, _, came_number = came.rpartition("-")
        if number != came_number:
            raise Mismatch(f"cursor: shown {number}, came {came_number}")
    elif key not in IDS:
        shown = Names(names).put_into(shown)
        if shown == came:
            return {}
        raise Mismatch(f"{key}: shown {shown!r}, came {came!r}")
    if names.get(shown, came) != came:
        raise Mismatch(f"{key}: {shown!r} stands for {names[shown]!r}, and {came!r} came")
    return {shown: came}


def match_lines(shown: Sequence[str], came: Sequence[str], names: Names) -> None:
    """Line by line; JSON where the page shows JSON. Adds to `names`."""
    rest = iter(came)
    skipping = False
    for line in shown:
        if line.strip() == ANY:
            skipping = True
            continue
        names |= find_line(line, rest, names, skipping=skipping)
        skipping = False
    if not skipping and (left := list(rest)):
        raise Mismatch(f"came besides: {left}")


def find_line(shown: str, came: Iterator[str], names: Names, *, skipping: bool) -> dict[str, str]:
    """The names that make the next line agree, or, when skipping, the first line that does."""
    reason = "nothing more came"
    for line in came:
        try:
            return match_line(shown, line, names)
        except Mismatch as mismatch:
            reason = str(mismatch)
            if not skipping:
                break
    raise Mismatch(f"{shown}\n{reason}")


def match_line(shown: str, came: str, names: Names) -> dict[str, str]:
    if not shown.startswith(("{", "[")):
        if names.put_into(shown).split() != came.split():
            raise Mismatch(f"shown {names.put_into(shown)!r}, came {came!r}")
        return {}
    if not came.startswith(("{", "[")):
        raise Mismatch(f"{came!r} is no JSON")
    return match_json(json.loads(shown), json.loads(came), names)
