"""A process that keeps turns is killed at any point, or loses its power: nothing that it acknowledged is lost, and
nothing is doubled.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct
from sqlalchemy import func, select, text

from parlance.core.events import TextGrew, TurnEnded
from parlance.core.ids import ChatId, TurnId, new_chat_id
from parlance.core.stores import Page
from parlance.core.stores.chats import NewChat
from parlance.core.stores.request_keys import RequestKey
from parlance.core.stores.turns import TurnRecord
from parlance.store.addresses import read_address
from parlance.store.database import Database
from parlance.store.tables.turns import turns
from tests.contract.stores.turn_world import HOME, Keepers, a_new_turn, opened_keepers
from tests.fault.nurseries import nursery
from tests.fault.power_loss import can_be_shown, lose_unsynced
from tests.fault.store_nursery import Order
from tests.fault.store_script import answer_to, said_in
from tests.probes.databases import open_unhurried, sqlite_with_tables

KILLS, MANY_KILLS = 10, 300
LOSSES, MANY_LOSSES = 4, 100
PATIENCE = 30.0
SENT_AGAIN = 3
"""Of each child's messages, under their old keys."""


class Told(Struct):
    """What a child was told of one message before it died. `kept`: up to which event."""

    text: str
    chat: ChatId
    turn: TurnId
    kept: int = 1
    ended: bool = False


