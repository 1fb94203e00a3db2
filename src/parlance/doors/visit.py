"""What the entrance found out about a request, for the doors behind it."""

from collections.abc import Callable

from msgspec import Struct
from starlette.types import Scope

from parlance.core.principal import Caller

_PLACE = "parlance.visit"

ABORT = "parlance.abort"
"""Where the server leaves what drops the connection, in the scope."""


class Visit(Struct):
    """`headers` belong on every answer: the request's id, and what a browser needs to let its page read it.

    `begun`: an answer has begun, so an error can't be told as one of its own any more. `abort` drops the connection,
    with what is still to be sent; None where the server can't.
    """

    caller: Caller
    request_id: str
    headers: tuple[tuple[bytes, bytes], ...]
    begun: bool = False
    abort: Callable[[], None] | None = None


def put_visit(scope: Scope, visit: Visit) -> None:
    scope[_PLACE] = visit


def visit_of(scope: Scope) -> Visit:
    visit = scope[_PLACE]
    if not isinstance(visit, Visit):
        raise TypeError("No entrance stands before this door.")
    return visit
