"""How much models take at once: what the operator says, else what their hosts say, else what the price library says."""

import asyncio
from collections.abc import Mapping

from parlance.core.provider import Provider, Sized
from parlance.routing.prices import listed_window

MOST = 512
"""Models of the library that are remembered: callers may name any."""


class KnownWindows:
    """A `ModelWindows`. `own` are the operator's, by `provider/model` or by `provider` for all of its models. `lists`
    says under which name the library knows a provider.
    """

    def __init__(self, providers: Mapping[str, Provider], own: Mapping[str, int], lists: Mapping[str, str]) -> None:
        self._sized = {name: provider for name, provider in providers.items() if isinstance(provider, Sized)}
        self._own = own
        self._lists = lists
        self._listed: dict[tuple[str, str], int | None] = {}

    async def window(self, provider: str, model: str) -> int | None:
        own = self._own.get(f"{provider}/{model}") or self._own.get(provider)
        if own is not None:
            return own
        if (told := await self._told(provider, model)) is not None:
            return told
        listed = self._lists.get(provider)
        return await self._look_up(listed, model) if listed is not None else None

    async def _told(self, provider: str, model: str) -> int | None:
        sized = self._sized.get(provider)
        return await sized.window(model) if sized is not None else None

    async def _look_up(self, listed: str, model: str) -> int | None:
        key = listed, model
        if key not in self._listed:
            if len(self._listed) >= MOST:
                del self._listed[next(iter(self._listed))]
            # Loading the library takes a third of a second, which others' tokens must not wait for.
            self._listed[key] = await asyncio.to_thread(listed_window, listed, model)
        return self._listed[key]
