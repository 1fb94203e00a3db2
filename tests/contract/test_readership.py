"""What every Journal promises to those who ask how it is being read."""

import pytest

from parlance.core.errors import SlowFollower
from parlance.core.ids import TurnId
from parlance.core.journal import Journal, Readership
from tests.contract.test_journals import ENDED, FLOOD, JOURNALS, STARTED, TURN, grew, rest_of, take, told


@pytest.fixture(params=JOURNALS)
def journal(request: pytest.FixtureRequest) -> Journal:
    return JOURNALS[request.param]()


async def test_followers_are_counted_with_what_they_have_not_taken(journal: Journal) -> None:
    assert journal.readership() == Readership(0, 0, 0, 0)
    log, other = journal.open(TURN), journal.open(TurnId("other"))
    log.append(told(10)[:5])
    first, second, elsewhere = log.follow(), log.follow(after=2), other.follow()
    assert journal.readership() == Readership(3, 8, 5, 0)
    await take(first)
    assert journal.readership() == Readership(3, 3, 3, 0)
    for follower in (second, elsewhere, elsewhere):
        follower.close()
    assert journal.readership() == Readership(1, 0, 0, 0)
    log.append([ENDED])
    await rest_of(first)
    assert journal.readership() == Readership(0, 0, 0, 0)


async def test_followers_that_were_cut_are_counted_for_ever(journal: Journal) -> None:
    log = journal.open(TURN)
    log.append([STARTED])
    busy = log.follow()
    await take(busy)
    for number in range(FLOOD):
        log.append([grew(number)])
    assert journal.readership() == Readership(0, 0, 0, 1)
    with pytest.raises(SlowFollower):
        await take(busy)
    busy.close()
    log.append([ENDED])
    journal.drop(TURN)
    assert journal.readership() == Readership(0, 0, 0, 1)
