"""Limits: what is held is counted to the last bit, whoever holds it, and what is refused changes nothing."""

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.errors import InvalidJson, LimitReached, Overloaded, TooManyAtOnce
from parlance.core.ids import KeyId
from parlance.core.principal import LOCAL_ADMIN, Principal
from parlance.doors import limits
from parlance.doors.accepting import Seat
from parlance.doors.beside import Beside
from parlance.doors.limits import Limit, Limits, Refusals

ANN, BOB = (Principal("service", KeyId(name)) for name in ("ann", "bob"))


def test_the_total_is_everybodys_and_a_key_has_its_own_besides() -> None:
    limit = Limit("sockets", "are open", total=3, per_key=2)
    with limit.hold(ANN), limit.hold(ANN):
        with pytest.raises(TooManyAtOnce, match="2 are open for this key") as mine:
            limit.hold(ANN)
        assert (mine.value.limit, mine.value.retry_after) == ("per_key.sockets", 1)
        with limit.hold(BOB):
            with pytest.raises(Overloaded, match="3 are open, which is this server's limit") as everybodys:
                limit.hold(LOCAL_ADMIN)
            assert everybodys.value.limit == "sockets"
    assert limit.held == 0
    assert not limit._of_key


def test_the_person_at_this_machine_has_the_total() -> None:
    limit = Limit("sockets", "are open", total=3, per_key=1)
    with limit.hold(LOCAL_ADMIN), limit.hold(LOCAL_ADMIN), limit.hold(None):
        assert limit.held == 3


def test_a_seat_that_a_key_has_no_room_for_stays_whose_it_was() -> None:
    sockets, intake = Limit("sockets", "are open", 9, 1), Limit("bytes", "are held", 9, 1)
    with sockets.hold() as place, intake.hold(amount=2) as coming:
        seat = Seat(place, coming, None)
        with pytest.raises(TooManyAtOnce):
            seat.belong(ANN)
        assert seat.principal is None
        assert not sockets._of_key
        with sockets.hold(ANN):
            assert sockets.held == 2
    assert (sockets.held, intake.held) == (0, 0)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["hold", "resize", "belong", "release"]), st.integers(0, 9)))
)
def test_whatever_is_done_the_sums_agree_and_nothing_is_left(acts: list[tuple[int, str, int]]) -> None:
    limit = Limit("bytes", "are held", total=20, per_key=10)
    shares = {number: limit.hold(amount=0) for number in range(4)}
    for number, act, amount in acts:
        share, before = shares[number], limit.held
        try:
            match act:
                case "grow":
                    share.grow(amount)
                case "resize":
                    share.resize(amount)
                case "belong":
                    share.belong((ANN, BOB)[amount % 2])
                case _:
                    share.release()
        except LimitReached:
            assert limit.held == before
        assert limit.held == sum(one._amount for one in shares.values()) <= 20
        assert all(0 < held <= 10 for held in limit._of_key.values())
    for share in shares.values():
        share.release()
        share.release()
    assert limit.held == 0
    assert not limit._of_key


async def test_refusals_are_summed_up_and_quiet_when_there_are_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "QUIET", 0.01)
    refusals = Refusals()
    for _ in range(100):
        refusals.tell(Overloaded("no", limit="sockets"), "GET /")
    assert len(caplog.records) == 1
    async with asyncio.timeout(10):
        while refusals._quiet is not None:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records[1:]] == [
        "Refused by their limits in the last 0.01 s: sockets 99 times"
    ]
    assert refusals.counted == {"sockets": 100}


async def test_any_other_refusal_has_its_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Refusals().tell(InvalidJson("no"), "POST /chat")
    assert caplog.messages == ["Refused POST /chat: invalid_json"]


def test_what_is_held_is_told_by_the_settings_names() -> None:
    assert Limits().held() == {"connections": 0, "sockets": 0, "bytes": 0}


async def test_frames_begin_in_order_and_those_that_wait_hold_up_nobody() -> None:
    beside, go, order = Beside(), asyncio.Event(), list[str]()

    async def take(name: str, *, wait: bool) -> None:
        order.append(f"{name} begins")
        if wait:
            await go.wait()
        order.append(f"{name} ends")

    await beside.run(take("a", wait=True))
    await beside.run(take("b", wait=False))
    assert order == ["a begins", "b begins", "b ends"]
    go.set()
    await beside.done()
    await beside.done()
    assert order[-1] == "a ends"


async def test_no_more_than_so_many_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parlance.doors.beside.MOST", 1)
    beside, go = Beside(), asyncio.Event()

    async def leave() -> None:
        await go.wait()
        raise OSError("The client has left.")

    await beside.run(leave())
    second = asyncio.create_task(beside.run(leave()))
    await asyncio.sleep(0)
    assert not second.done()
    go.set()
    await second
    await beside.done()
