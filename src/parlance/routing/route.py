"""A name's models, asked until one answers. A Route is itself a Provider: whoever asks it does not know how many there
are.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

import msgspec
from msgspec import Struct

from parlance.core.attempts import AttemptObserver, Prices
from parlance.core.deltas import Delta, Noted, Restarted
from parlance.core.errors import HostRejected, HostTimeout, UpstreamError
from parlance.core.parts import Family
from parlance.core.requests import Request
from parlance.routing.attempt import Watch
from parlance.routing.candidates import Candidate, Candidates, Conduct, may_go_elsewhere
from parlance.routing.health import EJECTION

log = logging.getLogger(__name__)

TOTAL = 600.0
"""Seconds after which no further attempt is begun, where the caller says nothing."""


class RouteParts(Struct, frozen=True):
    """What every route needs besides its candidates. `sleep` takes seconds."""

    conduct: Conduct
    prices: Prices
    observer: AttemptObserver
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Route:
    """A `Provider`. `restarts`: after a failure in mid-answer another may begin anew, where the caller can be told.

    Nothing is passed on of an attempt before it has content, so that a retry shows nothing twice.
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

    async def stream(self, request: Request) -> AsyncGenerator[Sequence[Delta], None]:
        now = self._parts.conduct.health.now
        until = now() + (TOTAL if request.timeout is None else request.timeout)
        candidates = Candidates(self._candidates, self._parts.conduct, until=until)
        error: UpstreamError | None = None
        notes: list[Noted] = []
        number = 0
        while (taken := candidates.take()) is not None:
            candidate, wait = taken
            if wait:
                await self._parts.sleep(wait)
            number += 1
            watch = Watch(candidate.provider.name, _asked(request, candidate, until - now()), number, now)
            try:
                async with aclosing(self._attempt(candidate, watch, notes)) as batches:
                    async for batch in batches:
                        yield batch
                return
            except UpstreamError as failure:
                error = failure
            candidates.fail(candidate, error)
            if not may_go_elsewhere(error) or (watch.shown and not (self._restarts and request.can_restart)):
                break
            if watch.shown:
                yield [Restarted(f"{candidate.provider.name} failed in the middle of its answer.")]
            notes = [_note(candidate, error)]
        raise error or _too_late(self.name)

    async def list_models(self) -> Sequence[str]:
        return [candidate.model for candidate in self._candidates]

    async def close(self) -> None:
        """Nothing of its own to close."""

    async def _attempt(
        self, candidate: Candidate, watch: Watch, notes: Sequence[Noted]
    ) -> AsyncGenerator[Sequence[Delta], None]:
        health = self._parts.conduct.health.of(candidate.provider.name, candidate.model)
        health.begin()
        error: BaseException | None = None
        try:
            async with aclosing(candidate.provider.stream(watch.request)) as batches:
                async for batch in batches:
                    if said := watch.take(batch, notes):
                        yield said
            health.succeed()
        except UpstreamError as failure:
            error = failure
            self._note_failure(candidate, failure)
            raise
        except BaseException as left:
            error = left
            health.leave()
            raise
        finally:
            self._report(watch, error)

    def _note_failure(self, candidate: Candidate, error: UpstreamError) -> None:
        book = self._parts.conduct.health
        health = book.of(candidate.provider.name, candidate.model)
        if isinstance(error, HostRejected):
            # It works: it is the request that it doesn't like.
            health.leave()
        elif health.fail(book.now()):
            log.warning(
                "%s is left alone for %d s: %s failed too often",
                candidate.provider.name,
                EJECTION * health.ejections,
                candidate.model,
            )

    def _report(self, watch: Watch, error: BaseException | None) -> None:
        try:
            watch.report(self._parts.observer, self._parts.prices, error)
        except Exception:
            log.exception("An observer of attempts failed")


def _asked(request: Request, candidate: Candidate, left: float) -> Request:
    timeout = None if request.timeout is None else max(left, 0.001)
    return msgspec.structs.replace(request, model=candidate.model, timeout=timeout)


def _note(candidate: Candidate, error: UpstreamError) -> Noted:
    return Noted("upstream_failed_over", f"{candidate.provider.name} failed ({error.code}): asked again.")


def _too_late(name: str) -> HostTimeout:
    return HostTimeout(f"There was no time left to ask {name}.", host=name)
