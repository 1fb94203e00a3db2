"""Turns of stored chats: how they are accepted, when they begin and on which history, and how they are found again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Literal

import msgspec
from msgspec import Struct

from parlance.core.errors import AssistantNotFound, StorageUnavailable, TurnInterrupted, TurnNotFound
from parlance.core.events import ToolCalled, TurnEnded, TurnStarted
from parlance.core.ids import ChatId, Epoch, OwnerId, TurnId, new_epoch, new_turn_id
from parlance.core.journal import KeptJournal
from parlance.core.messages import Message, system_message
from parlance.core.principal import Principal
from parlance.core.provider import Target
from parlance.core.stores import Page, Reach
from parlance.core.stores.assistants import Assistant, Assistants
from parlance.core.stores.bells import Bells
from parlance.core.stores.chats import Chat, Chats
from parlance.core.stores.memories import Memories
from parlance.core.stores.request_keys import RequestKey
from parlance.core.stores.turns import Accepted, KeptEvents, NewTurn, SendPolicy, TurnRecord, Turns, Word
from parlance.core.tool import Tool, Toolbox
from parlance.engine.adoption import finish_calls, past_of, take_up
from parlance.engine.ask import Ask, ChatAsk, decode_asked, encode_asked
from parlance.engine.doubts import Doubt, Doubts
from parlance.engine.idempotency import chat_key
from parlance.engine.kept import facts_of
from parlance.engine.prepare.memories import MOST_MEMORIES, memories_block
from parlance.engine.selection import select_tools
from parlance.engine.turn_state import Beginning, EngineParts, Turn
from parlance.engine.view import TurnView
from parlance.engine.views import Views
from parlance.engine.words import Here, Words

LOOK = 0.5
"""Seconds between looks whether a turn that another process runs has ended."""

WAITED_BEFORE = 1.0
"""Seconds in which a turn that another process runs is seen to wait for its caller, if it did so when a message came.
One that begins to wait later is left to it: whoever queued behind it did not leave it unanswered.
"""

REFUSED = 0.9
"""Seconds after which a caller is told that the database is away, at the latest."""

PATIENCE = 30.0
"""Seconds that a turn which was accepted waits for the database, to read what it answers."""

INTERRUPTED = "The server stopped before the answer was whole. Ask again."


class ChatOptions(Struct, frozen=True):
    """`policy`: what happens to a message for a chat that is being answered, where the message does not say.
    `queue`: how many may wait.
    """

    policy: SendPolicy = "queue"
    queue: int = 16


class ChatStores(Struct, frozen=True):
    """What is read and written for turns of chats. `owner` is this process."""

    turns: Turns
    chats: Chats
    assistants: Assistants
    memories: Memories
    bells: Bells
    journal: KeptJournal
    owner: OwnerId
    options: ChatOptions = ChatOptions()


class Opened(Struct, frozen=True):
    """A turn that was accepted just now, and the chat's earlier ones that have not ended."""

    turn: Turn
    asked: ChatAsk
    started: TurnStarted
    accepted: Accepted


Begin = Callable[[Opened], Awaitable[Turn]]


class _Room:
    """What a message that came just now asks of the turns `ahead` of it, which other processes run. Each is `told`
    once.
    """

    def __init__(self, ahead: Iterable[TurnRecord], *, interrupts: bool) -> None:
        self.told = set[TurnId]()
        self._waited = {before.id for before in ahead if before.state == "waiting"}
        self._interrupts = interrupts
        self._until = time.monotonic() + WAITED_BEFORE

    @property
    def wanted(self) -> bool:
        return self._interrupts or not self._waited <= self.told or time.monotonic() < self._until

    def asks_of(self, before: TurnRecord) -> Literal["superseded", "cancelled"] | None:
        """What it is to be stopped as, if it is."""
        waits = before.state == "waiting" and (before.id in self._waited or time.monotonic() < self._until)
        if before.id in self.told or not (waits or self._interrupts):
            return None
        return "superseded" if before.state == "waiting" else "cancelled"


