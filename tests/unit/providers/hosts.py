"""What the tests of hosts share: a request, a host at a scripted upstream, and reading a stream to its end."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from msgspec.structs import replace

from parlance.core.deltas import Delta, ReasoningDelta, TextDelta
from parlance.core.errors import UpstreamError
from parlance.core.messages import user_message
from parlance.core.provider import Deadlines, HostSpec, Provider
from parlance.core.requests import Request
from parlance.net.egress import Egress
from parlance.providers.host import Host
from parlance.providers.languages import LANGUAGES

KEY = "sk-canary-0123456789"
ASK = Request(model="scripted-model", messages=(user_message("Hello?"),))


def spec_at(base_url: str, **changes: object) -> HostSpec:
    spec = HostSpec(name="lab", family="openai_chat", base_url=base_url, deadlines=Deadlines(5, 5, 5, 20))
    return replace(spec, **changes)


@asynccontextmanager
async def host_at(spec: HostSpec, *, key: str | None = KEY) -> AsyncIterator[Host]:
    egress = Egress()
    try:
        yield Host(spec, LANGUAGES[spec.family], key, egress=egress)
    finally:
        await egress.close()


async def read_all(provider: Provider, request: Request = ASK) -> list[Delta]:
    """All deltas of an answer; no batch may be empty."""
    deltas, error = await read_until_error(provider, request)
    if error is not None:
        raise error
    return deltas


async def read_until_error(provider: Provider, request: Request = ASK) -> tuple[list[Delta], UpstreamError | None]:
    deltas: list[Delta] = []
    try:
        async with aclosing(provider.stream(request)) as batches:
            async for batch in batches:
                assert batch, "a batch is never empty"
                deltas += batch
    except UpstreamError as error:
        return deltas, error
    return deltas, None


def text_of(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def thoughts_of(deltas: Sequence[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
