"""A name's models, asked until one answers. A Route is itself a Provider: whoever asks it does not know how many there
are.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing

import msgspec
from msgspec import Struct

from parlance.core.attempts import AttemptObserver, Prices
from parlance.core.deltas import Delta, Noted, Restarted
from parlance.core.errors import HostRejected, HostTimeout, TruncatedAnswer, UpstreamError
from parlance.core.parts import Family
from parlance.core.provider import Listener, nobody, open_stream
from parlance.core.requests import Request
from parlance.routing.attempt import Opening, Watch
from parlance.routing.candidates import Candidate, Candidates, Conduct, may_go_elsewhere
from parlance.routing.defaults import Defaults, fill
from parlance.routing.health import EJECTION, Health

log = logging.getLogger(__name__)

TOTAL = 600.0
"""Seconds after which no further attempt is begun, where the caller says nothing."""

FAIR = 10.0
"""Seconds. A host that a caller gives less than this, and that then has not begun, is not blamed."""


class RouteParts(Struct, frozen=True):
    """What every route needs besides its candidates. `sleep` takes seconds; `defaults` are by provider."""

    conduct: Conduct
    prices: Prices
    observer: AttemptObserver
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    defaults: Mapping[str, Defaults] = {}


class Route:
    """A `Provider`. `restarts`: after a failure in mid-answer another may begin anew, where the caller can be told.

    Nothing is passed on of an attempt before it has content, so that a retry shows nothing twice, and nothing that was
    shown is called void before there is something in its place.
    """

    def __init__(self, candidates: Sequence[Candidate], parts: RouteParts, *, restarts: bool = False) -> None:
        """At least one candidate."""
        self._candidates = candidates
        self._parts = parts
        self._restarts = restarts

    @property
    def name(self) -> str:
        return self._candidates[0].provider.name

    @property
    def family(self) -> Family:
        return self._candidates[0].provider.family

    def stream(self, request: Request) -> AsyncGenerator[Sequence[Delta], None]:
        return self.stream_to(request, nobody)

    async def stream_to(self, request: Request, listener: Listener) -> AsyncGenerator[Sequence[Delta], None]:
        now = self._parts.conduct.health.now
        until = now() + (TOTAL if request.timeout is None else request.timeout)
        candidates = Candidates(self._candidates, self._parts.conduct, until=until)
        may_restart = self._restarts and request.can_restart
        error: UpstreamError | None = None
        shown: UpstreamError | None = None
        opening = Opening()
        number = 0
        try:
            while (taken := candidates.take()) is not None:
                candidate, wait = taken
                if wait:
                    await self._parts.sleep(wait)
                    if not candidates.still_fit():
                        continue
                number += 1
                asked = self._asked(request, candidate, until - now())
                watch = Watch(candidate.provider.name, asked, number, now, opening, listener)
                try:
                    async with aclosing(self._attempt(candidate, watch, may_restart=may_restart)) as batches:
                        async for batch in batches:
                            yield batch
                    return
                except UpstreamError as failure:
                    error = failure
                candidates.fail(error)
                opening = _opening_after(candidate, error, watch, opening)
                if watch.shown:
                    # It stands, and with it what became of it, until somebody else has something to show.
                    shown = error
                    if watch.whole or not may_restart:
                        break
                if not may_go_elsewhere(error):
                    break
            raise shown or error or _too_late(self.name)
        finally:
            # An error that is held by the frame it came through is freed late, and all that hangs on it.
            error = shown = None

    async def list_models(self) -> Sequence[str]:
        return [candidate.model for candidate in self._candidates]

    async def close(self) -> None:
        """Nothing of its own to close."""

    async def _attempt(
        self, candidate: Candidate, watch: Watch, *, may_restart: bool
    ) -> AsyncGenerator[Sequence[Delta], None]:
        book = self._parts.conduct.health
        health = book.of(candidate.provider.name, candidate.model)
        call = health.begin(book.now())
        unexplained: UpstreamError | None = None
        try:
            async with aclosing(open_stream(candidate.provider, watch.request, watch.hear)) as batches:
                async for batch in batches:
                    if said := watch.take(batch, may_restart=may_restart):
                        yield said
            if watch.finish is None:
                raise _unfinished(candidate)
            if watch.finish == "error":
                # It was told as the host said it.
                unexplained = watch.unexplained()
            health.succeed(call)
        except UpstreamError as failure:
            if not _blames_host(failure, watch):
                health.leave(call)
            elif health.fail(call, book.now()):
                _warn_of_ejection(candidate, health)
            raise
        except BaseException:
            health.leave(call)
            raise
        finally:
            # Not by a name of this frame: with its traceback it would keep the whole turn from being freed.
            self._report(watch, unexplained or sys.exception())

    def _asked(self, request: Request, candidate: Candidate, left: float) -> Request:
        timeout = None if request.timeout is None else max(left, 0.001)
        defaults = self._parts.defaults.get(candidate.provider.name)
        if defaults is not None:
            request = fill(request, defaults)
        return msgspec.structs.replace(request, model=candidate.model, timeout=timeout)

    def _report(self, watch: Watch, error: BaseException | None) -> None:
        try:
            watch.report(self._parts.observer, self._parts.prices, error)
        except Exception:
            log.exception("An observer of attempts failed")


def _blames_host(error: UpstreamError, watch: Watch) -> bool:
    """Whether a failure counts against its host. A request that it does not like is none, nor is a caller's haste."""
    if isinstance(error, HostRejected):
        return False
    given = watch.request.timeout
    if not isinstance(error, HostTimeout) or given is None or watch.lasted < given * 0.99:
        return True
    return given >= FAIR and not watch.shown


def _warn_of_ejection(candidate: Candidate, health: Health) -> None:
    seconds = EJECTION * health.ejections
    log.warning("%s is left alone for %d s: %r failed too often", candidate.provider.name, seconds, candidate.model)


def _opening_after(candidate: Candidate, error: UpstreamError, watch: Watch, before: Opening) -> Opening:
    name = candidate.provider.name
    note = Noted("upstream_failed_over", f"{name} failed ({error.code}): asked again.")
    if watch.shown:
        return Opening(Restarted(f"{name} failed in the middle of its answer."), (note,))
    return Opening(before.restart, (*before.notes, note))


def _unfinished(candidate: Candidate) -> TruncatedAnswer:
    name = candidate.provider.name
    return TruncatedAnswer(f"{name} stopped without saying that it had finished. Try again.", host=name)


def _too_late(name: str) -> HostTimeout:
    return HostTimeout(f"There was no time left to ask {name}.", host=name)
