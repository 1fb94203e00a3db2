"""Sessions: how many there are, and when they are forgotten."""

import asyncio

import pytest

from parlance.core.errors import Overloaded, SessionNotFound, TooManyAtOnce
from parlance.core.ids import KeyId
from parlance.core.principal import LOCAL_ADMIN, Principal
from parlance.dialects.json_rpc.commands import Opening
from parlance.doors.json_rpc.session import Session, Task
from parlance.doors.json_rpc.sessions import SessionLimits, Sessions

OTHER = Principal("subtenant", KeyId("other"), "other")


class Ear:
    """A socket that hears nothing."""

    def follow(self, task: Task) -> None:
        raise NotImplementedError


async def passing(seconds: float) -> None:
    """Returns when timers of less than these seconds have run."""
    loop = asyncio.get_running_loop()
    later = loop.create_future()
    loop.call_later(seconds, later.set_result, None)
    await later


def there(sessions: Sessions, session: Session) -> bool:
    try:
        return sessions.find(session.id, session.principal) is session
    except SessionNotFound:
        return False


@pytest.mark.requirement("json_rpc:session:limit")
async def test_one_session_more_takes_the_place_of_the_one_that_was_left_alone_the_longest() -> None:
    sessions = Sessions(SessionLimits(per_principal=3))
    first, second, third = (sessions.create(LOCAL_ADMIN, Opening()) for _ in range(3))
    theirs = sessions.create(OTHER, Opening())
    with sessions.visited(first, Ear()):
        pass
    fourth = sessions.create(LOCAL_ADMIN, Opening())
    assert [there(sessions, one) for one in (first, second, third, fourth, theirs)] == [True, False, True, True, True]


async def test_where_one_session_is_the_most_a_new_one_takes_its_place() -> None:
    sessions = Sessions(SessionLimits(per_principal=1))
    first, second = (sessions.create(LOCAL_ADMIN, Opening()) for _ in range(2))
    assert [there(sessions, one) for one in (first, second)] == [False, True]


@pytest.mark.requirement("json_rpc:session:limit")
async def test_sessions_that_are_in_use_are_not_given_up() -> None:
    sessions = Sessions(SessionLimits(per_principal=2))
    first, second = (sessions.create(LOCAL_ADMIN, Opening()) for _ in range(2))
    with sessions.visited(first, Ear()), sessions.visited(second, Ear()):
        with pytest.raises(TooManyAtOnce, match="2 sessions of this key are in use") as refusal:
            sessions.create(LOCAL_ADMIN, Opening())
        assert refusal.value.retry_after == 1
        sessions.create(OTHER, Opening())
    sessions.create(LOCAL_ADMIN, Opening())
    assert not there(sessions, second)
    assert there(sessions, first)


@pytest.mark.requirement("json_rpc:session:limit:total")
async def test_beyond_the_total_a_session_goes_of_whoever_has_the_most() -> None:
    sessions = Sessions(SessionLimits(total=3))
    mine = sessions.create(LOCAL_ADMIN, Opening())
    theirs = [sessions.create(OTHER, Opening()) for _ in range(2)]
    mine_too = sessions.create(LOCAL_ADMIN, Opening())
    assert [there(sessions, one) for one in (mine, *theirs, mine_too)] == [True, False, True, True]


@pytest.mark.requirement("json_rpc:session:limit:total")
async def test_when_all_sessions_of_the_server_are_in_use_there_is_none_for_anybody() -> None:
    sessions = Sessions(SessionLimits(total=2))
    mine, theirs = (sessions.create(principal, Opening()) for principal in (LOCAL_ADMIN, OTHER))
    with sessions.visited(theirs, Ear()):
        with sessions.visited(mine, Ear()), pytest.raises(Overloaded, match="2 sessions are in use") as refusal:
            sessions.create(OTHER, Opening())
        assert (refusal.value.limit, refusal.value.retry_after) == ("sessions", 1)
        sessions.create(OTHER, Opening())
    assert [there(sessions, one) for one in (mine, theirs)] == [False, True]


@pytest.mark.requirement("json_rpc:session:expiry")
async def test_a_session_without_a_connection_is_forgotten_in_time() -> None:
    sessions = Sessions(SessionLimits(idle=0.01))
    session = sessions.create(LOCAL_ADMIN, Opening())
    ear = Ear()
    with sessions.visited(session, ear), sessions.visited(session, other := Ear()):
        assert session.listeners == {ear, other}
    with sessions.visited(session, ear):
        await passing(0.03)
        assert there(sessions, session)
    await passing(0.03)
    assert not there(sessions, session)


@pytest.mark.requirement("json_rpc:session:owner")
async def test_a_session_is_its_principals_alone() -> None:
    sessions = Sessions(SessionLimits())
    session = sessions.create(LOCAL_ADMIN, Opening())
    with pytest.raises(SessionNotFound) as theirs:
        sessions.find(session.id, OTHER)
    with pytest.raises(SessionNotFound) as unknown:
        sessions.find("0" * 32, OTHER)
    assert theirs.value.message.replace(session.id, "0" * 32) == unknown.value.message
