"""What becomes of a request's answer when the database goes away while it is carried out."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parlance.core.errors import RequestInFlight, StorageUnavailable
from parlance.core.stores.answers import Answers, Claim, KeptAnswer
from parlance.core.stores.request_keys import RequestKey
from parlance.store import answers as module
from parlance.store.answers import SqlAnswers
from parlance.store.database import Database
from tests.probes.databases import sqlite_with_tables

KEY = RequestKey("default", "key_1", "POST /subtenants", "one", b"asked")
ANSWER = KeptAnswer(200, b"{}")
PATIENCE = 10.0


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await sqlite_with_tables(tmp_path)
    yield database
    await database.close()


@pytest.fixture
def locker(tmp_path: Path, database: Database) -> sqlite3.Connection:
    return sqlite3.connect(tmp_path / "parlance.db", isolation_level=None)


async def claimed(answers: Answers) -> Claim:
    claim = await answers.claim(KEY)
    assert isinstance(claim, Claim)
    return claim


async def until_settled(answers: SqlAnswers) -> KeptAnswer | Claim:
    """What the same request is told once nobody carries it out any more."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await answers.claim(KEY)
            except (RequestInFlight, StorageUnavailable):
                await asyncio.sleep(0)


@pytest.mark.requirement("stores:answers:late")
async def test_an_answer_that_can_not_be_kept_now_is_kept_later(
    database: Database, locker: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.01)
    answers = SqlAnswers(database)
    claim = await claimed(answers)
    locker.execute("BEGIN IMMEDIATE")
    await answers.keep(claim, ANSWER)
    locker.execute("ROLLBACK")
    locker.close()
    assert await until_settled(answers) == ANSWER
    await answers.close()


async def test_a_claim_that_can_not_be_given_back_now_is_later(
    database: Database, locker: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.01)
    answers = SqlAnswers(database)
    claim = await claimed(answers)
    locker.execute("BEGIN IMMEDIATE")
    await answers.release(claim)
    locker.execute("ROLLBACK")
    locker.close()
    assert isinstance(await until_settled(answers), Claim)
    await answers.close()


async def test_what_waits_at_the_stop_is_tried_once_more(database: Database, locker: sqlite3.Connection) -> None:
    answers = SqlAnswers(database)
    claim = await claimed(answers)
    locker.execute("BEGIN IMMEDIATE")
    await answers.keep(claim, ANSWER)
    locker.execute("ROLLBACK")
    locker.close()
    # The circuit lets nobody try at once.
    async with asyncio.timeout(PATIENCE):
        while not await _is_kept(database):
            await answers.close()
    assert await SqlAnswers(database).claim(KEY) == ANSWER


async def _is_kept(database: Database) -> bool:
    try:
        return isinstance(await SqlAnswers(database).claim(KEY), KeptAnswer)
    except (RequestInFlight, StorageUnavailable):
        return False


async def test_what_waits_is_bounded(
    database: Database, locker: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LATE", 1)
    answers = SqlAnswers(database)
    claim = await claimed(answers)
    locker.execute("BEGIN IMMEDIATE")
    await answers.keep(claim, ANSWER)
    await answers.keep(claim, KeptAnswer(200, b"another"))
    assert answers.late == 1
    locker.close()
    await answers.close()
