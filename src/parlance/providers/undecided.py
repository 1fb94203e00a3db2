"""A host that may speak either of two languages: it is asked which when it is first used. As a Provider."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec import Struct
from yarl import URL

from parlance.core.deltas import Delta
from parlance.core.errors import UpstreamError
from parlance.core.parts import Family
from parlance.core.provider import HostAnswer, Listener, Provider, Sized, nobody, open_stream
from parlance.core.requests import Request
from parlance.net.egress import Egress, Way

SECONDS: Final = 2.0
"""How long a host may take to say what it is. Until it has said it, it is asked again with the next request."""


class _Version(Struct):
    version: str


class Undecided:
    """`usual`, unless the host answers `sign` with a version: then `other`."""

    def __init__(self, usual: Provider, other: Provider, *, sign: URL, way: Way, egress: Egress) -> None:
        self._usual = usual
        self._other = other
        self._sign = sign
        self._way = way
        self._egress = egress
        self._decided: Provider | None = None
        self._asking = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._usual.name

    @property
    def family(self) -> Family:
        return (self._decided or self._usual).family

    def stream(self, request: Request) -> AsyncGenerator[Sequence[Delta], None]:
        return self.stream_to(request, nobody)

    async def stream_to(self, request: Request, listener: Listener) -> AsyncGenerator[Sequence[Delta], None]:
        async with aclosing(open_stream(await self._decide(), request, listener)) as batches:
            async for batch in batches:
                yield batch

    async def list_models(self) -> Sequence[str]:
        return await (await self._decide()).list_models()

    async def window(self, model: str) -> int | None:
        decided = await self._decide()
        return await decided.window(model) if isinstance(decided, Sized) else None

    async def close(self) -> None:
        await self._usual.close()
        await self._other.close()

    async def _decide(self) -> Provider:
        """A host that can't be reached is the usual one, whose request will say why."""
        async with self._asking:
            if self._decided is None:
                answer = await self._ask()
                if answer is None:
                    return self._usual
                self._decided = self._other if _is_version(answer) else self._usual
            return self._decided

    async def _ask(self) -> HostAnswer | None:
        with contextlib.suppress(OSError, UpstreamError):
            async with asyncio.timeout(SECONDS):
                answer = await self._egress.get(self._sign, headers={}, way=self._way)
                return answer if answer.status < 500 else None
        return None


def _is_version(answer: HostAnswer) -> bool:
    try:
        return answer.status == 200 and msgspec.json.decode(answer.body, type=_Version).version != ""
    except msgspec.DecodeError:
        return False
