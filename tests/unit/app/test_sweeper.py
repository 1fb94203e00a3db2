"""A process holds its lease, ends the turns of the dead in time, forgets what is old, and fails at none of it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from parlance.app.sweeper import HELD_UP, LEASE, RENEWED, SWEPT, TIDIED, Ages, Sweeper, Swept, ages_of
from parlance.config.settings import Settings
from parlance.core.errors import HostUnreachable, StorageUnavailable
from parlance.core.ids import OwnerId, TurnId
from parlance.core.stores import Page, Reach
from parlance.core.stores.model_calls import CallFilter, ModelCall, UsageTotal
from parlance.core.stores.turns import TurnRecord
from parlance.store.in_memory.answers import InMemoryAnswers
from parlance.store.in_memory.bells import InMemoryBells
from parlance.store.in_memory.shelf import Shelf
from parlance.store.subscribers import DEPARTURES
from tests.unit.routing.virtual_time import now, pass_by, run

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
OWNER, OTHER, DEAD = OwnerId("owner"), OwnerId("other"), OwnerId("dead")
AGES = Ages(deltas=100.0, idempotency_keys=200.0, model_calls=300.0)


def never(_: str) -> bool:
    return False


def date() -> datetime:
    return BEGUN + timedelta(seconds=now())


class Stores:
    """`Leases` and `ModelCalls` in virtual time. `fails` says of a call's name whether it fails now."""

    def __init__(self, fails: Callable[[str], bool] = never) -> None:
        self.fails = fails
        self.until: dict[OwnerId, float] = {}
        self.turns = {DEAD: TurnId("turn")}
        self.ended: dict[TurnId, float] = {}
        self.calls: list[tuple[str, float]] = []
        self.befores: dict[str, datetime] = {}
        self.left: tuple[TurnRecord, ...] = ()
        self.taken_up: list[TurnRecord] = []
        self.back: tuple[float, OwnerId] | None = None

    async def take_up(self, turn: TurnRecord, /, *, last: bool) -> None:
        self._call("take_up")
        self.taken_up.append(turn)

    def _call(self, name: str) -> None:
        self.calls.append((name, now()))
        if self.fails(name):
            raise StorageUnavailable("The database is locked.")

    def times(self, name: str) -> list[float]:
        return [at for called, at in self.calls if called == name]

    async def hold(self, owner: OwnerId, seconds: float) -> None:
        self._call("hold")
        self.until[owner] = now() + seconds

    async def release(self, owner: OwnerId) -> None:
        self._call("release")
        del self.until[owner]

    async def adopt(self, owner: OwnerId) -> tuple[TurnRecord, ...]:
        self._call("adopt")
        left, self.left = self.left, ()
        return left

    async def sweep(self) -> tuple[TurnId, ...]:
        self._call("sweep")
        if self.back is not None and now() >= self.back[0]:
            # Another process, which was away as well, has said that it lives.
            self.until[self.back[1]] = now() + LEASE
        dead = [owner for owner in self.turns if self.until.get(owner, 0.0) < now()]
        swept = tuple(self.turns.pop(owner) for owner in dead)
        self.ended |= dict.fromkeys(swept, now())
        return swept

    async def trim(self, before: datetime) -> int:
        self._call("trim")
        self.befores["trim"] = before
        return 0

    async def forget_keys(self, before: datetime) -> int:
        self._call("forget_keys")
        self.befores["forget_keys"] = before
        return 0

    async def forget_answers(self, before: datetime) -> int:
        self._call("forget_answers")
        self.befores["forget_answers"] = before
        return 0

    async def forget(self, before: datetime) -> int:
        self._call("forget")
        self.befores["forget"] = before
        return 0

    async def add(self, calls: tuple[ModelCall, ...]) -> int:
        raise NotImplementedError

    async def list(self, wanted: CallFilter, page: Page, reach: Reach) -> tuple[ModelCall, ...]:
        raise NotImplementedError

    async def totals(self, wanted: CallFilter, reach: Reach) -> tuple[UsageTotal, ...]:
        raise NotImplementedError