async def life_and_death(process: asyncio.subprocess.Process, order: Order) -> list[Told]:
    """What the child was told from its birth to its death."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    told: dict[str, Told] = {}
    async with asyncio.timeout(PATIENCE):
        async for line in process.stdout:
            match line.decode().split():
                case ["accepted", name, chat, turn]:
                    told[name] = Told(name, ChatId(chat), TurnId(turn))
                case ["kept", name, _, last]:
                    told[name].kept = int(last)
                case ["ended", name, _]:
                    told[name].ended = True
                case ["dead", status]:
                    assert status == "-9"
                    break
                case other:
                    raise AssertionError(f"the child said {other}")
    return list(told.values())


@pytest.mark.requirement("stores:turns:kills")
async def test_no_kill_loses_or_doubles_what_was_acknowledged_on_sqlite(tmp_path: Path, long_run: bool) -> None:
    await check_sqlite(tmp_path, [Order(address_in(tmp_path), seed) for seed in seeds(long_run)])


@pytest.mark.requirement("stores:turns:power")
async def test_no_loss_of_power_loses_or_doubles_what_was_acknowledged_on_sqlite(
    tmp_path: Path, long_run: bool
) -> None:
    """Nor does it damage the file, whatever of it had reached the disk."""
    if not can_be_shown(tmp_path):
        pytest.skip("the SQLite of this Python can't be reached")
    losses = range(1, 1 + (MANY_LOSSES if long_run else LOSSES))
    orders = [Order(address_in(tmp_path), seed, powerless=True) for seed in losses]
    told = await check_sqlite(tmp_path, orders)
    assert told > len(orders)
    print(f"{len(orders)} losses of power, {told} messages acknowledged before")


def address_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'parlance.db'}"


async def check_sqlite(folder: Path, orders: Sequence[Order]) -> int:
    """How many messages were acknowledged."""
    database, count = await sqlite_with_tables(folder), 0
    async with opened_keepers(database):
        pass
    await database.close()
    async with nursery("tests.fault.store_nursery") as process:
        for order in orders:
            told = await life_and_death(process, order)
            count += len(told)
            if order.powerless:
                lose_unsynced(folder / "parlance.db")
            database = open_unhurried(folder / "parlance.db")
            async with opened_keepers(database) as keepers:
                await survives(keepers, database, told)
            await database.close()
            with closing(sqlite3.connect(folder / "parlance.db")) as file:
                assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return count


@pytest.mark.requirement("stores:turns:kills")
async def test_no_kill_loses_or_doubles_what_was_acknowledged_on_postgresql(
    postgres_with_tables: str, long_run: bool
) -> None:
    database = open_unhurried(read_address(postgres_with_tables))
    async with nursery("tests.fault.store_nursery") as process, opened_keepers(database) as keepers:
        for seed in seeds(long_run):
            order = Order(f"{postgres_with_tables}?application_name=child", seed)
            told = await life_and_death(process, order)
            await connections_gone(database)
            await survives(keepers, database, told)
    await database.close()


def seeds(long_run: bool) -> Iterator[int]:
    return iter(range(1, 1 + (MANY_KILLS if long_run else KILLS)))


async def connections_gone(database: Database) -> None:
    """A server may still be committing what the dead had asked for."""
    alive = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'child'")
    async with asyncio.timeout(PATIENCE):
        while True:
            async with database.reading() as connection:
                if (await connection.execute(alive)).scalar() == 0:
                    return


async def survives(keepers: Keepers, database: Database, told: list[Told]) -> None:
    await sweep_once(keepers)
    async with database.reading() as connection:
        still_open = select(func.count()).select_from(turns).where(turns.c.ended_at.is_(None))
        assert (await connection.execute(still_open)).scalar() == 0
    chats: dict[ChatId, dict[TurnId, Told]] = {}
    for one in told:
        chats.setdefault(one.chat, {})[one.turn] = one
    await asyncio.gather(*(chat_survives(keepers, chat, its) for chat, its in chats.items()))
    for one in told[-SENT_AGAIN:]:
        await is_known_again(keepers, one)


async def sweep_once(keepers: Keepers) -> None:
    """By several at once."""
    swept = await asyncio.gather(*(keepers.leases.sweep() for _ in range(3)))
    ids = [turn for some in swept for turn in some]
    assert len(ids) == len(set(ids))


async def chat_survives(keepers: Keepers, chat: ChatId, told: dict[TurnId, Told]) -> None:
    """Every message is there once, in a row, with one answer at most; all that was told of its turns has been kept."""
    listed = await keepers.turns.list(chat, Page(0, 100_000), None)
    assert [turn.position for turn in listed] == list(range(1, len(listed) + 1))
    assert told.keys() <= {turn.id for turn in listed}
    messages = [(stored.message.role, stored.message.text) for stored in await keepers.messages.all(chat, None)]
    asked = [text for role, text in messages if role == "user"]
    first = asked[0].rpartition("-")[0]
    assert asked == [f"{first}-{number}" for number in range(len(listed))]
    answers = [
        await answer_in(keepers, turn, told.get(turn.id) or Told(text, chat, turn.id))
        for turn, text in zip(listed, asked, strict=True)
    ]
    assert [text for role, text in messages if role == "assistant"] == [answer for answer in answers if answer]


async def answer_in(keepers: Keepers, turn: TurnRecord, told: Told) -> str:
    """What the turn's log has of its answer: at least what was acknowledged, in a row, and one end."""
    kept = await keepers.turns.events(turn.id)
    assert [number for number, _ in kept.events] == list(range(1, turn.head + 1))
    said = [event for _, event in kept.events]
    assert [isinstance(event, TurnEnded) for event in said].index(True) == len(said) - 1
    assert said[1 : told.kept] == said_in(told.text)[: told.kept - 1]
    assert turn.state == "completed" or (turn.state == "incomplete" and not told.ended)
    answer = "".join(event.text for event in said if isinstance(event, TextGrew))
    assert answer_to(told.text).startswith(answer)
    assert turn.state == "incomplete" or answer == answer_to(told.text)
    return answer


async def is_known_again(keepers: Keepers, told: Told) -> None:
    """Who had sent it may send it again: it is the same turn."""
    key = RequestKey(HOME, "key", "send", told.text, told.text.encode())
    other = NewChat(id=new_chat_id(), subtenant_id=HOME)
    again = await keepers.turns.accept(a_new_turn(other.id, told.text, key=key, new_chat=other))
    assert again.repeated
    assert again.turn.id == told.turn
