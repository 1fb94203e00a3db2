"""The built-in tool that tells the time."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta

from parlance.core.errors import ToolFailed
from parlance.tools.from_function import FunctionTool, function_tool

DEFAULT_FORMAT = "%Y-%m-%d %H:%M:%S"
LONGEST_FORMAT = 200

# Those that Python documents and that mean the same everywhere. No widths: `%999999999d` would fill the memory.
_DIRECTIVE = re.compile(r"%(-?[dmHIMSjyUWV]|[aAwbBYpfzZcxXGuDFTRhent%])")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")


def local_now() -> datetime:
    """The time in the server's own zone."""
    return datetime.now(UTC).astimezone()


def make_get_current_time(clock: Callable[[], datetime] = local_now) -> FunctionTool:
    """`clock` gives the time with a zone."""

    @function_tool
    def get_current_time(
        format: Annotated[str, Meta(description="strftime directives, such as %A or %H:%M")] = DEFAULT_FORMAT,
        timezone: Annotated[
            str | None, Meta(description="IANA name, such as Europe/Berlin; the server's own zone if left out")
        ] = None,
    ) -> str:
        """The current date and time."""
        return format_time(clock(), format or DEFAULT_FORMAT, timezone)

    return get_current_time


get_current_time = make_get_current_time()


def format_time(now: datetime, form: str, timezone: str | None = None) -> str:
    """`ToolFailed` says what is wrong with the format or the zone."""
    _check_format(form)
    return (now.astimezone(_find_zone(timezone)) if timezone else now).strftime(form)


def _check_format(form: str) -> None:
    if len(form) > LONGEST_FORMAT:
        raise ToolFailed(f"The format has {len(form)} characters; {LONGEST_FORMAT} are the most.")
    if _UNPRINTABLE.search(form):
        raise ToolFailed("The format holds characters that can't be printed; leave them out.")
    rest = _DIRECTIVE.sub("", form)
    if "%" in rest:
        unknown = rest[rest.index("%") :][:2]
        raise ToolFailed(f"The format holds {unknown!r}, which is no strftime directive. A percent sign itself is %%.")
    if rest == form:
        raise ToolFailed(f"The format {form!r} holds no strftime directive. Write it like {DEFAULT_FORMAT!r}.")


def _find_zone(name: str) -> ZoneInfo:
    try:
        if len(name) <= 64 and _ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        pass  # All three stand for an unknown name: OSError where a folder of the zone data bears it.
    raise ToolFailed(f"There is no time zone {name[:80]!r}. Use an IANA name, such as Europe/Berlin or UTC.")
