"""Door D where a real client can't reach it: inside a tool, behind a blocked reader, past a deadline."""

import asyncio
from collections.abc import Sequence

import pytest

from parlance.access.options import AccessOptions, ConfiguredKey
from parlance.core.deltas import Began, Delta, Finished, TextDelta
from parlance.core.principal import LOCAL_ADMIN
from parlance.doors.json_rpc.sessions import SessionLimits
from parlance.doors.serving import DoorOptions
from parlance.engine.ask import EngineOptions
from parlance.testing.clock import settle
from parlance.testing.provider import Act, ScriptedProvider, answering, calling
from tests.probes.leaks import LeakProbe
from tests.unit.doors.asgi import Digger, Exchange, House
from tests.unit.doors.json_rpc.rpc import RpcClient, make_session, opened

KEYED = AccessOptions(keys=(ConfiguredKey("web", "key-0123456789"),))


@pytest.mark.requirement("json_rpc:cancel:mid_tool")
async def test_cancel_while_a_server_tool_runs_ends_its_task_and_no_step_follows() -> None:
    digger = Digger()
    provider = ScriptedProvider(calling(("dig", "{}")), answering("never"))
    client = await opened(House(provider, digger.tool))
    await client.generate("Dig.")
    await digger.running.wait()
    client.call("cancel")
    assert (await client.until("end", "error"))["status_message"] == "cancelled"
    assert digger.stopped.is_set()
    assert len(provider.requests) == 1
    await client.leave()


@pytest.mark.requirement("json_rpc:cancel:too_late")
async def test_a_cancel_that_comes_too_late_is_refused_behind_all_that_was_said() -> None:
    """The turn had ended, and its client had yet to take what it said."""
    go = asyncio.Event()
    rest: list[Act] = [*([TextDelta("text", word)] for word in ("two", "three", "four")), [Finished("stop")]]
    house = House(ScriptedProvider([[Began(model="m"), TextDelta("text", "one")], go, *rest]))
    client = await opened(house)
    task_id = await client.generate()
    await client.until("text_chunk")
    client.taking.clear()
    go.set()
    await (await house.engine.find(task_id, LOCAL_ADMIN)).finished()
    client.call("cancel", task_id=task_id)
    await settle()
    client.taking.set()
    told = [await client.frame()]
    while told[-1].get("method") != "end":
        told.append(await client.frame())
    assert [frame.get("method", "response") for frame in told] == [
        "text_chunk",
        "text_chunk",
        "text_chunk",
        "response",
        "end",
    ]
    assert told[3]["error"]["code"] == -32003
    await client.leave()


@pytest.mark.requirement("json_rpc:slow_reader")
async def test_a_reader_that_takes_nothing_is_cut_and_the_turn_goes_on(leak_probe: LeakProbe) -> None:
    begin, go = asyncio.Event(), asyncio.Event()
    flood: list[Sequence[Delta]] = [[TextDelta("text", "x")]] * 400
    answer: list[Act] = [begin, [Began(model="m"), TextDelta("text", "first")], go, *flood, [Finished("stop")]]
    house = House(ScriptedProvider(answer))
    slow = await opened(house)
    healthy = RpcClient(house, slow.session_id)
    await healthy.accepted()
    healthy.call("cancel")
    await healthy.response()
    task_id = await slow.generate()
    slow.taking.clear()
    begin.set()
    await slow.until("text_chunk")
    go.set()
    assert (await healthy.until("end", "error"))["final_text"] == "first" + "x" * 400
    slow.taking.set()
    error = await slow.until("error")
    assert (error["task_id"], error["session_id"]) == (None, slow.session_id)
    assert (error["error"]["code"], error["error"]["data"]["code"]) == (-32006, "slow_follower")
    close = await slow.take()
    assert (close["type"], close["code"]) == ("websocket.close", 1013)
    assert (await house.engine.find(task_id, LOCAL_ADMIN)).ending.status == "completed"
    for client in (slow, healthy):
        await client.leave()
    await house.engine.close()


@pytest.mark.requirement("json_rpc:auth:deadline")
async def test_a_socket_that_does_not_sign_in_in_time_is_closed() -> None:
    client = RpcClient(House(access=KEYED, doors=DoorOptions(sign_in=0.01)), "any")
    await client.accepted()
    error = await client.until("error")
    assert (error["task_id"], error["error"]["code"]) == (None, -32005)
    assert error["error"]["message"] == "No key came within 0.01 s."
    assert (await client.take())["code"] == 1008
    await client.ended()


async def test_a_wrong_key_is_the_reason_for_which_its_socket_is_closed() -> None:
    client = RpcClient(House(access=KEYED), "any")
    await client.accepted()
    client.call("auth", key="wrong-0123456789")
    assert (await client.response())["error"]["data"]["code"] == "key_invalid"
    close = await client.take()
    assert (close["code"], close["reason"]) == (1008, "key_invalid")
    await client.ended()


@pytest.mark.requirement("json_rpc:leaks")
async def test_a_socket_that_leaves_before_it_signed_in_leaves_nothing(leak_probe: LeakProbe) -> None:
    client = RpcClient(House(access=KEYED), "any")
    await client.accepted()
    await client.leave()


