"""Exceptions as text for the log: where it happened and of which class, without local variables."""

import sys
import traceback
from collections.abc import Iterator

from parlance.telemetry.redaction import cut

MOST_FRAMES = 30
LONGEST_LINE = 300

# What the interpreter writes there names types, attributes and files; the text of other errors may quote a user.
_OWN_TEXTS = (
    TypeError,
    AttributeError,
    NameError,
    ImportError,
    IndexError,
    NotImplementedError,
    RecursionError,
    OSError,
)


def find_error(exc_info: object) -> BaseException | None:
    """The exception that `exc_info` means, in any of the forms that logging takes."""
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case None | False | 0 | ():
            return None
        case _:
            return sys.exc_info()[1]


def render_error(error: BaseException, *, texts: bool = False) -> str:
    """The traceback, causes first. `texts`: with what each exception says, whoever wrote it."""
    return "\n".join(_lines(error, texts, seen=set()))


def _lines(error: BaseException, texts: bool, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _lines(before, texts, seen)
        yield "which led to:"
    for frame in traceback.extract_tb(error.__traceback__, limit=-MOST_FRAMES):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
        if frame.line:
            yield f"    {cut(frame.line, LONGEST_LINE)}"
    yield _headline(error, texts)
    if isinstance(error, BaseExceptionGroup):
        for number, member in enumerate(error.exceptions, 1):
            yield f"of these, {number}:"
            yield from (f"  {line}" for line in _lines(member, texts, seen))


def _headline(error: BaseException, texts: bool) -> str:
    code = getattr(error, "code", None)
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    name += f" ({code})" if isinstance(code, str) else ""
    text = _text(error) if texts or type(error) in _OWN_TEXTS or isinstance(error, OSError) else ""
    return f"{name}: {cut(text, LONGEST_LINE)}" if text else name


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text can't be made)"