class ChatTurns:
    def __init__(self, stores: ChatStores, toolbox: Toolbox, parts: EngineParts) -> None:
        self._stores = stores
        self._toolbox = toolbox
        self._parts = parts
        self._views = Views(stores.turns, stores.bells, stores.journal)
        self._words = Words(stores.bells, stores.owner)
        self._doubts = Doubts(stores.turns)
        self._begin: Begin

    def attend(self, here: Here, begin: Begin) -> None:
        """From now on do what other processes ask of the turns that run here. `begin` is for turns whose acceptance
        was told to nobody.
        """
        self._begin = begin
        self._words.attend(here)

    async def open(self, ask: Ask, asked: ChatAsk, target: Target) -> "Opened | TurnId":
        """A turn that was accepted, or the id of the one that this request began before.

        What returns is kept. Raises what `Turns.accept` raises; then nothing was, or it begins by itself once it is
        found.
        """
        loop = asyncio.get_running_loop()
        until, new = loop.time() + REFUSED, self._new_turn(ask, asked, target)
        try:
            accepted = await self._stores.turns.accept(new)
        except StorageUnavailable as error:
            if not error.maybe_kept:
                raise
            doubt = Doubt(new.id, partial(self._begin_found, ask, asked, target, new))
            if await self._doubts.settle(doubt, until - loop.time()):
                return new.id
            raise
        if accepted.repeated:
            await self._doubts.hurry(accepted.turn.id, until - loop.time())
            return accepted.turn.id
        return self._open(ask, asked, target, new, accepted)

    def moment(self, opened: Opened, ahead: Sequence[TurnView]) -> Callable[[], Awaitable[Beginning]]:
        """When those ahead have ended, with the chat's history as it is by then."""
        here, accepted, asked = {turn.id: turn for turn in ahead}, opened.accepted, opened.asked
        elsewhere = [before for before in accepted.ahead if before.id not in here]
        room = _Room(elsewhere, interrupts=self._interrupts(asked)) if elsewhere else None

        async def begin() -> Beginning:
            for turn in here.values():
                await turn.finished()
            if room is not None:
                await self._until_ended_before(accepted.turn, room)
            if accepted.turn.state == "queued":
                self._stores.journal.tell_state(accepted.turn.id, accepted.turn.epoch, "running")
            return await patiently(partial(self._beginning, opened.turn, accepted.turn, accepted.chat, asked))

        return begin

    async def _until_ended_before(self, turn: TurnRecord, room: _Room) -> None:
        """Other processes run what is ahead of it, and are asked to make room as `make_room` does here."""
        heard = asyncio.Event()
        unsubscribe = self._stores.bells.subscribe(turn.chat, heard.set)
        try:
            while True:
                heard.clear()
                # A database that is away for a while must not cost the message that waits.
                with suppress(StorageUnavailable):
                    if await self._stores.turns.ended_before(turn):
                        return
                    if room.wanted:
                        await self._ask_for_room(turn, room)
                with suppress(TimeoutError):
                    await asyncio.wait_for(heard.wait(), LOOK)
        finally:
            unsubscribe()

    async def _ask_for_room(self, turn: TurnRecord, room: _Room) -> None:
        unended = await self._stores.turns.list(turn.chat, Page(limit=1_000), None, open_only=True)
        for before in unended:
            if before.position < turn.position and (stop := room.asks_of(before)) is not None:
                await self._stores.bells.send(Word(turn=before.id, stop=stop))
                room.told.add(before.id)

    async def reopen(self, record: TurnRecord, target: Target | None) -> Turn | None:
        """A turn that another process left waiting, to go on with. None where it can't be gone on with: it ended."""
        kept = await self._stores.turns.events(record.id)
        past = past_of([event for _, event in kept.events])
        told = self._stores.journal.reopen(kept, record.epoch)
        if past is None or target is None:
            await told.end(TurnEnded("incomplete", fault=TurnInterrupted(INTERRUPTED).fault()))
            return None
        request, asked = decode_asked(await self._stores.turns.asked(record.id))
        facts = msgspec.structs.replace(facts_of(record), started=time.monotonic())
        turn = Turn(facts, target, told, msgspec.structs.replace(request, model=target.model), {}, self._parts)
        self._watch(turn, record.epoch)
        waiting = take_up(turn, past)
        turn.resume = partial(finish_calls, turn, past, waiting)
        for _, event in kept.events:
            # To those who watch it begins here; what is over was shown by the other process.
            if isinstance(event, TurnStarted) or (isinstance(event, ToolCalled) and event.call.id in waiting):
                turn.show(event)
        turn.moment = partial(patiently, partial(self._begin_again, turn, record, asked, kept))
        return turn

    async def _begin_again(self, turn: Turn, record: TurnRecord, asked: ChatAsk, kept: KeptEvents) -> Beginning:
        chat = await self._stores.chats.find(record.chat, None)
        given = next((event.input for _, event in kept.events if isinstance(event, TurnStarted)), None)
        turn.request = msgspec.structs.replace(turn.request, messages=(given,) if given is not None else ())
        return await self._beginning(turn, record, chat, asked)

    def make_room(self, opened: Opened, ahead: Sequence[TurnView]) -> None:
        """Whoever says something new does not answer what they were asked, and may want no other answer either."""
        for turn in ahead:
            if turn.waiting:
                turn.stop("superseded")
            elif self._interrupts(opened.asked):
                turn.stop("cancelled")

    def _interrupts(self, asked: ChatAsk) -> bool:
        return (asked.policy or self._stores.options.policy) == "interrupt"

    async def find(self, turn_id: TurnId, principal: Principal) -> TurnView:
        """A turn that does not run here. `TurnNotFound`."""
        record = await self._stores.turns.find(turn_id, principal.reach)
        return await self._views.open(record)

    async def keeps(self, turn_id: TurnId) -> bool:
        """Whether a turn is there, as far as can be known while the database is away."""
        with suppress(StorageUnavailable):
            try:
                await self._stores.turns.find(turn_id, None)
            except TurnNotFound:
                return False
        return True

    async def open_in(self, chat: ChatId | None, reach: Reach) -> list[TurnId]:
        """The turns of a chat, or of a whole subtenant, that have not ended, wherever they run. `ChatNotFound`."""
        if chat is not None:
            page = Page(limit=1_000)
            return [record.id for record in await self._stores.turns.list(chat, page, reach, open_only=True)]
        return [record.id for record in await self._stores.turns.open_in(reach)] if reach is not None else []

    def forget(self, turn: TurnId) -> None:
        self._stores.journal.drop(turn)

    async def obey_early(self, turn: Turn) -> None:
        """What was said to a turn before it ran here."""
        await self._words.obey_early(turn)

    async def stop_looking(self) -> None:
        """From now on no turn begins by itself."""
        await self._doubts.close()

    async def close(self) -> None:
        await self._doubts.close()
        await self._words.close()
        await self._stores.journal.close()

    def _new_turn(self, ask: Ask, asked: ChatAsk, target: Target) -> NewTurn:
        turn_id, model = new_turn_id(), ask.request.model or target.model
        return NewTurn(
            id=turn_id,
            epoch=new_epoch(),
            owner=self._stores.owner,
            chat=asked.id,
            reach=ask.principal.reach,
            principal=ask.principal,
            door=ask.door,
            request_id=ask.request_id,
            model=model,
            provider=target.provider.name,
            started=TurnStarted(turn_id, model, ask.input),
            policy=asked.policy or self._stores.options.policy,
            queue=self._stores.options.queue,
            new_chat=asked.new,
            key=_request_key(ask, asked),
            enabled_functions=asked.enabled_functions,
            enabled_mcp_tools=asked.enabled_mcp_tools,
            asked=encode_asked(ask.request, asked),
        )

    def _open(self, ask: Ask, asked: ChatAsk, target: Target, new: NewTurn, accepted: Accepted) -> Opened:
        facts = msgspec.structs.replace(facts_of(accepted.turn), started=time.monotonic())
        request = msgspec.structs.replace(ask.request, model=target.model)
        log = self._stores.journal.open(new.id, new.epoch, (new.started,))
        turn = Turn(facts, target, log, request, {}, self._parts)
        self._watch(turn, new.epoch)
        return Opened(turn, asked, new.started, accepted)

    def _watch(self, turn: Turn, epoch: Epoch) -> None:
        """Keep its state, and let go of it where it is another process's by now."""
        turn.state_told = partial(self._stores.journal.tell_state, turn.id, epoch)
        self._stores.journal.when_lost(turn.id, turn.lose)

    async def _begin_found(self, ask: Ask, asked: ChatAsk, target: Target, new: NewTurn, record: TurnRecord) -> None:
        """What was accepted is answered, though nobody was told that it was. Somebody may have ended it before."""
        if record.epoch != new.epoch or record.ended_at is not None:
            return
        chat = await self._stores.chats.find(record.chat, None)
        unended = await self._stores.turns.list(record.chat, Page(limit=1_000), None, open_only=True)
        ahead = tuple(turn for turn in unended if turn.position < record.position)
        await self._begin(self._open(ask, asked, target, new, Accepted(record, chat, ahead)))

    async def _beginning(self, turn: Turn, record: TurnRecord, chat: Chat, asked: ChatAsk) -> Beginning:
        assistant = await self._assistant(chat)
        history = await self._stores.turns.history(record) if record.position > 1 else ()
        texts = [assistant.system_prompt if assistant else None, chat.system_message]
        if asked.include_memories:
            known = await self._stores.memories.known(record.subtenant, MOST_MEMORIES)
            texts.append(memories_block(known))
        said = [text for text in texts if text]
        system: tuple[Message, ...] = (system_message("\n\n".join(said)),) if said else ()
        tools: Mapping[str, Tool] = select_tools(self._toolbox.offered(record.principal), asked, chat, assistant)
        return Beginning((*system, *history, *turn.request.messages), tools)

    async def _assistant(self, chat: Chat) -> Assistant | None:
        """None also where it was deleted since: the chat goes on without."""
        if chat.assistant_id is None:
            return None
        try:
            assistant = await self._stores.assistants.find(chat.assistant_id, chat.subtenant_id)
        except AssistantNotFound:
            return None
        return assistant if assistant.is_active else None


async def patiently(read: Callable[[], Awaitable[Beginning]]) -> Beginning:
    """What was accepted is answered also if the database went away since. `StorageUnavailable` after `PATIENCE`."""
    last = time.monotonic() + PATIENCE
    while True:
        try:
            return await read()
        except StorageUnavailable:
            if time.monotonic() >= last:
                raise
        await asyncio.sleep(LOOK)


def _request_key(ask: Ask, asked: ChatAsk) -> RequestKey | None:
    if ask.idempotency is None:
        return None
    return chat_key(ask.principal, ask.door, ask.idempotency, asked.id if asked.new is None else None)