class Answers(InMemoryAnswers):
    """Whose forgetting is one of the `stores`' calls."""

    def __init__(self, stores: Stores) -> None:
        super().__init__(Shelf())
        self._stores = stores

    async def forget(self, before: datetime) -> int:
        return await self._stores.forget_answers(before)


def swept(stores: Stores, seconds: float, *, chance: float = 0.0, departs: float | None = None) -> None:
    """A process that lives for so long; another one departs after so many seconds, and leaves a turn."""

    async def live() -> None:
        shelf = Shelf()
        looked_after = Swept(stores, InMemoryBells(shelf), stores, Answers(stores))
        sweeper = Sweeper(OWNER, looked_after, AGES, now=date, chance=lambda: chance)
        await sweeper.begin(stores.take_up)
        assert "hold" in dict(stores.calls)
        if departs is not None:
            await pass_by(departs)
            stores.turns[OTHER] = TurnId("left")
            shelf.subscribers.ring((DEPARTURES,))
        await pass_by(seconds)
        await sweeper.close()
        assert shelf.subscribers._wakes == {}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(live())


@pytest.mark.requirement("upkeep:lease")
@pytest.mark.parametrize("chance", [0.0, 0.5, 0.99])
def test_the_lease_is_held_without_a_gap_and_given_back_at_the_end(chance: float) -> None:
    stores = Stores()
    swept(stores, 600.0, chance=chance)
    held = stores.times("hold")
    assert max(later - earlier for earlier, later in pairwise(held)) <= LEASE / 3
    assert stores.until == {}
    assert stores.calls[-1][0] == "release"


def test_one_renewal_that_fails_does_not_cost_the_lease() -> None:
    stores = Stores(lambda name: name == "hold" and 10 < now() < 16)
    swept(stores, 60.0)
    held = [at for at in stores.times("hold") if not 10 < at < 16]
    assert max(later - earlier for earlier, later in pairwise(held)) < LEASE


@pytest.mark.requirement("upkeep:dead")
@pytest.mark.parametrize("died", [0.0, 3.0, 7.5, 9.99])
def test_the_turns_of_the_dead_end_within_thirty_seconds(died: float) -> None:
    stores = Stores()
    stores.until[DEAD] = died + LEASE
    swept(stores, 60.0)
    assert stores.ended[TurnId("turn")] <= died + 30


@pytest.mark.requirement("upkeep:departed")
@pytest.mark.parametrize("departs", [0.5, 4.0, 9.5])
def test_the_turns_of_one_that_stops_are_looked_for_at_once(departs: float) -> None:
    stores = Stores()
    swept(stores, 2.0, departs=departs)
    assert stores.ended[TurnId("left")] - departs <= 0.6


def test_those_who_died_long_ago_are_swept_at_the_start() -> None:
    stores = Stores()
    stores.until[DEAD] = -100.0
    swept(stores, 1.0)
    assert stores.ended == {TurnId("turn"): 0.0}


@pytest.mark.requirement("upkeep:retention")
def test_what_is_older_than_its_age_is_forgotten_every_minute() -> None:
    stores = Stores()
    swept(stores, 3_600.0)
    for name, age in (("trim", 100), ("forget_keys", 200), ("forget_answers", 200), ("forget", 300)):
        assert len(stores.times(name)) == 3_600 / TIDIED + 1
        assert stores.befores[name] == BEGUN + timedelta(seconds=stores.times(name)[-1] - age)


def test_what_fails_is_said_once_tried_again_and_costs_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    stores = Stores(lambda name: name == "trim" and now() < 600)
    swept(stores, 1_200.0)
    assert len(stores.times("trim")) == len(stores.times("forget")) == 1_200 / TIDIED + 1
    said = [line for line in capsys.readouterr().out.splitlines() if "trimming" in line]
    assert ["failed" in line for line in said] == [True, False]


