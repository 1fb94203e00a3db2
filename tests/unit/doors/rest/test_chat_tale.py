"""A chat's stream goes on behind any cursor of it, whichever processes its turns went through."""

import asyncio
from collections.abc import Sequence

import pytest

from parlance.core.errors import ChatNotFound, CursorExpired
from parlance.core.events import TextGrew, ToolCalled
from parlance.core.ids import ChatId, KeyId, TurnId
from parlance.core.journal import Cursor
from parlance.core.principal import LOCAL_ADMIN, Principal
from parlance.core.stores import Page, Reach
from parlance.core.stores.turns import TurnRecord
from parlance.core.tool import Answer
from parlance.dialects.rest.serve import Told
from parlance.doors.rest.chat_tale import ChatTale, LostPlace
from parlance.doors.rest.stores import Stores
from parlance.engine.view import TurnView
from parlance.store.in_memory.answers import InMemoryAnswers
from parlance.store.in_memory.model_calls import InMemoryModelCalls
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.testing.clock import settle
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.turns.chat_stage import ChatStage, Shelves, heard
from tests.turns.stage import PATIENCE, here, of, until

STRANGER = Principal("subtenant", KeyId("stranger"), "elsewhere")


def tale_of(stage: ChatStage, chat: ChatId, principal: Principal = LOCAL_ADMIN) -> ChatTale:
    shelves = stage.shelves
    stores = Stores(
        subtenants=shelves.subtenants,
        chats=shelves.chats,
        messages=shelves.messages,
        memories=shelves.memories,
        assistants=shelves.assistants,
        calls=InMemoryModelCalls(shelves.shelf),
        turns=shelves.turns,
        answers=InMemoryAnswers(shelves.shelf),
        bells=shelves.bells,
    )
    return ChatTale(stores, stage.engine, chat, principal)


async def told_behind(stage: ChatStage, chat: ChatId, cursor: str, last: str) -> list[Told]:
    """What a chat's stream tells behind a cursor, up to the one that is the last so far."""
    tale = tale_of(stage, chat)
    told: list[Told] = []
    async with asyncio.timeout(PATIENCE):
        telling = tale.tell(await tale.place(cursor), reasoning=True, warnings=True)
        while not told or told[-1].cursor != last:
            told += await anext(telling)
        await telling.aclose()
    return told


def place_of(told: Told) -> Cursor:
    assert told.cursor is not None
    return Cursor.decode(told.cursor)


def tail(told: Sequence[Told], number: int) -> list[Told]:
    return [one for one in told if place_of(one).number > number]


async def through_three_processes(shelves: Shelves) -> tuple[ChatStage, ChatId, list[TurnView]]:
    """A turn that waited for its caller in two processes which stopped, and was answered in a third one; and the turn
    as each of them had it.
    """
    chat, turns = await shelves.chat(), list[TurnView]()
    stages = [
        ChatStage(shelves, provider)
        for provider in (
            ScriptedProvider(answering("Before"), calling(("pick", "{}"), text="Let me see")),
            ScriptedProvider(),
            ScriptedProvider(answering("It", " is", " red"), answering("Behind")),
        )
    ]
    for stage in stages:
        await shelves.leases.hold(stage.owner, 60)
        if not turns:
            await heard(await stage.send(chat, "first"))
            turns.append(await stage.send(chat, callers_tools=("pick",)))
            await until(here(turns[0]), lambda event: isinstance(event, ToolCalled))
        else:
            (record,) = await shelves.leases.adopt(stage.owner)
            await stage.engine.adopt(record)
            turns.append(await stage.engine.find(record.id, LOCAL_ADMIN))
        await settle()
        if stage is not stages[-1]:
            await stage.engine.close(grace=60.0)
            await shelves.leases.release(stage.owner)
    (call,) = of(turns[-1].log.read(), ToolCalled)
    await turns[-1].answer([Answer(call.call.id, "red")])
    await heard(turns[-1])
    await heard(await stages[-1].send(chat, "last"))
    return stages[-1], chat, turns


