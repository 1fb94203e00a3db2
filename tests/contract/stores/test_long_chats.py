"""Chats that are too long to be read at once, in slices of a few messages; and what happens between two of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.errors import ChatNotFound
from parlance.core.ids import ChatId
from parlance.store.database import Database
from tests.contract.stores.conftest import Backing
from tests.contract.stores.turn_world import Keepers, a_step, an_ending, said_by, texts
from tests.contract.stores.turn_world import keepers as keepers
from tests.contract.stores.world import Stores, a_turn, keep_texts, new_chat
from tests.probes.databases import LONG

Act = Callable[[], Awaitable[object]]

in_sql = pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def slices_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def cut(size: int) -> None:
        monkeypatch.setattr("parlance.store.slices.FIRST", size)
        monkeypatch.setattr("parlance.store.slices.NEXT", size)

    return cut


@pytest.fixture
def behind_slice(backing: Backing, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Act], None]:
    """Has something done behind so many transactions that read."""
    assert isinstance(backing, Database)
    reading, passed = backing.reading, 0

    def when(number: int, act: Act) -> None:
        @asynccontextmanager
        async def read(*, within: float = LONG) -> AsyncIterator[AsyncConnection]:
            nonlocal passed
            async with reading(within=within) as connection:
                yield connection
            passed += 1
            if passed == number:
                await act()

        monkeypatch.setattr(backing, "reading", read)

    return when


@pytest.mark.requirement("stores:messages:order")
async def test_a_long_chat_is_read_whole_and_in_order(stores: Stores) -> None:
    chat = await new_chat(stores)
    wanted: list[str] = []
    for position, length in enumerate((3, 1_600, 1, 500, 2), 1):
        said = [f"{position}.{number}" for number in range(length)]
        await keep_texts(stores, a_turn(chat, position), said)
        wanted += said
    assert [stored.message.text for stored in await stores.messages.all(chat.id, chat.subtenant_id)] == wanted


@pytest.mark.requirement("stores:messages:order")
@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7])
async def test_slices_of_any_length_are_the_whole(
    keepers: Keepers, slices_of: Callable[[int], None], size: int
) -> None:
    chat = await keepers.chat()
    await keepers.answered(chat, "one", "first")
    await keepers.answered(chat, "two", "broken", status="failed")
    await keepers.accept(chat, "three")
    turn = (await keepers.accept(chat, "four")).turn
    slices_of(size)
    assert await texts(keepers, chat) == [
        ("user", "one", "completed"),
        ("assistant", "first", "completed"),
        ("user", "two", "failed"),
        ("assistant", "broken", "failed"),
        ("user", "three", None),
        ("user", "four", None),
    ]
    assert said_by(await keepers.turns.history(turn)) == [("user", "one"), ("assistant", "first"), ("user", "two")]


@in_sql
@pytest.mark.requirement("stores:messages:long")
@pytest.mark.parametrize("number", range(1, 6))
async def test_what_comes_while_a_chat_is_read_leaves_no_hole(
    keepers: Keepers, slices_of: Callable[[int], None], behind_slice: Callable[[int, Act], None], number: int
) -> None:
    chat = await keepers.chat()
    early = (await keepers.accept(chat, "question 1")).turn
    await keepers.answered(chat, "question 2", "answer 2")
    late = (await keepers.accept(chat, "question 3")).turn

    async def go_on() -> None:
        await keepers.turns.end(an_ending(early, a_step("answer 1")))
        await keepers.turns.end(an_ending(late, a_step("answer 3")))
        await keepers.answered(chat, "question 4", "answer 4")

    before = await texts(keepers, chat)
    slices_of(1)
    behind_slice(number, go_on)
    found = await texts(keepers, chat)
    after = await texts(keepers, chat)
    said = [text for _, text, _ in found]
    assert {text for _, text, _ in before} <= set(said)
    assert said == [text for _, text, _ in after if text in said]
    assert "question 4" not in said or {"answer 1", "answer 3"} <= set(said)
    for turn in range(1, 4):
        states = {state for _, text, state in found if text.endswith(str(turn))}
        assert states == {"completed" if f"answer {turn}" in said else None}


@in_sql
@pytest.mark.requirement("stores:messages:long")
@pytest.mark.parametrize("number", range(1, 4))
async def test_a_chat_that_is_deleted_while_it_is_read_is_not_there(
    keepers: Keepers, slices_of: Callable[[int], None], behind_slice: Callable[[int, Act], None], number: int
) -> None:
    chat, _ = await long_chat(keepers)
    slices_of(1)
    behind_slice(number, lambda: keepers.chats.delete(chat, None))
    with pytest.raises(ChatNotFound):
        await keepers.messages.all(chat, None)


@in_sql
@pytest.mark.requirement("stores:messages:long")
async def test_one_that_is_deleted_while_its_history_is_read_has_none(
    keepers: Keepers, slices_of: Callable[[int], None], behind_slice: Callable[[int, Act], None]
) -> None:
    chat, _ = await long_chat(keepers)
    turn = (await keepers.accept(chat, "last")).turn
    slices_of(1)
    behind_slice(2, lambda: keepers.chats.delete(chat, None))
    assert await keepers.turns.history(turn) == ()


@in_sql
@pytest.mark.requirement("stores:messages:long")
@pytest.mark.parametrize("read", ["all", "history"])
async def test_others_have_their_turn_while_long_chats_are_read(
    keepers: Keepers, slices_of: Callable[[int], None], read: str
) -> None:
    chat, length = await long_chat(keepers)
    turn = (await keepers.accept(chat, "last")).turn
    slices_of(1)
    done: list[str] = []

    async def read_whole() -> None:
        found = await (keepers.turns.history(turn) if read == "history" else keepers.messages.all(chat, None))
        assert len(found) == length + (read == "all")
        done.append("whole")

    async def ask() -> None:
        await keepers.chats.find(chat, None)
        done.append("small")

    await asyncio.gather(*(read_whole() for _ in range(8)), ask())
    assert done[0] == "small"


async def long_chat(keepers: Keepers) -> tuple[ChatId, int]:
    """One with many messages; how many."""
    chat = await keepers.chat()
    for number in range(6):
        await keepers.answered(chat, f"question {number}", f"answer {number}")
    return chat, 12
