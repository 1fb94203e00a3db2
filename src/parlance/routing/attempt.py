"""One call of one host: what came of it is held back until there is something to show, and reported at its end."""

from collections.abc import Callable, Sequence

from parlance.core.attempts import Attempt, AttemptObserver, Outcome, Prices
from parlance.core.deltas import (
    ArgumentsDelta,
    Began,
    Delta,
    Finished,
    Noted,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Unknown,
    UsageReported,
)
from parlance.core.errors import HostFailed, UpstreamError
from parlance.core.estimate import estimate_tokens, message_tokens
from parlance.core.requests import Request
from parlance.core.trace import request_id, turn_id
from parlance.core.usage import Usage

_BEFORE_CONTENT = (Began, Noted, Unknown, UsageReported)
_GROWTH = (TextDelta, ReasoningDelta, ArgumentsDelta, RefusalDelta)


class Watch:
    """Takes the batches of one attempt. `shown`: something of it has been passed on.

    A host that finishes with an error before it has said anything has failed, and somebody else may do better; what it
    sent is then still held back.
    """

    def __init__(self, provider: str, request: Request, number: int, clock: Callable[[], float]) -> None:
        self.shown = False
        self.finished = False
        self._provider = provider
        self.request = request
        self._number = number
        self._clock = clock
        self._begun = clock()
        self._first: float | None = None
        self._held: list[Delta] = []
        self._usage: Usage | None = None
        self._characters = 0
        self._upstream_id: str | None = None

    def take(self, batch: Sequence[Delta], notes: Sequence[Noted] = ()) -> Sequence[Delta]:
        """What may be passed on now, behind `notes`; nothing as long as there is no content."""
        if self.shown and len(batch) == 1 and type(grown := batch[0]) is TextDelta:
            # Nearly all batches are one piece of text.
            self._characters += len(grown.text)
            return batch
        for delta in batch:
            kind = type(delta)
            if kind in _GROWTH:
                self._characters += len(delta.text)  # type: ignore[union-attr] # all kinds of growth have a text
            elif kind is UsageReported:
                self._usage = delta.usage  # type: ignore[union-attr] # its type was just looked at
            elif kind is Finished:
                self.finished = True
            elif kind is Began:
                self._upstream_id = delta.upstream_id  # type: ignore[union-attr] # its type was just looked at
        if self.shown:
            return batch
        self._held += batch
        content = [delta for delta in batch if not isinstance(delta, _BEFORE_CONTENT)]
        if not content:
            return ()
        if isinstance(content[0], Finished) and content[0].reason == "error":
            raise HostFailed(
                f"{self._provider} ended with an error before it had said anything, and did not say which. Try again.",
                host=self._provider,
            )
        self.shown = True
        self._first = self._clock() - self._begun
        held, self._held = self._held, []
        at = 1 if isinstance(held[0], Began) else 0
        return [*held[:at], *notes, *held[at:]]

    def report(self, observer: AttemptObserver, prices: Prices, error: BaseException | None) -> None:
        usage = self._used(error)
        observer.observe_attempt(
            Attempt(
                request_id=request_id.get(),
                turn=turn_id.get(),
                provider=self._provider,
                model=self.request.model,
                number=self._number,
                outcome=self._outcome(error),
                upstream_id=self._upstream_id or (error.upstream_id if isinstance(error, UpstreamError) else None),
                fault=error.code if isinstance(error, UpstreamError) else None,
                usage=usage,
                cost=prices.cost(self._provider, self.request.model, usage) if usage is not None else None,
                first=self._first,
                duration=self._clock() - self._begun,
            )
        )

    def _outcome(self, error: BaseException | None) -> Outcome:
        if isinstance(error, UpstreamError):
            return "failed"
        return "answered" if self.finished else "left"

    def _used(self, error: BaseException | None) -> Usage | None:
        """An estimate for what was cut or left: the host has counted it, and nobody will be told."""
        if self._usage is not None or (self.finished and error is None):
            return self._usage
        if not self._characters and isinstance(error, UpstreamError):
            return None
        given = sum(map(message_tokens, self.request.messages))
        return Usage(input=given, output=estimate_tokens(self._characters), estimated=True)
