"""What the entrance found out about a request, for the doors behind it."""

from msgspec import Struct
from starlette.types import Scope

from parlance.core.principal import Caller

_PLACE = "parlance.visit"


class Visit(Struct):
    """`headers` belong on every answer: the request's id, and what a browser needs to let its page read it.

    `begun`: an answer has begun, so an error can't be told as one of its own any more.
    """

    caller: Caller
    request_id: str
    headers: tuple[tuple[bytes, bytes], ...]
    begun: bool = False


def put_visit(scope: Scope, visit: Visit) -> None:
    scope[_PLACE] = visit


def visit_of(scope: Scope) -> Visit:
    visit = scope[_PLACE]
    if not isinstance(visit, Visit):
        raise TypeError("No entrance stands before this door.")
    return visit
