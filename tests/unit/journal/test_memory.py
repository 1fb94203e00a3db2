"""What is this journal's own: where exactly it cuts a follower, and that it keeps nothing of those who left."""

import pytest

from parlance.core.errors import SlowFollower
from parlance.core.events import Event, TextGrew, TurnEnded
from parlance.core.ids import TurnId
from parlance.journal.memory import MAX_BEHIND, MAX_BEHIND_CHARACTERS, MemoryFollower, MemoryJournal, MemoryLog

WORD = TextGrew(1, "word")


async def busy_follower() -> tuple[MemoryLog, MemoryFollower]:
    log = MemoryJournal().open(TurnId("turn"))
    log.append([WORD])
    follower = log.follow()
    await anext(follower)
    return log, follower


@pytest.mark.parametrize(
    ("event", "most"), [(WORD, MAX_BEHIND + 1), (TextGrew(1, "x" * (MAX_BEHIND_CHARACTERS // 4)), 5)]
)
async def test_a_busy_follower_is_cut_at_the_first_word_beyond_its_bound(event: Event, most: int) -> None:
    log, follower = await busy_follower()
    for _ in range(most):
        log.append([event])
    assert len((await anext(follower)).events) == most
    for _ in range(most + 1):
        log.append([event])
    with pytest.raises(SlowFollower):
        await anext(follower)


async def test_a_log_keeps_nothing_of_followers_that_left_were_cut_or_came_to_its_end() -> None:
    log, cut = await busy_follower()
    left, whole = log.follow(), log.follow()
    left.close()
    for _ in range(MAX_BEHIND + 2):
        log.append([WORD])
        await anext(whole)
    log.append([TurnEnded("completed")])
    assert [batch.events async for batch in whole] == [[TurnEnded("completed")]]
    with pytest.raises(SlowFollower):
        await anext(cut)
    assert not log._followers
