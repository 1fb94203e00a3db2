"""Door C where a real client can't reach it."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from starlette.routing import Route

from parlance.core.deltas import Began, Delta, Finished, TextDelta
from parlance.core.events import TurnEnded
from parlance.core.principal import LOCAL_ADMIN
from parlance.doors import serving
from parlance.engine.ask import EngineOptions
from parlance.testing.provider import ScriptedProvider, answering
from tests.probes.leaks import LeakProbe
from tests.turns.stage import here
from tests.unit.doors.asgi import PATIENCE, Exchange, House, post


class Broken:
    """An endpoint with a bug."""

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        raise ZeroDivisionError("canary")


@pytest.mark.requirement("ndjson_chat:slow_reader")
async def test_a_reader_that_takes_nothing_is_cut_and_may_resume(leak_probe: LeakProbe) -> None:
    begin, go = asyncio.Event(), asyncio.Event()
    flood: list[Sequence[Delta]] = [[TextDelta("text", "x")]] * 400
    house = House(
        ScriptedProvider([begin, [Began(model="m"), TextDelta("text", "first")], go, *flood, [Finished("stop")]])
    )
    slow = post(house)
    await slow.head()
    meta = (await slow.lines())[0]
    slow.taking.clear()
    begin.set()
    assert (await slow.lines())[-1]["delta"] == "first"
    go.set()
    turn = here(await house.engine.find(meta["meta"]["turn_id"], LOCAL_ADMIN))
    await turn.finished()
    slow.taking.set()
    (last,) = await slow.lines()
    assert last["error"]["code"] == "slow_follower"
    assert "cursor" not in last
    await slow.ended()
    assert turn.ending == TurnEnded("completed", "stop", turn.usage)
    await house.engine.close()


@pytest.mark.requirement("ndjson_chat:heartbeat")
async def test_a_silent_answer_says_nothing_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEARTBEAT", 0.01)
    go = asyncio.Event()
    house = House(ScriptedProvider([[Began(model="m")], go, *answering("Hi")[1:]]))
    exchange = post(house)
    await exchange.head()
    await exchange.lines()
    for _ in range(2):
        assert (await exchange.take())["body"] == b"\n"
    go.set()
    while (line := (await exchange.take())["body"]) == b"\n":
        pass
    assert json.loads(line.splitlines()[0])["delta"] == "Hi"
    await exchange.ended()
    await house.engine.close()


@pytest.mark.requirement("ndjson_chat:disconnect")
async def test_a_client_that_leaves_ends_its_request_and_not_the_turn(leak_probe: LeakProbe) -> None:
    house = House(ScriptedProvider([[Began(model="m")], asyncio.Event()]))
    exchange = post(house)
    await exchange.head()
    await exchange.lines()
    exchange.put("http.disconnect")
    await exchange.ended()
    assert house.engine.running == 1
    await house.engine.close()


async def test_a_client_that_leaves_while_it_sends_begins_nothing(leak_probe: LeakProbe) -> None:
    house = House()
    exchange = Exchange(house, "POST", "/chat", None)
    exchange.put("http.request", body=b'{"mess', more_body=True)
    exchange.put("http.disconnect")
    await exchange.ended()
    assert house.engine.running == 0


@pytest.mark.requirement("ndjson_chat:limits:turns")
async def test_more_turns_than_the_server_takes_are_503_with_a_time_to_wait() -> None:
    house = House(ScriptedProvider([asyncio.Event()]), engine=EngineOptions(turns=1))
    first = post(house)
    await first.head()
    problem = await post(house).problem()
    assert (problem["status_code"], problem["code"], problem["retryable"]) == (503, "overloaded", True)
    assert problem["headers"]["retry-after"] == "1"
    await house.engine.close()
    first.put("http.disconnect")
    await first.ended()


@pytest.mark.requirement("ndjson_chat:stopping")
async def test_a_server_that_stops_takes_no_new_turns_and_is_not_ready() -> None:
    house = House()
    await house.engine.close()
    problem = await post(house).problem()
    assert (problem["status_code"], problem["code"]) == (503, "stopping")
    ready = await Exchange(house, "GET", "/ready").problem()
    assert (ready["status_code"], ready["status"]) == (503, "stopping")


@pytest.mark.requirement("ndjson_chat:bug")
async def test_a_bug_is_told_without_its_details() -> None:
    house = House(routes=(Route("/broken", Broken()),))
    problem = await Exchange(house, "GET", "/broken").problem()
    assert (problem["status_code"], problem["code"]) == (500, "internal_error")
    assert "canary" not in str(problem)
    assert problem["headers"]["x-request-id"] == problem["request_id"]


async def test_a_body_is_not_kept_beyond_its_limit_nor_read_for_ever() -> None:
    house = House()
    exchange = Exchange(house, "POST", "/chat", None)
    for _ in range(40):
        exchange.put("http.request", body=b"x" * 1_048_576, more_body=True)
    problem = await exchange.problem()
    assert (problem["status_code"], problem["code"]) == (413, "body_too_large")
    assert problem["headers"]["connection"] == "close"


@pytest.mark.requirement("ndjson_chat:resume:retention")
async def test_a_turn_is_forgotten_some_time_after_its_end() -> None:
    house = House(engine=EngineOptions(live_retention=0))
    exchange = post(house)
    await exchange.head()
    turn_id = (await exchange.lines())[0]["meta"]["turn_id"]
    await exchange.ended()
    async with asyncio.timeout(PATIENCE):
        while await read_status(house, turn_id) != 404:
            pass


async def read_status(house: House, turn_id: str) -> int:
    exchange = Exchange(house, "GET", f"/chat/{turn_id}")
    status, _ = await exchange.head()
    await exchange.ended()
    return status
