"""What each generation of models takes: all answer in this language, and refuse what is not theirs.

Sources: the official client's types and its list of deprecated models; the vendor's pages on thinking, on system
messages within a conversation and on moving from one model to the next. A newer model than those known counts as the
newest of its line; a name that is not of this vendor's, as a host that took over the language alone.
"""

import re
from typing import Final, Literal

from msgspec import Struct

from parlance.core.requests import Effort

_NAME: Final = re.compile(
    r"claude-(?:(?P<line>opus|sonnet|haiku|fable|mythos)-?)?(?P<major>\d{1,2})?(?:[-.](?P<minor>\d{1,2}))?(?!\d)"
    r"(?:-(?P<old_line>opus|sonnet|haiku))?"
)
_HIGH: Final[tuple[Effort, ...]] = ("low", "medium", "high")
_ALL: Final[tuple[Effort, ...]] = (*_HIGH, "xhigh", "max")
_NEWEST: Final = (99, 0)


class Abilities(Struct, frozen=True, kw_only=True):
    """`longest`: tokens of the longest answer, None where nobody says. `budget`, `adaptive`: the ways to ask for
    thought. `unasked`: it thinks unless told otherwise, `quiet` is how to tell it (None: it always thinks). `forced`:
    when it can be made to call a tool. `bound`: its thoughts count only behind the history they were made in.
    """

    longest: int | None = None
    budget: bool = True
    adaptive: bool = False
    efforts: tuple[Effort, ...] = ()
    unasked: bool = False
    quiet: Literal["disabled", "between_tools"] | None = "disabled"
    sampling: Literal["any", "one", "none"] = "any"
    forced: Literal["always", "without_thinking", "never"] = "without_thinking"
    system_anywhere: bool = False
    prefill: bool = True
    structured: bool = False
    bound: bool = False


def kind_of(model: str) -> tuple[str, tuple[int, int]] | None:
    """The line and the version in a model's name, whatever stands around them; None for what is not of this vendor."""
    found = _NAME.search(model.lower())
    if found is None:
        return None
    version = (int(found["major"]), int(found["minor"] or 0)) if found["major"] else _NEWEST
    return found["line"] or found["old_line"] or "", version


def abilities_of(model: str) -> Abilities:
    kind = kind_of(model)
    if kind is None:
        return Abilities()
    line, version = kind
    if version < (4, 5):
        return _before_4_5(line, version)
    return _before_4_7(line, version) if version < (4, 7) else _since_4_7(line, version)


def _before_4_5(line: str, version: tuple[int, int]) -> Abilities:
    if version < (3, 7):
        return Abilities(longest=8_192 if version >= (3, 5) else 4_096, budget=False)
    known = Abilities(longest=32_000 if line == "opus" else 64_000)
    if line == "opus" and version == (4, 1):
        return Abilities(longest=known.longest, sampling="one", structured=True)
    return known


def _before_4_7(line: str, version: tuple[int, int]) -> Abilities:
    if version >= (4, 6):
        efforts: tuple[Effort, ...] = (*_HIGH, "max")
        return Abilities(
            longest=128_000, adaptive=True, efforts=efforts, sampling="one", prefill=False, structured=True
        )
    return Abilities(longest=64_000, efforts=_HIGH if line == "opus" else (), sampling="one", structured=True)


def _since_4_7(line: str, version: tuple[int, int]) -> Abilities:
    always = line in ("fable", "mythos") or (line == "opus" and version > (5, 0))
    between = line == "sonnet" and version > (5, 0)
    choice: Literal["always", "without_thinking", "never"] = "without_thinking" if version < (4, 8) else "always"
    return Abilities(
        longest=128_000,
        budget=False,
        adaptive=True,
        efforts=_ALL,
        unasked=always or version >= (5, 0),
        quiet=None if always else ("between_tools" if between else "disabled"),
        sampling="none",
        forced="never" if always or between else choice,
        system_anywhere=version >= (4, 8) and (line, version) != ("sonnet", (5, 0)),
        prefill=False,
        structured=True,
        bound=version > (5, 0),
    )