@pytest.mark.requirement("rest:live:adopted")
async def test_behind_each_cursor_of_each_owner_of_a_turn_its_chat_goes_on_without_a_gap() -> None:
    shelves = await Shelves().opened()
    stage, chat, turns = await through_three_processes(shelves)
    assert len({turn.log.epoch for turn in turns}) == 3
    newest = await shelves.turns.newest(chat, None)
    assert newest is not None
    last = Cursor(newest.epoch, newest.head).encode()
    whole = await told_behind(stage, chat, Cursor(turns[-1].log.epoch, 0).encode(), last)
    for process in (stage, ChatStage(shelves)):
        for turn in turns:
            for number in range(turn.log.head + 1):
                cursor = Cursor(turn.log.epoch, number).encode()
                told = await told_behind(process, chat, cursor, last)
                of_the_turn = [one for one in whole if place_of(one).epoch == turns[-1].log.epoch]
                assert told == tail(of_the_turn, number) + whole[len(of_the_turn) :], cursor
        await process.engine.close()


@pytest.mark.requirement("rest:live:adopted")
async def test_a_cursor_of_what_an_owner_showed_and_did_not_keep_is_told_by_a_snapshot() -> None:
    shelves = await Shelves().opened()
    stage, chat, turns = await through_three_processes(shelves)
    for turn in turns:
        with pytest.raises(LostPlace) as lost:
            await tale_of(stage, chat).place(Cursor(turn.log.epoch, turn.log.head + 1).encode())
        assert lost.value.turn.id == turn.id
    await stage.engine.close()


async def test_a_turn_that_was_swept_goes_on_behind_what_was_kept_and_no_further() -> None:
    shelves = await Shelves().opened()
    left, stage, chat = (
        ChatStage(shelves, ScriptedProvider([*answering("So", " far")[:-1], asyncio.Event()])),
        ChatStage(shelves),
        await shelves.chat(),
    )
    await shelves.leases.hold(left.owner, 60)
    turn = await left.send(chat)
    await until(here(turn), lambda event: isinstance(event, TextGrew))
    await settle()
    kept = (await shelves.turns.find(turn.id, None)).head
    await shelves.leases.release(left.owner)
    await shelves.leases.sweep()
    swept = await shelves.turns.find(turn.id, None)
    last = Cursor(swept.epoch, swept.head).encode()
    whole = await told_behind(stage, chat, Cursor(swept.epoch, 0).encode(), last)
    for number in range(kept + 1):
        told = await told_behind(stage, chat, Cursor(turn.log.epoch, number).encode(), last)
        assert told == tail(whole, number)
    with pytest.raises(LostPlace):
        await tale_of(stage, chat).place(Cursor(turn.log.epoch, kept + 1).encode())
    await left.engine.close()
    await stage.engine.close()


class Counted(InMemoryTurns):
    """Counts the turns that are read, whichever way."""

    read = 0

    async def list(self, chat: ChatId, page: Page, reach: Reach, *, open_only: bool = False) -> tuple[TurnRecord, ...]:
        found = await super().list(chat, page, reach, open_only=open_only)
        self.read += len(found)
        return found

    async def find(self, turn: TurnId, reach: Reach) -> TurnRecord:
        self.read += 1
        return await super().find(turn, reach)


async def test_a_place_is_found_without_reading_the_chats_other_turns() -> None:
    shelves = await Shelves().opened()
    shelves.turns = turns = Counted(shelves.shelf)
    stage, chat = ChatStage(shelves), await shelves.chat()
    sent = [await stage.send(chat) for _ in range(12)]
    for turn in sent:
        await heard(turn)
    tale, turns.read = tale_of(stage, chat), 0
    for turn in sent:
        assert (await tale.place(Cursor(turn.log.epoch, 1).encode())).turn is turn
    assert (await tale.place(None)).position == len(sent)
    with pytest.raises(LostPlace) as lost:
        await tale.place("elsewhere-2")
    # Each is looked for once: it may have been deleted.
    assert (lost.value.turn, turns.read) == (sent[-1], len(sent) + 1)
    await stage.engine.close()


async def test_a_chat_without_turns_has_no_place_for_a_cursor_and_none_for_strangers() -> None:
    shelves = await Shelves().opened()
    stage, chat = ChatStage(shelves), await shelves.chat()
    assert (await tale_of(stage, chat).place(None)).position == 0
    with pytest.raises(CursorExpired):
        await tale_of(stage, chat).place("elsewhere-2")
    with pytest.raises(ChatNotFound):
        await tale_of(stage, chat, STRANGER).place("elsewhere-2")
    await stage.engine.close()
