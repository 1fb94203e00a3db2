"""What doors use: start a turn, find it again, and stop them all."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

import msgspec

from parlance.core.errors import (
    ChatNotFound,
    Overloaded,
    ParlanceError,
    Stopping,
    TooManyAtOnce,
    TurnNotFound,
    UpstreamError,
)
from parlance.core.events import TurnStarted
from parlance.core.ids import ChatId, KeyId, TurnId, is_uuid, new_turn_id
from parlance.core.journal import Journal
from parlance.core.observers import TurnFacts
from parlance.core.principal import LOCAL_ADMIN, Principal
from parlance.core.provider import Models, Target
from parlance.core.stores.turns import TurnRecord
from parlance.core.tool import Toolbox
from parlance.core.trace import tracing
from parlance.engine.ask import Ask, ChatAsk
from parlance.engine.chat_turns import ChatStores, ChatTurns, Opened
from parlance.engine.idempotency import KnownRequests
from parlance.engine.turn import run_turn
from parlance.engine.turn_state import EngineParts, Moment, Turn
from parlance.engine.view import TurnView

log = logging.getLogger(__name__)

RESISTANCE = 2.0
"""Seconds that an interrupted turn may take to end, before the server stops without it."""

TURN_SIZE = 4_500
"""Bytes of an ended turn beside its log, about: itself, its facts, its task, its timer, its places in the tables."""


class Engine:
    """Runs turns. They outlive the connections that began them, and are kept for a while after their end."""

    def __init__(
        self, models: Models, toolbox: Toolbox, journal: Journal, parts: EngineParts, chats: ChatStores | None = None
    ) -> None:
        """Without `chats` it knows live turns alone."""
        self._models = models
        self._toolbox = toolbox
        self._journal = journal
        self._parts = parts
        self._turns: dict[TurnId, Turn] = {}
        self._requests: dict[str, set[TurnId]] = {}
        self._running: dict[TurnId, asyncio.Task[None]] = {}
        self._running_of_key: Counter[KeyId] = Counter()
        self._chats = ChatTurns(chats, toolbox, parts) if chats is not None else None
        if self._chats is not None:
            self._chats.attend(self._turns.get, partial(self._begin_stored, self._chats))
        self._kept: dict[TurnId, asyncio.TimerHandle] = {}
        self._kept_size = 0
        self._known = KnownRequests()
        self.closing = False

    @property
    def running(self) -> int:
        """Turns that have not ended."""
        return len(self._running)

    async def start(self, ask: Ask, moment: Moment | None = None) -> TurnView:
        """Accept a turn. When this returns it has said `TurnStarted`, and it will say `TurnEnded`, whatever happens.

        With a `moment` the turn is queued: it waits for it, and answers the messages that it gives. One of a chat is
        stored, and has a moment of its own. A request that came before under the same idempotency key gets the turn it
        began then. Raises, with nothing begun: `Stopping`, `Overloaded`, `TooManyAtOnce`, `ModelNotFound`,
        `ModelForbidden`, `NoProvider`, `IdempotencyKeyReused`; for a chat also what `Turns.accept` raises.
        """
        if (begun := self.begun_before(ask)) is not None:
            return begun
        self._admit(ask.principal)
        target = await self._models.resolve(ask.request.model or None, ask.principal, door=ask.door)
        # While the name was looked up, the same request may have come again, and others have filled the limits.
        if (begun := self.begun_before(ask)) is not None:
            return begun
        self._admit(ask.principal)
        if ask.chat is not None:
            return await self._start_stored(ask, ask.chat, target)
        turn = self._open(ask, target)
        turn.moment, turn.passing = moment, ask.passing
        if ask.idempotency is not None:
            self._known.add(ask.principal, ask.door, ask.idempotency, turn.id)
        turn.tell((TurnStarted(turn.id, turn.facts.model, ask.input),))
        self._run(turn)
        return turn

    async def find(self, turn_id: str, principal: Principal) -> TurnView:
        """A turn by its id, running or kept. `TurnNotFound` also for one that is not this principal's."""
        turn = self._turns.get(TurnId(turn_id))
        if turn is not None:
            if principal.may_see(turn.facts.home) and await self._is_there(turn):
                return turn
        elif self._chats is not None and is_uuid(turn_id):
            with suppress(TurnNotFound):
                return await self._chats.find(TurnId(turn_id), principal)
        raise TurnNotFound(
            f"There is no turn {turn_id[:80]!r}. "
            f"A live turn is kept for {self._parts.options.live_retention:g} s after its end."
        )

    async def _is_there(self, turn: Turn) -> bool:
        """What was deleted with its chat, by whichever process, is not told from memory either."""
        if turn.facts.chat is None or self._chats is None or not turn.ended or await self._chats.keeps(turn.id):
            return True
        if turn.id in self._kept:
            self._forget(turn.id)
        return False

    def find_request(self, request_id: str, principal: Principal) -> Turn:
        """The turn that was begun by this request id of the client's own. `TurnNotFound`, also where it is not the only
        one: which of several clients that number their requests alike is meant, nobody can know.
        """
        turns = [self._turns[turn_id] for turn_id in self._requests.get(request_id, ())]
        seen = [turn for turn in turns if principal.may_see(turn.facts.home)]
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
        if self._chats is not None:
            await self._chats.stop_looking()
        for turn_id in list(self._running):
            self._turns[turn_id].park()
        await self._wait_for_all(grace)
        self.interrupt()
        await self._wait_for_all(RESISTANCE)
        for turn_id in self._running:
            log.warning("The turn %s does not end, since a tool or a provider does not let itself be stopped", turn_id)
        for turn_id in list(self._kept):
            self._forget(turn_id)
        if self._chats is not None:
            await self._chats.close()

    async def open_turns(self, chat: ChatId, principal: Principal) -> list[TurnView]:
        """The chat's turns that have not ended, oldest first. `ChatNotFound`."""
        if self._chats is None:
            return []
        return await self._found(await self._chats.open_in(chat, principal.reach), principal)

    async def adopt(self, record: TurnRecord, *, last: bool = False) -> None:
        """Go on with a stored turn that waits for its caller, and whose process is gone: it is this one's now.

        `StorageUnavailable`, and `UpstreamError` unless it is the `last` time: it can't be gone on with for the moment.
        An engine that is closing leaves it as it is, for another.
        """
        if self._chats is None or self.closing:
            return
        if (before := self._turns.get(record.id)) is not None:
            # It was another process's meanwhile: what it had come to here is of no account.
            before.lose()
            await before.finished(RESISTANCE)
        try:
            target = await self._models.resolve(record.model, record.principal, door=record.door)
        except ParlanceError as error:
            if isinstance(error, UpstreamError) and error.retryable and not last:
                raise
            log.warning("The turn %s can't go on here: %s", record.id, error.message)
            target = None
        turn = await self._chats.reopen(record, target)
        if turn is not None:
            await self._go_on(self._chats, turn)

    async def clear(self, subtenant: str, chat: ChatId | None = None) -> None:
        """End what runs in a chat, or in all of a subtenant's: it is about to be deleted."""
        if self._chats is None:
            return
        turns = await self._found(await self._chats.open_in(chat, subtenant), LOCAL_ADMIN)
        for turn in turns:
            turn.stop("cancelled")
        for turn in turns:
            await turn.finished(RESISTANCE)

    def interrupt(self) -> None:
        """End what runs, now, as `incomplete`."""
        for turn_id in list(self._running):
            self._turns[turn_id].stop("interrupted")

    async def _wait_for_all(self, seconds: float) -> None:
        running = list(self._running.values())
        if running and seconds > 0:
            await asyncio.wait(running, timeout=seconds)

    async def _found(self, turn_ids: Iterable[TurnId], principal: Principal) -> list[TurnView]:
        """Those that are still there: somebody else may delete their chat at this moment."""
        turns: list[TurnView] = []
        for turn_id in turn_ids:
            with suppress(TurnNotFound):
                turns.append(await self.find(turn_id, principal))
        return turns

    async def _start_stored(self, ask: Ask, asked: ChatAsk, target: Target) -> TurnView:
        if self._chats is None:
            raise ChatNotFound("This server keeps no chats.")
        opened = await self._chats.open(ask, asked, target)
        if isinstance(opened, Opened):
            return await self._begin_stored(self._chats, opened)
        return await self.find(opened, ask.principal)

    async def _begin_stored(self, chats: ChatTurns, opened: Opened) -> Turn:
        turn = opened.turn
        self._know(turn)
        ahead = [self._turns[before.id] for before in opened.accepted.ahead if before.id in self._turns]
        turn.moment = chats.moment(opened, ahead)
        # Nothing is awaited up to here: what was accepted runs.
        turn.show(opened.started)
        self._run(turn)
        chats.make_room(opened, ahead)
        await chats.obey_early(turn)
        return turn

    async def _go_on(self, chats: ChatTurns, turn: Turn) -> None:
        self._know(turn)
        self._run(turn)
        if self.closing:
            # Those that wait were left for others while this one was read.
            turn.park()
        await chats.obey_early(turn)

    def _run(self, turn: Turn) -> None:
        with tracing(request=turn.facts.request_id, turn=turn.id):
            task = asyncio.create_task(run_turn(turn), name=f"turn {turn.id}")
        key_id = turn.facts.principal.key_id
        self._running[turn.id] = task
        self._running_of_key[key_id] += 1
        task.add_done_callback(lambda _: self._ended(turn))
        turn.started(task)

    def begun_before(self, ask: Ask) -> Turn | None:
        """The live turn that the same request, under the same idempotency key, began before. `IdempotencyKeyReused`."""
        if ask.idempotency is None or ask.chat is not None:
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
        self._know(turn)
        return turn

    def _know(self, turn: Turn) -> None:
        self._turns[turn.id] = turn
        self._requests.setdefault(turn.facts.request_id, set()).add(turn.id)

    def _ended(self, turn: Turn) -> None:
        del self._running[turn.id]
        key = turn.facts.principal.key_id
        self._running_of_key[key] -= 1
        if not self._running_of_key[key]:
            del self._running_of_key[key]
        turn.release()
        self._keep(turn)
        if turn.lost:
            # What the stores tell of it is true, and not what was told here.
            self._forget(turn.id)

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
        if turn.facts.chat is None or self._chats is None:
            self._journal.drop(turn_id)
        else:
            self._chats.forget(turn_id)
        self._known.forget(turn_id)
