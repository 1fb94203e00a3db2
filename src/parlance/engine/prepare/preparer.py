"""What may shape a request before a model sees it: one preparer each, in the order the composition root gives."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from parlance.core.observers import TurnFacts
from parlance.core.provider import Notice
from parlance.core.requests import Request


class Prepared(Struct, frozen=True):
    """The shaped request. Of each notice the caller is warned."""

    request: Request
    notices: tuple[Notice, ...] = ()


class Preparer(Protocol):
    """Shapes the next request of a turn. Runs before every step and MUST NOT change the turn."""

    async def prepare(self, request: Request, facts: TurnFacts) -> Prepared: ...


async def prepare(request: Request, facts: TurnFacts, preparers: Sequence[Preparer]) -> Prepared:
    """All of them, one after the other."""
    notices: tuple[Notice, ...] = ()
    for preparer in preparers:
        prepared = await preparer.prepare(request, facts)
        request = prepared.request
        notices += prepared.notices
    return Prepared(request, notices)
