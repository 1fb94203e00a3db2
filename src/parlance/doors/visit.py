"""What the entrance found out about a request, for the doors behind it."""

from collections.abc import Callable

from msgspec import Struct
from starlette.types import Scope

from parlance.core.principal import Caller
from parlance.doors.limits import Held

_PLACE = "parlance.visit"

SERVED = "parlance.served"
"""Where the server leaves what is to be called when a request has had all of its answer that it will get."""

WRITE = "parlance.write"
"""Where the server leaves a plain function that says a piece of an answer at once; False where it can't just now."""

SAY = "parlance.say"
"""Where the server leaves, in a socket's scope, how to say a frame at once: a `SayAtOnce`."""

INTAKE = "parlance.intake"
"""Where the server leaves, in a socket's scope, what it holds of messages that are not whole yet."""


class SayAtOnce(Struct, frozen=True):
    """`ready`: nothing has to wait for room, and the socket is open. Only then may `say` be called."""

    ready: Callable[[], bool]
    say: Callable[[str], None]


class Visit(Struct):
    """`headers` belong on every answer: the request's id, and what a browser needs to let its page read it.

    `begun`: an answer has begun, so an error can't be told as one of its own any more.
    """

    caller: Caller
    request_id: str
    headers: tuple[tuple[bytes, bytes], ...]
    begun: bool = False


def tell_served(scope: Scope) -> None:
    served = scope.get(SERVED)
    if served is not None:
        served()


def put_visit(scope: Scope, visit: Visit) -> None:
    scope[_PLACE] = visit


def writer_of(scope: Scope) -> Callable[[bytes], bool]:
    """Refuses everything where the server leaves none."""
    write = scope.get(WRITE)
    return write if callable(write) else nothing_at_once


def sayer_of(scope: Scope) -> SayAtOnce | None:
    """None where the server leaves none."""
    say = scope.get(SAY)
    return say if isinstance(say, SayAtOnce) else None


def nothing_at_once(_: bytes) -> bool:
    return False


def intake_of(scope: Scope) -> Held | None:
    """None where the server does not count it."""
    held = scope.get(INTAKE)
    return held if isinstance(held, Held) else None


def visit_of(scope: Scope) -> Visit:
    visit = scope[_PLACE]
    if not isinstance(visit, Visit):
        raise TypeError("No entrance stands before this door.")
    return visit
