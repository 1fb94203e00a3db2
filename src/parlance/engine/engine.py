"""What doors use: start a turn, find it again, and stop them all."""

import asyncio
import logging
import time
from collections import Counter

import msgspec

from parlance.core.errors import Overloaded, Stopping, TooManyAtOnce, TurnNotFound
from parlance.core.events import TurnStarted
from parlance.core.ids import KeyId, TurnId, new_turn_id
from parlance.core.journal import Journal
from parlance.core.observers import TurnFacts
from parlance.core.principal import LOCAL_ADMIN, Principal
from parlance.core.provider import Models, Target
from parlance.core.tool import Toolbox
from parlance.core.trace import tracing
from parlance.engine.ask import Ask
from parlance.engine.idempotency import KnownRequests
from parlance.engine.turn import run_turn
from parlance.engine.turn_state import EngineParts, Moment, Turn

log = logging.getLogger(__name__)

RESISTANCE = 2.0
"""Seconds that an interrupted turn may take to end, before the server stops without it."""

TURN_SIZE = 4_500
"""Bytes of an ended turn beside its log, about: itself, its facts, its task, its timer, its places in the tables."""


class Engine:
    """Runs turns. They outlive the connections that began them, and are kept for a while after their end."""

    def __init__(self, models: Models, toolbox: Toolbox, journal: Journal, parts: EngineParts) -> None:
        self._models = models
        self._toolbox = toolbox
        self._journal = journal
        self._parts = parts
        self._turns: dict[TurnId, Turn] = {}
        self._requests: dict[str, set[TurnId]] = {}
        self._running: dict[TurnId, asyncio.Task[None]] = {}
        self._running_of_key: Counter[KeyId] = Counter()
        self._kept: dict[TurnId, asyncio.TimerHandle] = {}
        self._kept_size = 0
        self._known = KnownRequests()
        self.closing = False

    @property
    def running(self) -> int:
        """Turns that have not ended."""
        return len(self._running)

    async def start(self, ask: Ask, moment: Moment | None = None) -> Turn:
        """Accept a turn. When this returns it has said `TurnStarted`, and it will say `TurnEnded`, whatever happens.

        With a `moment` the turn is queued: it waits for it, and answers the messages that it gives. A request that came
        before under the same idempotency key gets the turn it began then. Raises, with nothing begun: `Stopping`,
        `Overloaded`, `TooManyAtOnce`, `ModelNotFound`, `ModelForbidden`, `NoProvider`, `IdempotencyKeyReused`.
        """
        if (begun := self._begun_before(ask)) is not None:
            return begun
        self._admit(ask.principal)
        target = await self._models.resolve(ask.request.model or None, ask.principal, door=ask.door)
        # While the name was looked up, the same request may have come again, and others have filled the limits.
        if (begun := self._begun_before(ask)) is not None:
            return begun
        self._admit(ask.principal)
        turn = self._open(ask, target)
        turn.moment = moment
        if ask.idempotency is not None:
            self._known.add(ask.principal, ask.door, ask.idempotency, turn.id)
        turn.tell((TurnStarted(turn.id, turn.facts.model, ask.input),))
        with tracing(request=ask.request_id, turn=turn.id):
            task = asyncio.create_task(run_turn(turn), name=f"turn {turn.id}")
        self._running[turn.id] = task
        self._running_of_key[ask.principal.key_id] += 1
        task.add_done_callback(lambda _: self._ended(turn))
        turn.started(task)
        return turn

    def find(self, turn_id: str, principal: Principal) -> Turn:
        """A turn by its id, running or kept. `TurnNotFound` also for one that is not this principal's."""
        turn = self._turns.get(TurnId(turn_id))
        if turn is None or not principal.may_see(turn.facts.principal.home):
            raise TurnNotFound(
                f"There is no turn {turn_id[:80]!r}. "
                f"A live turn is kept for {self._parts.options.live_retention:g} s after its end."
            )
        return turn

    def find_request(self, request_id: str, principal: Principal) -> Turn:
        """The turn that was begun by this request id of the client's own. `TurnNotFound`, also where it is not the only
        one: which of several clients that number their requests alike is meant, nobody can know.
        """
        turns = [self._turns[turn_id] for turn_id in self._requests.get(request_id, ())]
        seen = [turn for turn in turns if principal.may_see(turn.facts.principal.home)]
        if len(seen) != 1:
            found = (
                f"{len(seen)} turns bear the request id" if seen else "No turn that is running or was kept bears the id"
            )
            raise TurnNotFound(f"{found} {request_id[:80]!r}. Give the turn_id.")
        return seen[0]

    async def close(self, grace: float = 0.0) -> None:
        """Take no new turns, give the running ones `grace` seconds, then end the rest as `incomplete`.

        Returns when all have ended, or when one has resisted for `RESISTANCE` seconds: a tool may swallow its cancel.
        """
        self.closing = True
        await self._wait_for_all(grace)
        self.interrupt()
        await self._wait_for_all(RESISTANCE)
        for turn_id in self._running:
            log.warning("The turn %s does not end, since a tool or a provider does not let itself be stopped", turn_id)
        for turn_id in list(self._kept):
            self._forget(turn_id)

    def interrupt(self) -> None:
        """End what runs, now, as `incomplete`."""
        for turn_id in list(self._running):
            self._turns[turn_id].stop("interrupted")

    async def _wait_for_all(self, seconds: float) -> None:
        running = list(self._running.values())
        if running and seconds > 0:
            await asyncio.wait(running, timeout=seconds)

    def _begun_before(self, ask: Ask) -> Turn | None:
        if ask.idempotency is None:
            return None
        turn_id = self._known.find(ask.principal, ask.door, ask.idempotency)
        return self._turns[turn_id] if turn_id is not None else None

    def _admit(self, principal: Principal) -> None:
        options = self._parts.options
        if self.closing:
            raise Stopping("This server is stopping and takes no new turns. Ask again in a moment.", retry_after=5)
        if len(self._running) >= options.turns:
            raise Overloaded(f"{options.turns} turns are running, which is this server's limit.", limit="turns")
        # Without keys there is one caller, the person at this machine: the server's own limit is theirs.
        if principal != LOCAL_ADMIN and self._running_of_key[principal.key_id] >= options.turns_per_key:
            raise TooManyAtOnce(
                f"{options.turns_per_key} turns are running for this key, which is its limit. Wait for one to end.",
                limit="per_key.turns",
            )

    def _open(self, ask: Ask, target: Target) -> Turn:
        turn_id = new_turn_id()
        facts = TurnFacts(
            turn=turn_id,
            principal=ask.principal,
            door=ask.door,
            model=ask.request.model or target.model,
            provider=target.provider.name,
            request_id=ask.request_id,
            started=time.monotonic(),
        )
        request = msgspec.structs.replace(ask.request, model=target.model)
        tools = self._toolbox.offered(ask.principal)
        turn = Turn(facts, target, self._journal.open(turn_id), request, tools, self._parts)
        self._turns[turn_id] = turn
        self._requests.setdefault(ask.request_id, set()).add(turn_id)
        return turn

    def _ended(self, turn: Turn) -> None:
        del self._running[turn.id]
        key = turn.facts.principal.key_id
        self._running_of_key[key] -= 1
        if not self._running_of_key[key]:
            del self._running_of_key[key]
        turn.release()
        self._keep(turn)

    def _keep(self, turn: Turn) -> None:
        """For replay, until its time is over or newer ended turns need its memory."""
        options = self._parts.options
        self._kept[turn.id] = asyncio.get_running_loop().call_later(options.live_retention, self._forget, turn.id)
        self._kept_size += TURN_SIZE + turn.log.size
        while self._kept_size > options.live_memory and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))

    def _forget(self, turn_id: TurnId) -> None:
        self._kept.pop(turn_id).cancel()
        turn = self._turns.pop(turn_id)
        self._kept_size -= TURN_SIZE + turn.log.size
        namesakes = self._requests[turn.facts.request_id]
        namesakes.remove(turn_id)
        if not namesakes:
            del self._requests[turn.facts.request_id]
        self._journal.drop(turn_id)
        self._known.forget(turn_id)
