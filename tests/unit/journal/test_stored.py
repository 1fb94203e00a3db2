"""What stored turns say is told and kept, in the order that was promised, whatever the database does."""

import asyncio
from collections.abc import Sequence
from typing import Literal

import pytest

from parlance.core.errors import StorageUnavailable
from parlance.core.events import Event, StepEnded, StepStarted, TextGrew, TurnEnded, TurnStarted
from parlance.core.ids import Epoch, OwnerId, TurnId, new_chat_id, new_epoch, new_message_id, new_turn_id
from parlance.core.messages import Origin, user_message
from parlance.core.principal import DEFAULT_SUBTENANT, LOCAL_ADMIN
from parlance.core.stores.chats import NewChat
from parlance.core.stores.turns import Accepted, Ending, NewTurn, Piece, TurnRecord
from parlance.journal.memory import MemoryJournal
from parlance.journal.stored import Keeping, StoredJournal, StoredLog
from parlance.store.in_memory.leases import InMemoryLeases
from parlance.store.in_memory.shelf import Shelf
from parlance.store.in_memory.subtenants import InMemorySubtenants
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.testing.clock import settle

ENDED = TurnEnded("completed", "stop")


class ShakyTurns(InMemoryTurns):
    """Away while `away` is set; `may_keep` holds up what is being kept."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.shelf = shelf
        self.away = False
        self.tries = 0
        self.may_keep = asyncio.Event()
        self.may_keep.set()

    async def keep(self, pieces: Sequence[Piece]) -> frozenset[TurnId]:
        await self.may_keep.wait()
        self._check()
        return await super().keep(pieces)

    async def end(self, ending: Ending) -> TurnRecord:
        self._check()
        return await super().end(ending)

    async def state(self, turn: TurnId, epoch: Epoch, state: Literal["running", "waiting"]) -> None:
        self._check()
        await super().state(turn, epoch, state)

    def _check(self) -> None:
        self.tries += 1
        if self.away:
            raise StorageUnavailable("The database is away.")


class House:
    def __init__(self, keeping: Keeping) -> None:
        shelf = Shelf()
        self.subtenants = InMemorySubtenants(shelf)
        self.turns = ShakyTurns(shelf)
        self.journal = StoredJournal(MemoryJournal(), self.turns, keeping)

    async def accepted(self) -> Accepted:
        await self.subtenants.ensure(frozenset({DEFAULT_SUBTENANT}))
        chat, turn = new_chat_id(), new_turn_id()
        return await self.turns.accept(
            NewTurn(
                id=turn,
                epoch=new_epoch(),
                owner=OwnerId("us"),
                chat=chat,
                reach=None,
                principal=LOCAL_ADMIN,
                door="door",
                request_id="request",
                model="fast",
                provider="scripted",
                started=TurnStarted(turn, "fast", user_message("Hello")),
                new_chat=NewChat(id=chat, subtenant_id=DEFAULT_SUBTENANT),
            )
        )

    async def opened(self) -> StoredLog:
        record = (await self.accepted()).turn
        begun = (await self.turns.events(record.id)).events
        return self.journal.open(record.id, record.epoch, [event for _, event in begun])

    async def kept(self, log: StoredLog) -> list[Event]:
        return [event for _, event in (await self.turns.events(log.turn)).events]


def words(*texts: str) -> list[Event]:
    return [TextGrew(1, text) for text in texts]


async def test_what_is_appended_is_told_at_once_and_kept_soon() -> None:
    house = House(Keeping(delay=0.0))
    log = await house.opened()
    log.append(words("a", "b"))
    assert [*log.read(1)] == words("a", "b")
    log.append(words("c"))
    await settle()
    assert (await house.kept(log))[1:] == words("a", "b", "c")
    await house.journal.close()


async def test_a_strict_log_tells_nothing_that_is_not_kept() -> None:
    house = House(Keeping("strict", delay=0.0))
    log = await house.opened()
    house.turns.may_keep.clear()
    log.append(words("a"))
    await settle()
    assert log.head == 1
    assert len(await house.kept(log)) == 1
    log.append(words("b"))
    house.turns.may_keep.set()
    await settle()
    assert [*log.read(1)] == words("a", "b")
    assert (await house.kept(log))[1:] == words("a", "b")
    log.append(words("c"))
    assert await log.end(ENDED) == ENDED
    assert [*log.read(1)] == [*words("a", "b", "c"), ENDED]
    await house.journal.close()


async def test_an_ending_is_kept_before_it_is_told_and_with_the_messages_of_the_turn() -> None:
    house = House(Keeping(delay=60.0))
    log = await house.opened()
    origin = Origin("scripted", "fast", "scripted")
    log.append([StepStarted(1, origin), StepEnded(1, "stop", new_message_id())])
    assert len(await house.kept(log)) == 1
    assert await log.end(ENDED) == ENDED
    assert log.ended
    assert (await house.kept(log))[-1] == ENDED
    assert (await house.turns.find(log.turn, None)).state == "completed"


async def test_a_database_that_comes_back_gets_all_that_was_said_meanwhile() -> None:
    house = House(Keeping(delay=0.0, again=0.0))
    log = await house.opened()
    house.turns.away = True
    log.append(words("a"))
    await settle()
    assert house.turns.tries > 1
    log.append(words("b"))
    assert log.head == 3
    house.turns.away = False
    await settle()
    assert (await house.kept(log))[1:] == words("a", "b")
    await house.journal.close()


async def test_who_waits_for_what_was_said_hears_when_it_is_kept() -> None:
    house = House(Keeping(delay=0.0))
    log = await house.opened()
    await log.secured()
    house.turns.may_keep.clear()
    log.append(words("a"))
    first, left = asyncio.create_task(log.secured()), asyncio.create_task(log.secured())
    await settle()
    log.append(words("b"))
    second = asyncio.create_task(log.secured())
    left.cancel()
    await settle()
    assert not first.done()
    house.turns.may_keep.set()
    await first
    assert (await house.kept(log))[1:2] == words("a")
    await second
    assert (await house.kept(log))[1:] == words("a", "b")
    await house.journal.close()


async def test_who_waits_for_what_was_said_hears_that_the_database_is_away() -> None:
    house = House(Keeping(delay=0.0, again=0.0))
    log = await house.opened()
    house.turns.away = True
    log.append(words("a"))
    with pytest.raises(StorageUnavailable, match="away"):
        await log.secured()
    house.turns.away = False
    await log.secured()
    assert (await house.kept(log))[1:] == words("a")
    await house.journal.close()


@pytest.mark.parametrize("away", [False, True])
async def test_an_ending_tells_those_who_wait_for_what_was_said_before(away: bool) -> None:
    house = House(Keeping(delay=60.0, patience=0.0))
    log = await house.opened()
    log.append(words("a"))
    waiting = asyncio.create_task(log.secured())
    await settle()
    house.turns.away = away
    await log.end(ENDED)
    outcome = (await asyncio.gather(waiting, return_exceptions=True))[0]
    assert isinstance(outcome, StorageUnavailable) is away


async def test_who_waits_for_what_was_said_hears_that_the_turn_is_another_server_s() -> None:
    house = House(Keeping(delay=0.0))
    log = await house.opened()
    await house.turns.end(Ending(Piece(log.turn, log.epoch, 2, (ENDED,)), ENDED, ()))
    log.append(words("a"))
    with pytest.raises(StorageUnavailable, match="Another server"):
        await log.secured()
    await house.journal.close()


async def test_an_ending_that_can_not_be_kept_in_time_is_said_and_kept_later() -> None:
    house = House(Keeping(delay=0.0, patience=0.0, again=0.0))
    log = await house.opened()
    house.turns.away = True
    log.append(words("a"))
    told = await log.end(ENDED)
    assert (told.status, told.finish) == ("incomplete", "stop")
    assert told.fault is not None
    assert (told.fault.code, told.fault.retryable) == ("not_stored", True)
    assert log.read(log.head - 1)[0] == told
    house.turns.away = False
    await settle()
    record = await house.turns.find(log.turn, None)
    assert (record.state, record.fault) == ("incomplete", told.fault)
    assert (await house.kept(log))[1:] == [*words("a"), told]
    await house.journal.close()


async def test_an_ending_waits_for_what_is_on_its_way() -> None:
    house = House(Keeping(delay=0.0))
    log = await house.opened()
    house.turns.may_keep.clear()
    log.append(words("a"))
    await settle()
    ending = asyncio.create_task(log.end(ENDED))
    await settle()
    assert not ending.done()
    house.turns.may_keep.set()
    await ending
    assert (await house.kept(log))[1:] == [*words("a"), ENDED]
    await house.journal.close()


async def test_nothing_is_appended_behind_an_ending() -> None:
    house = House(Keeping(delay=0.0))
    log = await house.opened()
    await log.end(ENDED)
    with pytest.raises(RuntimeError, match="has ended"):
        log.append(words("late"))
    log.append([])


async def test_a_state_that_could_not_be_kept_is_kept_later_and_only_the_newest() -> None:
    house = House(Keeping(delay=0.0, again=0.0))
    log, other = await house.opened(), await house.opened()
    house.turns.away = True
    house.journal.tell_state(log.turn, log.epoch, "running")
    house.journal.tell_state(other.turn, other.epoch, "waiting")
    await settle()
    assert house.turns.tries > 1
    house.journal.tell_state(log.turn, log.epoch, "waiting")
    house.turns.away = False
    await settle()
    assert [(await house.turns.find(one.turn, None)).state for one in (log, other)] == ["waiting", "waiting"]
    await house.journal.close()


async def test_a_turn_that_others_took_for_dead_ends_as_they_ended_it() -> None:
    house = House(Keeping(delay=0.0))
    log = await house.opened()
    record = await house.turns.find(log.turn, None)
    swept = TurnEnded("incomplete")
    await house.turns.end(Ending(Piece(record.id, record.epoch, 2, (swept,)), swept, ()))
    assert await log.end(ENDED) == swept


async def test_what_was_kept_is_restored_with_its_numbers_and_cursors() -> None:
    house = House(Keeping(delay=0.0))
    log = await house.opened()
    log.append(words("a", "b"))
    await log.end(ENDED)
    restored = house.journal.restore(await house.turns.events(log.turn))
    assert [*restored.numbered()] == [*log.numbered()]
    assert (restored.epoch, restored.head, restored.ended) == (log.epoch, log.head, True)


@pytest.mark.parametrize("durability", ["grouped", "strict"])
async def test_what_somebody_else_goes_on_with_is_neither_told_nor_kept_here(
    durability: Literal["grouped", "strict"],
) -> None:
    house, heard = House(Keeping(durability, delay=0.0)), asyncio.Event()
    log = await house.opened()
    house.journal.when_lost(log.turn, heard.set)
    await house.turns.state(log.turn, log.epoch, "waiting")
    (adopted,) = await InMemoryLeases(house.turns.shelf).adopt(OwnerId("them"))
    log.append(words("a"))
    await settle()
    assert heard.is_set()
    head = log.head
    assert head == (2 if durability == "grouped" else 1)
    log.append(words("b"))
    await settle()
    assert log.head == head
    ended = await log.end(ENDED)
    assert (ended.status, ended.fault.code if ended.fault else None) == ("incomplete", "interrupted")
    assert log.head == head + 1
    assert await house.turns.find(log.turn, None) == adopted
    assert len(await house.kept(log)) == 1
    await house.journal.close()
