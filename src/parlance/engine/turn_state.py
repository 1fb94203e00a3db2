"""The state of one turn, shared by the loop and its parts. Nothing here decides what happens next."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct

from parlance.core.errors import StorageUnavailable
from parlance.core.events import GROWTH, Event, Runner, ToolReturned, TurnEnded
from parlance.core.ids import TurnId
from parlance.core.journal import Cursor, Follower, Log
from parlance.core.messages import Message
from parlance.core.observers import TurnFacts, TurnObserver
from parlance.core.parts import ToolResult
from parlance.core.provider import Notice, Target
from parlance.core.requests import Request
from parlance.core.stores.turns import State
from parlance.core.tool import Answer, Tool
from parlance.core.usage import Usage
from parlance.engine.ask import EngineOptions
from parlance.engine.attendance import Attendance
from parlance.engine.pending import PendingCalls
from parlance.engine.prepare.preparer import Preparer
from parlance.engine.view import StopReason, ending_of

logger = logging.getLogger(__name__)


class Beginning(Struct, frozen=True):
    """What a turn that waited begins with: the messages to answer, and our tools on offer if they are others than were
    known at its acceptance.
    """

    messages: tuple[Message, ...]
    tools: Mapping[str, Tool] | None = None


Moment = Callable[[], Awaitable[Beginning]]
"""Returns when a queued turn may begin."""


class EngineParts(Struct, frozen=True):
    """What every turn of an engine shares."""

    observer: TurnObserver
    preparers: Sequence[Preparer]
    options: EngineOptions


class Turn:
    """A turn from its acceptance on.

    What doors use is in `TurnView`; the rest is the loop's.
    """

    def __init__(
        self,
        facts: TurnFacts,
        target: Target,
        log: Log,
        request: Request,
        tools: Mapping[str, Tool],
        parts: EngineParts,
    ) -> None:
        self.facts = facts
        self.target = target
        self.log = log
        self.request = request
        self.tools = tools
        self.parts = parts
        self.messages: list[Message] = []
        self.passing = False
        self.next_step = 1
        self.next_part = 1
        self.usage: Usage | None = None
        self.noticed: set[Notice] = set()
        self.moment: Moment | None = None
        self.resume: Callable[[], Awaitable[list[Message]]] | None = None
        self.parked = False
        self.lost = False
        self.state_told: Callable[[State], None] | None = None
        self.begun = False
        self.stopping: StopReason | None = None
        self.pending = PendingCalls(self._pending_changed, self._call_returned)
        # A stored turn goes on, whoever listens.
        self.attendance = Attendance(parts.options.live_grace if facts.chat is None else None, self.abandon)
        self._ending = False
        self._callers_tools = frozenset(tool.name for tool in request.tools)
        self._task: asyncio.Task[None] | None = None

    @property
    def id(self) -> TurnId:
        return self.facts.turn

    @property
    def ended(self) -> bool:
        return self.log.ended

    @property
    def ending(self) -> TurnEnded:
        """How it ended. Only of a turn that has."""
        return ending_of(self.log)

    @property
    def waiting(self) -> bool:
        """Whether it waits for its caller to answer a call."""
        return self.pending.unanswered

    @property
    def stopped(self) -> bool:
        """Whether it has ended, or will soon, since it was told to."""
        return self.ended or self.stopping is not None

    def tell(self, events: Sequence[Event]) -> None:
        """To the log, and to those who watch; growth only to the log."""
        self.log.append(events)
        for event in events:
            if type(event) not in GROWTH:
                self.show(event)

    def show(self, event: Event) -> None:
        """To those who watch."""
        try:
            self.parts.observer.observe(self.facts, event)
        except Exception:
            logger.exception("An observer failed at %s", type(event).__name__)

    def runner_of(self, tool: str) -> Runner:
        """The caller's own tools shadow ours of the same name."""
        return "client" if tool in self._callers_tools else "server"

    @contextmanager
    def followed(self, after: int = 0) -> Iterator[Follower]:
        """Follow the log from the event behind number `after` on; while somebody does, the turn is not abandoned."""
        follower = self.log.follow(after)
        self.attendance.came()
        try:
            yield follower
        finally:
            follower.close()
            self.attendance.left()

    async def reach(self, cursor: Cursor) -> None:
        """What was told was told from here."""

    def started(self, task: "asyncio.Task[None]") -> None:
        self._task = task
        self.attendance.begin()

    def abandon(self) -> None:
        self.stop("abandoned")

    def stop(self, reason: StopReason) -> bool:
        """End the turn soon, and close what it holds.

        False when it is ending already: stopping twice must not cut the clean-up short.
        """
        if self.stopped or self._ending:
            return False
        self.stopping = reason
        self.pending.close()
        # A task that is cancelled before its first step never runs at all, and would never say its ending.
        if self.begun and self._task is not None:
            self._task.cancel()
        return True

    def park(self) -> bool:
        """Leave a stored turn that waits for its caller as it is, for another process; its followers are let go."""
        if self.facts.chat is None or not self.waiting or self.stopped or self._ending:
            return False
        self.parked = True
        self.stopping = "interrupted"
        if self._task is not None:
            self._task.cancel()
        self.log.dismiss()
        return True

    def lose(self) -> None:
        """Let go of a stored turn that is another process's by now, which took this one for dead."""
        self.lost = True
        self.stop("interrupted")

    async def answer(self, answers: Sequence[Answer]) -> None:
        """Results of the caller's own tools.

        `CallNotWaiting`, and nothing is taken, if one of them is not waited for. `StorageUnavailable` if they were
        taken, and may be lost with this process.
        """
        self.pending.answer(answers)
        try:
            await self.log.secured()
        except StorageUnavailable as error:
            became = (
                f"The turn {self.id} is not this server's any more. Send them again."
                if self.lost
                else f"The turn {self.id} has taken them and goes on; sent again, they are refused."
            )
            raise StorageUnavailable(f"The results are not kept. {became} {error.message}", maybe_kept=True) from None

    async def end(self, ending: TurnEnded) -> None:
        """From here on nothing stops it: an answer that is whole is not cut while it is kept."""
        self._ending = True
        self.pending.close()
        self.show(await self.log.end(ending))
        self.attendance.end()

    def release(self) -> None:
        """Let go of what only a running turn needs: an ended one is kept for its log."""
        self.messages = []
        self.moment = None
        self.resume = None
        self.tools = {}
        self.request = Request(model=self.request.model, messages=())

    async def finished(self, within: float | None = None) -> None:
        """Returns when the turn's task is done, or after `within` seconds; never raises."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=within)

    def then(self, act: Callable[[], None]) -> None:
        """Calls `act` when the turn's task is done; soon, if it is already."""
        if self._task is not None:
            self._task.add_done_callback(lambda _: act())

    def _call_returned(self, result: ToolResult) -> None:
        self.tell((ToolReturned(result),))

    def _pending_changed(self) -> None:
        waits = len(self.pending) > 0
        self.attendance.wait(waits)
        if self.state_told is not None and not (self.stopped or self._ending):
            self.state_told("waiting" if waits else "running")
