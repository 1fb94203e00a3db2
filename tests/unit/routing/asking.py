"""Routes of scripted providers, asked to their end."""

from collections.abc import Sequence
from contextlib import aclosing

from parlance.core.deltas import Delta, TextDelta
from parlance.core.errors import UpstreamError
from parlance.core.messages import user_message
from parlance.core.requests import Request
from parlance.routing.candidates import Candidate
from parlance.routing.route import Route
from parlance.testing.provider import Act, ScriptedProvider
from tests.unit.routing.surroundings import Surroundings

ASKED = Request("both", (user_message("Hi"),))


def provider(name: str, *answers: Sequence[Act]) -> ScriptedProvider:
    return ScriptedProvider(*answers, name=name)


def fails(error: UpstreamError, *before: Sequence[Delta]) -> list[Act]:
    return [*before, error]


def route(around: Surroundings, *providers: ScriptedProvider, restarts: bool = False) -> Route:
    return Route([Candidate(one, "small") for one in providers], around.parts, restarts=restarts)


async def read(asked: Route, request: Request = ASKED, into: list[Delta] | None = None) -> list[Delta]:
    deltas: list[Delta] = [] if into is None else into
    async with aclosing(asked.stream(request)) as batches:
        async for batch in batches:
            deltas += batch
    return deltas


def texts(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
