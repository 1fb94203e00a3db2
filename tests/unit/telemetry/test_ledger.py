"""Every call of a model is written down behind the answers, for whom it was, and nothing of it can hurt a turn."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from parlance.core.attempts import Attempt
from parlance.core.errors import StorageUnavailable
from parlance.core.events import TurnEnded, TurnStarted
from parlance.core.ids import ChatId, TurnId
from parlance.core.stores import Page, Reach
from parlance.core.stores.model_calls import CallFilter, ModelCall, UsageTotal
from parlance.core.usage import Usage
from parlance.telemetry.ledger import (
    BATCH,
    GATHER,
    LONGEST_PAUSE,
    LONGEST_TEXT,
    MOST_WAITING,
    PATIENCE,
    TOLD_EVERY,
    Backlog,
    Ledger,
)
from tests.unit.routing.virtual_time import now, pass_by, run
from tests.unit.telemetry.turns import FACTS, events

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ATTEMPT = Attempt(
    request_id="request-1",
    turn=FACTS.turn,
    provider="lab",
    model="qwen3-32b",
    number=2,
    outcome="answered",
    upstream_id="up-1",
    usage=Usage(input=12, output=34),
    cost=0.5,
    first=0.1,
    duration=2.0,
)


class Calls:
    """`ModelCalls` whose database is away while `away` says so, refuses once with `fault`, and takes `seconds`."""

    def __init__(self, away: Callable[[], bool] = lambda: False) -> None:
        self.batches: list[tuple[ModelCall, ...]] = []
        self.tries: list[float] = []
        self.away = away
        self.fault: Exception | None = None
        self.seconds = 0.0
        self.left_out = 0

    @property
    def written(self) -> list[ModelCall]:
        return [call for batch in self.batches for call in batch]

    async def add(self, calls: tuple[ModelCall, ...]) -> int:
        self.tries.append(now())
        await pass_by(self.seconds)
        if self.away():
            raise StorageUnavailable("The database is locked.")
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        self.batches.append(calls)
        return self.left_out

    async def list(self, wanted: CallFilter, page: Page, reach: Reach) -> tuple[ModelCall, ...]:
        raise NotImplementedError

    async def totals(self, wanted: CallFilter, reach: Reach) -> tuple[UsageTotal, ...]:
        raise NotImplementedError

    async def forget(self, before: datetime) -> int:
        raise NotImplementedError


def open_ledger(calls: Calls) -> Ledger:
    ledger = Ledger(calls, clock=now, now=lambda: NOON)
    ledger.begin()
    return ledger


Story = Callable[[], Coroutine[Any, Any, None]]


def in_virtual_time(story: Story) -> Callable[[], None]:
    def test() -> None:
        run(story())

    test.__name__, test.__doc__ = story.__name__, story.__doc__
    return test


@pytest.mark.requirement("upkeep:model_calls")
@in_virtual_time
async def test_a_call_of_a_turn_is_that_turns_subtenants() -> None:
    calls = Calls()
    ledger = open_ledger(calls)
    facts = msgspec.structs.replace(FACTS, chat=ChatId("chat-1"))
    ledger.observe(facts, TurnStarted(facts.turn, "fast", None))
    ledger.observe_attempt(ATTEMPT)
    await pass_by(2 * GATHER)
    (call,) = calls.written
    assert msgspec.structs.replace(call, id="") == ModelCall(
        id="",
        subtenant_id="acme",
        chat_id=ChatId("chat-1"),
        turn_id=facts.turn,
        request_id="request-1",
        door="ws_chat",
        provider="lab",
        model="qwen3-32b",
        number=2,
        outcome="answered",
        error=None,
        upstream_id="up-1",
        usage=Usage(input=12, output=34),
        cost=0.5,
        first=0.1,
        duration=2.0,
        created_at=NOON,
    )
    await ledger.close()


@in_virtual_time
async def test_a_call_of_no_turn_is_the_servers_own() -> None:
    calls = Calls()
    ledger = open_ledger(calls)
    ledger.observe_attempt(msgspec.structs.replace(ATTEMPT, turn=None, request_id=None))
    ledger.observe_attempt(msgspec.structs.replace(ATTEMPT, turn=TurnId("ended long ago")))
    await ledger.close()
    assert [(call.subtenant_id, call.chat_id, call.door) for call in calls.written] == [("default", None, "server")] * 2


@in_virtual_time
async def test_what_ended_is_forgotten() -> None:
    ledger = Ledger(Calls())
    for event in events():
        ledger.observe(FACTS, event)
        assert len(ledger._turns) == (not isinstance(event, TurnEnded))


@in_virtual_time
async def test_calls_are_gathered_and_written_in_batches() -> None:
    calls = Calls()
    ledger = open_ledger(calls)
    for _ in range(BATCH + 1):
        ledger.observe_attempt(ATTEMPT)
    await pass_by(GATHER / 2)
    assert not calls.batches
    await pass_by(2 * GATHER)
    assert [len(batch) for batch in calls.batches] == [BATCH, 1]
    assert len({call.id for call in calls.written}) == BATCH + 1
    await ledger.close()


@pytest.mark.requirement("upkeep:model_calls:once")
@in_virtual_time
async def test_a_database_that_comes_back_gets_every_call_once() -> None:
    calls = Calls(away=lambda: now() < 60)
    ledger = open_ledger(calls)
    for _ in range(120):
        ledger.observe_attempt(ATTEMPT)
        await pass_by(1)
    assert len(calls.written) == len({call.id for call in calls.written}) == 120
    assert ledger.backlog() == Backlog(0, 0)
    assert len([at for at in calls.tries if at < 60]) < 10
    await ledger.close()


@in_virtual_time
async def test_a_call_that_comes_while_others_are_written_is_written_after_them() -> None:
    calls = Calls()
    calls.seconds = 5.0
    ledger = open_ledger(calls)
    ledger.observe_attempt(ATTEMPT)
    await pass_by(GATHER + 1)
    ledger.observe_attempt(ATTEMPT)
    await pass_by(20)
    assert [len(batch) for batch in calls.batches] == [1, 1]
    await ledger.close()


@in_virtual_time
async def test_calls_that_never_cease_are_gathered_between_any_two_writes() -> None:
    calls = Calls()
    calls.seconds = 0.01
    ledger = open_ledger(calls)
    for _ in range(1_000):
        ledger.observe_attempt(ATTEMPT)
        await pass_by(0.004)
    await ledger.close()
    assert len(calls.written) == 1_000
    assert len(calls.batches) <= 4 / GATHER + 1


@pytest.mark.requirement("upkeep:model_calls:bounded")
@in_virtual_time
async def test_a_database_that_stays_away_is_given_up_and_the_memory_is_bounded() -> None:
    calls = Calls(away=lambda: True)
    ledger = open_ledger(calls)
    for _ in range(MOST_WAITING + 5):
        ledger.observe_attempt(ATTEMPT)
    assert ledger.backlog() == Backlog(MOST_WAITING, 5)
    await pass_by(PATIENCE - 2 * LONGEST_PAUSE)
    assert ledger.backlog() == Backlog(MOST_WAITING, 5)
    await pass_by(3 * LONGEST_PAUSE + (MOST_WAITING / BATCH) * LONGEST_PAUSE)
    assert ledger.backlog() == Backlog(0, MOST_WAITING + 5)
    calls.away = lambda: False
    ledger.observe_attempt(ATTEMPT)
    await pass_by(LONGEST_PAUSE)
    assert len(calls.written) == 1
    await ledger.close()


@in_virtual_time
async def test_a_batch_that_can_not_be_written_costs_no_other() -> None:
    calls = Calls()
    calls.fault = ValueError("no such column")
    ledger = open_ledger(calls)
    for _ in range(BATCH + 3):
        ledger.observe_attempt(ATTEMPT)
    await pass_by(2 * GATHER)
    assert [len(batch) for batch in calls.batches] == [3]
    assert ledger.backlog() == Backlog(0, BATCH)
    await ledger.close()


@in_virtual_time
async def test_what_waits_is_written_at_the_stop() -> None:
    calls = Calls()
    ledger = open_ledger(calls)
    for _ in range(BATCH + 1):
        ledger.observe_attempt(ATTEMPT)
    await ledger.close()
    assert len(calls.written) == BATCH + 1
    assert now() == 0.0


@pytest.mark.requirement("upkeep:model_calls:stop")
@pytest.mark.parametrize("hangs", [False, True])
def test_a_stop_does_not_wait_for_a_database_that_is_away(hangs: bool) -> None:
    async def story() -> None:
        calls = Calls(away=lambda: True)
        calls.seconds = 3600.0 if hangs else 0.0
        ledger = open_ledger(calls)
        ledger.observe_attempt(ATTEMPT)
        await pass_by(5)
        await ledger.close(within=2.0)
        assert now() <= 7.0
        assert ledger.backlog() == Backlog(0, 1)
        await pass_by(1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(story())


@pytest.mark.requirement("upkeep:model_calls:dropped")
@in_virtual_time
async def test_calls_that_the_log_leaves_out_count_as_dropped() -> None:
    calls = Calls()
    calls.left_out = 1
    ledger = open_ledger(calls)
    ledger.observe_attempt(ATTEMPT)
    await pass_by(2 * GATHER)
    assert ledger.backlog() == Backlog(waiting=0, dropped=1)
    await ledger.close()


@pytest.mark.requirement("upkeep:model_calls:dropped")
def test_drops_are_warned_about_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    async def story() -> None:
        ledger = Ledger(Calls(), clock=now)
        for _ in range(MOST_WAITING):
            ledger.observe_attempt(ATTEMPT)
        for _ in range(int(2 * TOLD_EVERY)):
            ledger.observe_attempt(ATTEMPT)
            await pass_by(1)
        lines = [line for line in capsys.readouterr().out.splitlines() if "dropped" in line]
        assert len(lines) == 2
        assert ledger.backlog().dropped == 2 * TOLD_EVERY

    run(story())


@in_virtual_time
async def test_names_that_others_choose_are_cut() -> None:
    calls = Calls()
    ledger = open_ledger(calls)
    long = "x" * 1_000_000
    ledger.observe_attempt(msgspec.structs.replace(ATTEMPT, model=long, request_id=long, upstream_id=long))
    await ledger.close()
    (call,) = calls.written
    assert (call.model, call.request_id, call.upstream_id) == (long[:LONGEST_TEXT],) * 3


@pytest.mark.requirement("upkeep:model_calls:private")
@in_virtual_time
async def test_nothing_that_anybody_wrote_is_kept() -> None:
    calls = Calls()
    ledger = open_ledger(calls)
    for event in events()[:-1]:
        ledger.observe(FACTS, event)
    ledger.observe_attempt(ATTEMPT)
    ledger.observe(FACTS, events()[-1])
    await ledger.close()
    assert calls.written
    assert b"WORDS" not in msgspec.json.encode(calls.written)
