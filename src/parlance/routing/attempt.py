"""One call of one host: what came of it is held back until there is something to show, and reported at its end."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from parlance.core.attempts import Attempt, AttemptObserver, Outcome, Prices
from parlance.core.deltas import (
    ArgumentsDelta,
    Began,
    Delta,
    Finished,
    Noted,
    ReasoningDelta,
    RefusalDelta,
    Restarted,
    TextDelta,
    Unknown,
    UsageReported,
)
from parlance.core.errors import HostFailed, UpstreamError, fault_of
from parlance.core.estimate import estimate_tokens, message_tokens, usage_of_cut
from parlance.core.provider import Listener, nobody
from parlance.core.requests import Request
from parlance.core.trace import request_id, turn_id
from parlance.core.usage import Finish, Usage

MOST_HELD = 100
"""Deltas that are kept until there is content."""

_BEFORE_CONTENT = (Began, Noted, Unknown, UsageReported)


class Opening(Struct, frozen=True):
    """What is told before an attempt's own content: that what was shown is void, and what failed before."""

    restart: Restarted | None = None
    notes: tuple[Noted, ...] = ()

    def put_before(self, deltas: list[Delta]) -> list[Delta]:
        at = 1 if isinstance(deltas[0], Began) else 0
        restart = () if self.restart is None else (self.restart,)
        return [*restart, *deltas[:at], *self.notes, *deltas[at:]]


_NOTHING = Opening()


class Watch:
    """Takes the batches of one attempt. `shown`: something of it has been passed on.

    A host that finishes with an error before it has said anything has failed, and somebody else may do better; what it
    sent is then still held back. The same holds in mid-answer, if the answer may begin anew.
    """

    def __init__(
        self,
        provider: str,
        request: Request,
        number: int,
        clock: Callable[[], float],
        opening: Opening = _NOTHING,
        listener: Listener = nobody,
    ) -> None:
        self.shown = False
        self.finish: Finish | None = None
        self.request = request
        self._provider = provider
        self._number = number
        self._clock = clock
        self._opening = opening
        self._listener = listener
        self._begun = clock()
        self._first: float | None = None
        self._held: list[Delta] = []
        self._usage: Usage | None = None
        self._characters = 0
        self._upstream_id: str | None = None

    @property
    def whole(self) -> bool:
        """Whether the answer has come to its end."""
        return self.finish is not None and self.finish != "error"

    @property
    def lasted(self) -> float:
        return self._clock() - self._begun

    def hear(self, delta: TextDelta) -> bool:
        """A piece of text that may be passed on in the moment it comes; False where it has to be taken as a batch."""
        if not self.shown or not self._listener(delta):
            return False
        self._characters += len(delta.text)
        return True

    def take(self, batch: Sequence[Delta], *, may_restart: bool = False) -> Sequence[Delta]:
        """What may be passed on now; nothing as long as there is no content."""
        if self.shown and len(batch) == 1 and type(grown := batch[0]) is TextDelta:
            # Nearly all batches are one piece of text.
            self._characters += len(grown.text)
            return batch
        for delta in batch:
            self._look_at(delta)
        if self.shown:
            if self.finish == "error" and may_restart:
                raise self.unexplained()
            return batch
        self._held += batch
        content = [delta for delta in batch if not isinstance(delta, _BEFORE_CONTENT)]
        if not content:
            # A host that never comes to its answer must not fill the memory.
            del self._held[MOST_HELD:-1]
            return ()
        if isinstance(content[0], Finished) and self.finish == "error":
            raise self.unexplained()
        self.shown = True
        self._first = self.lasted
        held, self._held = self._held, []
        return self._opening.put_before(held)

    def unexplained(self) -> HostFailed:
        return HostFailed(
            f"{self._provider} ended its answer with an error, and did not say which. Try again.", host=self._provider
        )

    def _look_at(self, delta: Delta) -> None:
        match delta:
            case TextDelta() | ReasoningDelta() | ArgumentsDelta() | RefusalDelta():
                self._characters += len(delta.text)
            case UsageReported():
                self._usage = delta.usage
            case Finished():
                self.finish = delta.reason
            case Began():
                self._upstream_id = delta.upstream_id
            case _:
                pass

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
                fault=fault_of(error).code if isinstance(error, Exception) else None,
                usage=usage,
                cost=prices.cost(self._provider, self.request.model, usage) if usage is not None else None,
                first=self._first,
                duration=self.lasted,
            )
        )

    def _outcome(self, error: BaseException | None) -> Outcome:
        # What is no `Exception` is the caller's leaving.
        if isinstance(error, Exception):
            return "failed"
        return "answered" if self.finish is not None else "left"

    def _used(self, error: BaseException | None) -> Usage | None:
        """An estimate for what was cut or left: the host has counted it, and nobody will be told."""
        if self.finish is not None and (self._usage is not None or error is None):
            return self._usage
        if isinstance(error, Exception) and self._usage is None and not self._characters:
            return None
        given = sum(map(message_tokens, self.request.messages))
        return usage_of_cut(self._usage, Usage(given, estimate_tokens(self._characters), estimated=True))
