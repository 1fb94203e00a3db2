"""Turns of stored chats: how they are accepted, when they begin and on which history, and how they are found again."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct

from parlance.core.errors import AssistantNotFound, CallNotWaiting, StorageUnavailable, TurnInterrupted
from parlance.core.events import TurnEnded, TurnStarted
from parlance.core.ids import ChatId, Epoch, OwnerId, TurnId, new_epoch, new_turn_id
from parlance.core.journal import KeptJournal
from parlance.core.messages import Message, system_message
from parlance.core.principal import Principal
from parlance.core.provider import Target
from parlance.core.stores import Page, Reach
from parlance.core.stores.assistants import Assistant, Assistants
from parlance.core.stores.bells import Bells, Unsubscribe
from parlance.core.stores.chats import Chat, Chats
from parlance.core.stores.memories import Memories
from parlance.core.stores.turns import Accepted, KeptEvents, NewTurn, RequestKey, SendPolicy, TurnRecord, Turns, Word
from parlance.core.tool import Tool, Toolbox
from parlance.engine.adoption import finish_calls, past_of, take_up
from parlance.engine.ask import Ask, ChatAsk, decode_asked, encode_asked
from parlance.engine.kept import KeptTurn, facts_of
from parlance.engine.prepare.memories import MOST_MEMORIES, memories_block
from parlance.engine.remote import RemoteTurn
from parlance.engine.selection import select_tools
from parlance.engine.turn_state import Beginning, EngineParts, Turn
from parlance.engine.view import TurnView

log = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between looks whether a turn that another process runs has ended."""

MOST_EARLY = 1_000
"""Turns that do not run here yet, and for which words are kept."""

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
    started: TurnStarted
    accepted: Accepted