@pytest.mark.requirement("json_rpc:leaks")
async def test_leaving_in_mid_turn_leaves_no_task_of_the_socket(leak_probe: LeakProbe) -> None:
    house = House(ScriptedProvider([[Began(model="m")], asyncio.Event()]))
    client = await opened(house)
    await client.generate()
    await client.leave()
    assert house.engine.running == 1
    await house.engine.close()


@pytest.mark.requirement("json_rpc:session:abandoned")
async def test_a_turn_without_any_follower_is_given_up_and_its_ending_told_to_who_comes_back() -> None:
    house = House(ScriptedProvider([[Began(model="m")], asyncio.Event()]), engine=EngineOptions(live_grace=0))
    client = await opened(house)
    task_id = await client.generate()
    await client.leave()
    await (await house.engine.find(task_id, LOCAL_ADMIN)).finished()
    client = RpcClient(house, client.session_id)
    await client.accepted()
    end = await client.until("end", "error")
    assert (end["status_message"], end["error"]["data"]["code"]) == ("cancelled", "abandoned")
    await client.leave()


@pytest.mark.requirement("json_rpc:session:forgotten_ending")
async def test_an_ending_that_is_kept_no_more_is_not_told() -> None:
    house = House(engine=EngineOptions(live_retention=0))
    client = await opened(house)
    task_id = await client.generate()
    await client.leave()
    await (await house.engine.find(task_id, LOCAL_ADMIN)).finished()
    await settle()
    client = RpcClient(house, client.session_id)
    await client.accepted()
    client.call("resume", task_id=task_id)
    assert (await client.response())["error"]["code"] == -32004
    await client.leave()


@pytest.mark.requirement("json_rpc:limits:turns")
async def test_more_turns_than_the_server_takes_are_refused_and_the_session_is_as_it_was() -> None:
    go = asyncio.Event()
    house = House(ScriptedProvider([go, *answering("Hi")]), engine=EngineOptions(turns=1))
    first, second = await opened(house), await opened(house)
    await first.generate()
    second.call("generate", message="Hello")
    error = (await second.response())["error"]
    assert (error["code"], error["data"]["code"], error["data"]["retry_after"]) == (-32006, "overloaded", 1)
    go.set()
    await first.until("end")
    await second.generate()
    assert (await second.until("end"))["final_text"] == "Hi"
    for client in (first, second):
        await client.leave()


@pytest.mark.requirement("json_rpc:limits:sessions")
async def test_more_sessions_than_a_principal_may_use_are_429_with_a_time_to_wait() -> None:
    house = House(sessions=SessionLimits(per_principal=1))
    client = await opened(house)
    problem = await Exchange(house, "POST", "/create_session").problem()
    assert (problem["status_code"], problem["code"], problem["retryable"]) == (429, "too_many_at_once", True)
    assert problem["headers"]["retry-after"] == "1"
    await client.leave()
    await make_session(house)


@pytest.mark.requirement("json_rpc:stopping")
async def test_a_server_that_stops_takes_no_new_turns_and_ends_those_it_has() -> None:
    house = House(ScriptedProvider([[Began(model="m"), TextDelta("text", "half")], asyncio.Event()]))
    client = await opened(house)
    await client.generate()
    await client.until("text_chunk")
    await house.engine.close()
    end = await client.until("end", "error")
    assert (end["status_message"], end["final_text"]) == ("incomplete", "half")
    assert end["error"]["data"] == {"code": "interrupted", "retryable": True}
    client.call("generate", message="Hello")
    error = (await client.response())["error"]
    assert (error["code"], error["data"]["code"]) == (-32006, "stopping")
    await client.leave()


@pytest.mark.requirement("json_rpc:bug")
async def test_a_bug_is_told_without_its_details_and_the_session_lives_on() -> None:
    client = await opened(House(ScriptedProvider([ZeroDivisionError("canary")], answering("Hi"))))
    await client.generate()
    error = await client.until("end", "error")
    assert (error["error"]["code"], error["error"]["data"]["code"]) == (-32603, "internal_error")
    assert "canary" not in str(error)
    await client.generate()
    assert (await client.until("end"))["final_text"] == "Hi"
    await client.leave()


async def test_a_client_that_breaks_off_while_it_is_told_something_is_no_bug() -> None:
    """The server says so by an `OSError` from `send`."""

    class Broken(RpcClient):
        async def _send(self, message: object) -> None:
            await super()._send(message)  # type: ignore[arg-type] # as it came
            if "websocket.send" in str(message):
                raise OSError

    house = House()
    client = Broken(house, await make_session(house))
    await client.accepted()
    client.call("nonsense")
    await client.ended()
    await house.engine.close()


@pytest.mark.requirement("json_rpc:generate:running")
async def test_two_sockets_that_ask_at_once_do_not_both_begin() -> None:
    go = asyncio.Event()
    house = House(ScriptedProvider([go, *answering("Hi")]))
    first = await opened(house)
    second = RpcClient(house, first.session_id)
    await second.accepted()
    for client in (first, second):
        client.call("generate", message="Hello")
    answers = [await client.response() for client in (first, second)]
    assert sorted("result" in answer for answer in answers) == [False, True]
    go.set()
    for client in (first, second):
        assert (await client.until("end"))["final_text"] == "Hi"
        await client.leave()
