"""What every store of kept answers promises: under one key a request is carried out once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import Struct, structs
from sqlalchemy import update

from parlance.core.errors import IdempotencyKeyReused, RequestInFlight
from parlance.core.stores.answers import Answers, Claim, KeptAnswer
from parlance.core.stores.request_keys import RequestKey
from parlance.store.answers import SqlAnswers
from parlance.store.claims import GIVEN_UP
from parlance.store.database import Database
from parlance.store.in_memory.answers import InMemoryAnswers
from parlance.store.in_memory.shelf import Shelf
from parlance.store.tables.answers import answers as table

KEY = RequestKey("default", "key_1", "POST /subtenants", "one", b"\0\xff asked")
ANSWER = KeptAnswer(201, b'{"id":"\xc3\xa9\x00"}')


class Kept(Struct, frozen=True):
    """The store as two processes see it; `age` makes all that was claimed so many seconds older."""

    here: Answers
    there: Answers
    age: Callable[[float], Awaitable[None]]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@pytest.fixture
def kept(backing: Shelf | Database) -> Kept:
    if isinstance(backing, Database):
        return Kept(SqlAnswers(backing), SqlAnswers(backing), ageing(backing))
    passed = [0.0]

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=passed[0])

    shared = InMemoryAnswers(backing, now)

    async def age(seconds: float) -> None:
        passed[0] += seconds

    return Kept(shared, shared, age, now)


def ageing(database: Database) -> Callable[[float], Awaitable[None]]:
    async def age(seconds: float) -> None:
        async with database.writing() as connection:
            await connection.execute(update(table).values(claimed_at=table.c.claimed_at - seconds))

    return age


async def claimed(answers: Answers, key: RequestKey = KEY) -> Claim:
    claim = await answers.claim(key)
    assert isinstance(claim, Claim)
    return claim


@pytest.mark.requirement("stores:answers:once")
async def test_what_a_request_was_answered_is_answered_again_in_every_process(kept: Kept) -> None:
    await kept.here.keep(await claimed(kept.here), ANSWER)
    assert await kept.here.claim(KEY) == ANSWER
    assert await kept.there.claim(KEY) == ANSWER


@pytest.mark.requirement("stores:answers:race")
async def test_of_fifty_who_ask_at_once_one_carries_it_out(kept: Kept) -> None:
    async def ask(answers: Answers) -> KeptAnswer | Claim | None:
        try:
            return await answers.claim(KEY)
        except RequestInFlight:
            return None

    told = await asyncio.gather(*(ask(kept.here if number % 2 else kept.there) for number in range(50)))
    (claim,) = (one for one in told if one is not None)
    assert isinstance(claim, Claim)
    await kept.there.keep(claim, ANSWER)
    assert await asyncio.gather(*(ask(kept.there) for _ in range(50))) == [ANSWER] * 50


@pytest.mark.requirement("stores:answers:reused")
async def test_another_request_under_the_key_is_refused_at_any_time(kept: Kept) -> None:
    other = structs.replace(KEY, fingerprint=b"another")
    claim = await claimed(kept.here)
    with pytest.raises(IdempotencyKeyReused, match="'one' was used for another request"):
        await kept.there.claim(other)
    await kept.age(GIVEN_UP + 1)
    with pytest.raises(IdempotencyKeyReused):
        await kept.there.claim(other)
    await kept.here.keep(claim, ANSWER)
    with pytest.raises(IdempotencyKeyReused):
        await kept.there.claim(other)


async def test_the_same_key_of_others_and_for_others_things_is_another(kept: Kept) -> None:
    await claimed(kept.here)
    for field in ("home", "key_id", "operation", "key"):
        other = structs.replace(KEY, **{field: "other"})
        await kept.here.keep(await claimed(kept.here, other), KeptAnswer(200, field.encode()))
    with pytest.raises(RequestInFlight):
        await kept.here.claim(KEY)


async def test_what_was_released_may_be_asked_again(kept: Kept) -> None:
    await kept.here.release(await claimed(kept.here))
    await kept.here.release(await claimed(kept.there))
    await claimed(kept.here, structs.replace(KEY, fingerprint=b"another"))


@pytest.mark.requirement("stores:answers:given_up")
async def test_a_claim_that_is_older_than_a_minute_counts_as_given_up(kept: Kept) -> None:
    first = await claimed(kept.here)
    await kept.age(GIVEN_UP - 5)
    with pytest.raises(RequestInFlight):
        await kept.there.claim(KEY)
    await kept.age(6)
    second = await claimed(kept.there)
    with pytest.raises(RequestInFlight):
        await kept.here.claim(KEY)
    await kept.here.release(first)
    await kept.here.keep(first, KeptAnswer(500, b"too late"))
    with pytest.raises(RequestInFlight):
        await kept.here.claim(KEY)
    await kept.there.keep(second, ANSWER)
    assert await kept.here.claim(KEY) == ANSWER


@pytest.mark.requirement("stores:answers:given_up")
async def test_of_fifty_who_find_a_claim_given_up_one_goes_on(kept: Kept) -> None:
    await claimed(kept.here)
    await kept.age(GIVEN_UP + 1)
    told = await asyncio.gather(*(kept.there.claim(KEY) for _ in range(50)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in told) == ["Claim", *["RequestInFlight"] * 49]


async def test_an_answer_is_kept_however_old_it_is_until_it_is_forgotten(kept: Kept) -> None:
    await kept.here.keep(await claimed(kept.here), ANSWER)
    await kept.age(86_000)
    assert await kept.here.claim(KEY) == ANSWER


@pytest.mark.requirement("stores:answers:forgotten")
async def test_what_was_claimed_before_a_time_is_forgotten_and_counted(kept: Kept) -> None:
    for number in range(3):
        await kept.here.keep(await claimed(kept.here, structs.replace(KEY, key=str(number))), ANSWER)
    await claimed(kept.here, structs.replace(KEY, key="in flight"))
    await kept.age(1_000)
    old = kept.now() - timedelta(seconds=500)
    new = structs.replace(KEY, key="new")
    await kept.here.keep(await claimed(kept.here, new), ANSWER)
    assert await kept.here.forget(old) == 4
    assert await kept.here.forget(old) == 0
    assert await kept.here.claim(new) == ANSWER
    await claimed(kept.here, structs.replace(KEY, key="1"))


async def test_any_text_may_be_a_key(kept: Kept) -> None:
    for key in ("k" * 255, "one \0", "two \ud800", "a/b \u2028", "'; DROP TABLE answers; --"):
        odd = structs.replace(KEY, key=key)
        await kept.here.keep(await claimed(kept.here, odd), ANSWER)
        assert await kept.there.claim(odd) == ANSWER