class ChatTurns:
    def __init__(self, stores: ChatStores, toolbox: Toolbox, parts: EngineParts) -> None:
        self._stores = stores
        self._toolbox = toolbox
        self._parts = parts
        self._views: WeakValueDictionary[TurnId, KeptTurn | RemoteTurn] = WeakValueDictionary()
        self._obeying: asyncio.Task[None] | None = None
        self._again = False
        self._early: dict[TurnId, list[Word]] = {}
        self._unattend: Unsubscribe | None = None

    async def open(self, ask: Ask, asked: ChatAsk, target: Target) -> "Opened | TurnId":
        """A turn that was accepted, or the id of the one that this request began before.

        What returns is kept. Raises what `Turns.accept` raises; then nothing was.
        """
        turn_id, epoch = new_turn_id(), new_epoch()
        model = ask.request.model or target.model
        started = TurnStarted(turn_id, model, ask.input)
        accepted = await self._stores.turns.accept(
            NewTurn(
                id=turn_id,
                epoch=epoch,
                owner=self._stores.owner,
                chat=asked.id,
                reach=ask.principal.reach,
                principal=ask.principal,
                door=ask.door,
                request_id=ask.request_id,
                model=model,
                provider=target.provider.name,
                started=started,
                policy=asked.policy or self._stores.options.policy,
                queue=self._stores.options.queue,
                new_chat=asked.new,
                key=_request_key(ask, asked),
                enabled_functions=asked.enabled_functions,
                enabled_mcp_tools=asked.enabled_mcp_tools,
                asked=encode_asked(ask.request, asked),
            )
        )
        if accepted.repeated:
            return accepted.turn.id
        return Opened(self._open(ask, target, accepted, started, epoch), started, accepted)

    def moment(self, opened: Opened, asked: ChatAsk, ahead: Sequence[TurnView]) -> Callable[[], Awaitable[Beginning]]:
        """When those ahead have ended, with the chat's history as it is by then."""
        here, elsewhere = list(ahead), len(opened.accepted.ahead) > len(ahead)

        async def begin() -> Beginning:
            for turn in here:
                await turn.finished()
            if elsewhere:
                await self._until_ended_before(opened.accepted.turn, asked)
            accepted = opened.accepted
            if accepted.ahead:
                self._stores.journal.tell_state(opened.turn.id, "running")
            return await patiently(partial(self._beginning, opened.turn, accepted.turn, accepted.chat, asked))

        return begin

    async def _until_ended_before(self, turn: TurnRecord, asked: ChatAsk) -> None:
        """Other processes run what is ahead of it, and are asked to make room as `make_room` does here."""
        heard, told = asyncio.Event(), set[TurnId]()
        unsubscribe = self._stores.bells.subscribe(turn.chat, heard.set)
        try:
            while True:
                heard.clear()
                # A database that is away for a while must not cost the message that waits.
                with suppress(StorageUnavailable):
                    if await self._stores.turns.ended_before(turn):
                        return
                    await self._ask_for_room(turn, asked, told)
                with suppress(TimeoutError):
                    await asyncio.wait_for(heard.wait(), LOOK)
        finally:
            unsubscribe()

    async def _ask_for_room(self, turn: TurnRecord, asked: ChatAsk, told: set[TurnId]) -> None:
        ahead = await self._stores.turns.list(turn.chat, Page(limit=1_000), None, open_only=True)
        for before in ahead:
            waits = before.state == "waiting"
            if before.position < turn.position and before.id not in told and (waits or self._interrupts(asked)):
                told.add(before.id)
                await self._stores.bells.send(Word(turn=before.id, stop="superseded" if waits else "cancelled"))

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
        turn.state_told = self._stores.journal.tell_state
        turn.resume = partial(finish_calls, turn, past, take_up(turn, past))
        turn.moment = partial(patiently, partial(self._begin_again, turn, record, asked, kept))
        return turn

    async def _begin_again(self, turn: Turn, record: TurnRecord, asked: ChatAsk, kept: KeptEvents) -> Beginning:
        chat = await self._stores.chats.find(record.chat, None)
        given = next((event.input for _, event in kept.events if isinstance(event, TurnStarted)), None)
        turn.request = msgspec.structs.replace(turn.request, messages=(given,) if given is not None else ())
        return await self._beginning(turn, record, chat, asked)

    def make_room(self, opened: Opened, asked: ChatAsk, ahead: Sequence[TurnView]) -> None:
        """Whoever says something new does not answer what they were asked, and may want no other answer either."""
        for turn in ahead:
            if turn.waiting:
                turn.stop("superseded")
            elif self._interrupts(asked):
                turn.stop("cancelled")

    def _interrupts(self, asked: ChatAsk) -> bool:
        return (asked.policy or self._stores.options.policy) == "interrupt"

    async def find(self, turn_id: TurnId, principal: Principal) -> TurnView:
        """A turn that does not run here. `TurnNotFound`."""
        record = await self._stores.turns.find(turn_id, principal.reach)
        known = self._views.get(turn_id)
        if known is not None:
            await known.catch_up()
            return known
        kept = await self._stores.turns.events(turn_id)
        told = self._stores.journal.restore(kept)
        view: KeptTurn | RemoteTurn = (
            KeptTurn(record, told) if told.ended else RemoteTurn(record, told, self._stores.turns, self._stores.bells)
        )
        # Many may come back at once: they share one log, and one look into the stores for what is new in it.
        return self._views.setdefault(turn_id, view)

    def attend(self, here: Callable[[TurnId], Turn | None]) -> None:
        """From now on do what other processes ask of the turns that run here."""

        def rung() -> None:
            if self._obeying is None or self._obeying.done():
                self._obeying = asyncio.create_task(self._obey(here), name="words for this process")
            else:
                self._again = True

        self._unattend = self._stores.bells.attend(self._stores.owner, rung)

    async def _obey(self, here: Callable[[TurnId], Turn | None]) -> None:
        self._again = True
        while self._again:
            self._again = False
            try:
                words = await self._stores.bells.words_for(self._stores.owner)
            except StorageUnavailable:
                return
            for word in words:
                turn = here(word.turn)
                if turn is not None:
                    await _obey_word(turn, word)
                else:
                    self._keep_early(word)

    def _keep_early(self, word: Word) -> None:
        """For a turn that is being accepted or taken over at this moment: what is said to it must not be lost."""
        self._early.setdefault(word.turn, []).append(word)
        if len(self._early) > MOST_EARLY:
            del self._early[next(iter(self._early))]

    async def obey_early(self, turn: Turn) -> None:
        """What was said to a turn before it ran here."""
        for word in self._early.pop(turn.id, ()):
            await _obey_word(turn, word)

    async def open_in(self, chat: ChatId | None, reach: Reach) -> list[TurnId]:
        """The turns of a chat, or of a whole subtenant, that have not ended, wherever they run. `ChatNotFound`."""
        if chat is not None:
            page = Page(limit=1_000)
            return [record.id for record in await self._stores.turns.list(chat, page, reach, open_only=True)]
        return [record.id for record in await self._stores.turns.open_in(reach)] if reach is not None else []

    def forget(self, turn: TurnId) -> None:
        self._stores.journal.drop(turn)

    async def close(self) -> None:
        if self._unattend is not None:
            self._unattend()
        if self._obeying is not None:
            await asyncio.wait((self._obeying,))
        await self._stores.journal.close()

    def _open(self, ask: Ask, target: Target, accepted: Accepted, started: TurnStarted, epoch: Epoch) -> Turn:
        facts = msgspec.structs.replace(facts_of(accepted.turn), started=time.monotonic())
        request = msgspec.structs.replace(ask.request, model=target.model)
        log = self._stores.journal.open(facts.turn, epoch, (started,))
        turn = Turn(facts, target, log, request, {}, self._parts)
        turn.state_told = self._stores.journal.tell_state
        return turn

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


async def _obey_word(turn: Turn, word: Word) -> None:
    if word.stop is not None:
        turn.stop(word.stop)
        return
    try:
        await turn.answer(word.answers)
    except CallNotWaiting as error:
        log.info("Answers from another process came too late: %s", error.message)


def _request_key(ask: Ask, asked: ChatAsk) -> RequestKey | None:
    given = ask.idempotency
    if given is None:
        return None
    # The same words for another chat are another request; a chat that is new is none that a client could name.
    operation = ask.door if asked.new is not None else f"{ask.door} {asked.id}"
    return RequestKey(ask.principal.home, ask.principal.key_id, operation, given.key, given.fingerprint)
