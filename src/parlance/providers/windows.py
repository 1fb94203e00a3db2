"""How large the windows of a host's models are, for languages whose requests have to say what they need of them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from parlance.core.errors import UpstreamError
from parlance.core.provider import EncodedRequest, HostAnswer, Windowed
from parlance.core.requests import Request, Window

ASK_SECONDS: Final = 2.0
"""How long a host may take to say it. Then the request goes out without."""

FRESH: Final = 600.0
"""Seconds for which a window is not asked for again: an operator may set another."""

FRESH_FAILURE: Final = 30.0

HELD: Final = 300.0
"""Seconds for which a larger window is kept for smaller requests, counted from the last that needed it: as long as
hosts keep an idle model.
"""


MOST: Final = 256
"""Models that are remembered: callers may name any."""


class _Known:
    """What is known of one model, and until when."""

    def __init__(self) -> None:
        self.until = self.held_until = 0.0
        self.window: Window | None = None
        self.held = 0
        self.asking = asyncio.Lock()


class Windows:
    """Knows the windows of one host's models. `ask` sends a question to the host. Nothing here fails a turn."""

    def __init__(
        self,
        language: Windowed,
        ask: Callable[[EncodedRequest], Awaitable[HostAnswer]],
        log: logging.Logger,
        *,
        now: Callable[[], float] | None = None,
        patience: float = ASK_SECONDS,
    ) -> None:
        self._language = language
        self._ask = ask
        self._log = log
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._patience = patience
        self._known: dict[str, _Known] = {}

    async def fit(self, request: Request) -> Request:
        """The request with the window of its model, if that can be known."""
        window = await self.of(request.model)
        return msgspec.structs.replace(request, window=window)

    async def of(self, model: str) -> Window | None:
        """The window of a model, if that can be known."""
        known = self._know(model)
        if known.until <= self._now():
            async with known.asking:
                if known.until <= self._now():
                    await self._find(model, known)
        window = known.window
        if window is not None and known.held_until > self._now():
            window = msgspec.structs.replace(window, held=known.held)
        return window

    def keep(self, model: str, encoded: EncodedRequest) -> None:
        """A request is sent: what it needs is held for those behind it, so that they don't load the model anew."""
        known, now = self._known.get(model), self._now()
        if known is None or encoded.needs is None:
            return
        if known.held_until <= now or encoded.needs >= known.held:
            known.held, known.held_until = encoded.needs, now + HELD

    def _know(self, model: str) -> _Known:
        known = self._known.get(model)
        if known is None:
            if len(self._known) >= MOST:
                del self._known[next(iter(self._known))]
            known = self._known[model] = _Known()
        return known

    async def _find(self, model: str, known: _Known) -> None:
        found: Window | None = None
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._ask(self._language.window_request(model))
            found = self._language.decode_window(answer.body) if answer.status == 200 else None
        except (OSError, UpstreamError) as error:
            self._log.debug("The window of %s could not be asked for: %s", model, type(error).__name__)
        known.until = self._now() + (FRESH_FAILURE if found is None else FRESH)
        known.window = found or known.window