@pytest.mark.requirement("upkeep:recovery")
def test_with_its_database_away_a_process_goes_on_and_recovers() -> None:
    stores = Stores(lambda _: now() < 300)
    stores.until[DEAD] = 0.0
    swept(stores, 330.0)
    assert 300 <= stores.ended[TurnId("turn")] <= 300 + SWEPT


@pytest.mark.requirement("upkeep:recovery:own_turns")
@pytest.mark.parametrize("away", [LEASE - 1, LEASE + 1, 60.0, 61.3, 299.0])
def test_after_an_outage_nobody_takes_himself_or_others_who_were_cut_off_for_dead(away: float) -> None:
    stores = Stores(lambda _: 100 < now() < 100 + away)
    stores.turns[OWNER] = TurnId("own")
    stores.turns[OTHER] = TurnId("other's")
    stores.until[OTHER] = 100 + LEASE
    stores.back = 100 + away + RENEWED, OTHER
    swept(stores, 500.0)
    assert stores.ended.keys() == {TurnId("turn")}


def test_what_can_not_be_taken_up_now_is_taken_up_later() -> None:
    stores = Stores(lambda name: name == "take_up" and now() < 15)
    stores.left = tuple(msgspec.convert({**WAITING, "id": id}, TurnRecord) for id in ("a", "b"))
    swept(stores, 60.0)
    assert sorted(turn.id for turn in stores.taken_up) == ["a", "b"]


@pytest.mark.parametrize("back", [15.0, 1_000.0])
def test_a_turn_whose_host_is_away_holds_up_no_other_and_is_taken_up_later(back: float) -> None:
    """Or, since whatever is said next in its chat waits behind it, given up in time."""
    stores = Stores()
    stores.left = tuple(msgspec.convert({**WAITING, "id": id}, TurnRecord) for id in ("a", "b"))
    stores.until[DEAD] = -1.0
    taken_up: dict[str, float] = {}

    async def take_up(turn: TurnRecord, /, *, last: bool) -> None:
        if turn.id == "a" and now() < back and not last:
            raise HostUnreachable("The host lists no models.")
        taken_up[turn.id] = now()

    stores.take_up = take_up  # type: ignore[method-assign]  # in place of its own
    swept(stores, 120.0)
    assert (taken_up["b"], stores.ended[TurnId("turn")]) == (0.0, 0.0)
    assert min(back, HELD_UP) <= taken_up["a"] <= min(back, HELD_UP) + SWEPT


def test_a_lease_that_can_not_be_given_back_holds_up_no_stop() -> None:
    stores = Stores(lambda name: name == "release")
    swept(stores, 10.0)
    assert OWNER in stores.until


def test_processes_do_not_come_all_at_once() -> None:
    early, late = Stores(), Stores()
    swept(early, 600.0, chance=0.9)
    swept(late, 600.0, chance=0.1)
    assert set(early.times("trim")) & set(late.times("trim")) == {0.0}


def test_the_ages_are_the_operators() -> None:
    ages = ages_of(Settings())
    assert (ages.deltas, ages.idempotency_keys, ages.model_calls) == (86_400, 86_400, 30 * 86_400)


def test_what_waits_for_its_caller_is_taken_up_before_what_is_left_is_ended() -> None:
    stores = Stores()
    stores.left = (msgspec.convert({**WAITING}, TurnRecord),)
    swept(stores, 1.0)
    assert [turn.id for turn in stores.taken_up] == ["waiting"]
    assert [name for name, _ in stores.calls if name in ("adopt", "sweep")][:2] == ["adopt", "sweep"]


WAITING = {
    "id": "waiting",
    "chat": "chat",
    "subtenant": "default",
    "position": 1,
    "owner": "us",
    "epoch": "epoch",
    "head": 1,
    "principal": {"scope": "admin", "key_id": "key"},
    "door": "door",
    "request_id": "request",
    "model": "fast",
    "provider": "lab",
    "state": "waiting",
    "accepted_at": "2026-11-21T00:00:00Z",
}
