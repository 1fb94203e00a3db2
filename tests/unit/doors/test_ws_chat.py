"""Door A where a real client can't reach it: inside a tool, behind a blocked reader, past a deadline."""

import asyncio
import gc
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from parlance.access.options import AccessOptions, ConfiguredKey
from parlance.core.deltas import Began, Delta, Finished, TextDelta
from parlance.core.json import JsonObject
from parlance.core.principal import LOCAL_ADMIN
from parlance.doors.serving import DoorOptions
from parlance.engine.ask import EngineOptions
from parlance.testing.clock import settle
from parlance.testing.models import FunctionTool
from parlance.testing.provider import ScriptedProvider, answering, calling
from tests.probes.leaks import LeakProbe
from tests.unit.doors.asgi import Digger, House, Socket

KEYED = AccessOptions(keys=(ConfiguredKey("web", "key-0123456789"),))


@pytest.mark.requirement("ws_chat:cancel:mid_tool")
async def test_cancel_while_a_server_tool_runs_ends_its_task_and_no_step_follows() -> None:
    digger = Digger()
    provider = ScriptedProvider(calling(("dig", "{}")), answering("never"))
    socket = Socket(House(provider, digger.tool))
    await socket.accepted()
    socket.say(action="chat", request_id="r", payload={"text": "Dig."})
    await socket.until("tool_call")
    await digger.running.wait()
    socket.say(action="cancel", request_id="r")
    last = await socket.until("complete", "error")
    assert last["metadata"]["status"] == "cancelled"
    assert digger.stopped.is_set()
    assert len(provider.requests) == 1
    await socket.leave()


@pytest.mark.requirement("ws_chat:slow_reader")
async def test_a_reader_that_takes_nothing_is_cut_and_the_turn_goes_on(leak_probe: LeakProbe) -> None:
    begin, go = asyncio.Event(), asyncio.Event()
    flood: list[Sequence[Delta]] = [[TextDelta("text", "x")]] * 400
    house = House(
        ScriptedProvider([begin, [Began(model="m"), TextDelta("text", "first")], go, *flood, [Finished("stop")]])
    )
    slow, healthy = Socket(house), Socket(house)
    for socket in (slow, healthy):
        await socket.accepted()
    slow.say(action="chat", request_id="r", payload={"text": "Hello"})
    turn_id = (await slow.until("processing"))["turn_id"]
    healthy.say(action="resume", request_id="h", turn_id=turn_id)
    await healthy.until("processing")
    slow.taking.clear()
    begin.set()
    await slow.until("text")
    go.set()
    assert (await healthy.until("complete", "error"))["status"] == "complete"
    slow.taking.set()
    error = await slow.until("error")
    assert (error["code"], error["request_id"], error["rejected_request_id"]) == ("slow_follower", None, "r")
    close = await slow.take()
    assert (close["type"], close["code"]) == ("websocket.close", 1013)
    for socket in (slow, healthy):
        await socket.leave()
    await house.engine.close()


@pytest.mark.requirement("ws_chat:access:first_frame_deadline")
async def test_a_socket_that_does_not_sign_in_in_time_is_closed() -> None:
    socket = Socket(House(access=KEYED, doors=DoorOptions(sign_in=0.01)))
    await socket.accepted()
    error = await socket.frame()
    assert (error["code"], error["error"]) == ("key_missing", "No key came within 0.01 s.")
    assert (await socket.take())["code"] == 1008
    await socket.ended()


async def test_binary_frames_do_not_put_the_deadline_off() -> None:
    socket = Socket(House(access=KEYED, doors=DoorOptions(sign_in=0.5)))
    await socket.accepted()
    socket.put("websocket.receive", bytes=b"x")
    assert (await socket.frame())["code"] == "unsupported_media_type"
    assert (await socket.frame())["code"] == "key_missing"
    await socket.leave()


async def test_a_socket_that_leaves_before_it_signed_in_leaves_nothing(leak_probe: LeakProbe) -> None:
    socket = Socket(House(access=KEYED))
    await socket.accepted()
    await socket.leave()


@pytest.mark.requirement("ws_chat:limits:turns")
async def test_more_turns_than_the_server_takes_are_refused_and_the_socket_lives_on() -> None:
    go = asyncio.Event()
    socket = Socket(House(ScriptedProvider([go, *answering("Hi")]), engine=EngineOptions(turns=1)))
    await socket.accepted()
    for name in "ab":
        socket.say(action="chat", request_id=name, payload={"text": "Hello"})
    error = await socket.until("error")
    assert (error["request_id"], error["code"], error["retryable"], error["retry_after"]) == (
        "b",
        "overloaded",
        True,
        1,
    )
    go.set()
    assert (await socket.until("complete"))["request_id"] == "a"
    await socket.leave()


@pytest.mark.requirement("ws_chat:stopping")
async def test_a_server_that_stops_takes_no_new_turns() -> None:
    house = House()
    socket = Socket(house)
    await socket.accepted()
    await house.engine.close()
    socket.say(action="chat", request_id="r", payload={"text": "Hello"})
    assert (await socket.until("error"))["code"] == "stopping"
    await socket.leave()


@pytest.mark.requirement("ws_chat:bug")
async def test_a_bug_is_told_without_its_details() -> None:
    async def broken(arguments: JsonObject) -> str:
        raise ZeroDivisionError("canary")

    provider = ScriptedProvider([ZeroDivisionError("canary")])
    socket = Socket(House(provider, FunctionTool("broken", broken)))
    await socket.accepted()
    socket.say(action="chat", request_id="r", payload={"text": "Hello"})
    error = await socket.until("error", "complete")
    assert error["code"] == "internal_error"
    assert "canary" not in str(error)
    await socket.leave()


@pytest.mark.requirement("ws_chat:leaks")
async def test_leaving_in_mid_turn_leaves_no_task_of_the_socket(leak_probe: LeakProbe) -> None:
    go = asyncio.Event()
    house = House(ScriptedProvider([[Began(model="m")], go, *answering("Hi")[1:]]))
    socket = Socket(house)
    await socket.accepted()
    socket.say(action="chat", request_id="r", payload={"text": "Hello"})
    await socket.until("processing")
    await socket.leave()
    assert house.engine.running == 1
    await house.engine.close()


async def test_a_client_that_breaks_off_while_it_is_told_something_is_no_bug() -> None:
    """The server says so by an `OSError` from `send`."""

    class Broken(Socket):
        async def _send(self, message: object) -> None:
            await super()._send(message)  # type: ignore[arg-type] # as it came
            if "websocket.send" in str(message):
                raise OSError

    house = House()
    socket = Broken(house)
    await socket.accepted()
    socket.say(action="nonsense")
    await socket.ended()
    await house.engine.close()


async def ask(socket: Socket, request_id: str) -> str:
    """The id of a turn that has ended."""
    socket.say(action="chat", request_id=request_id, payload={"text": "Hello"})
    return str((await socket.until("complete"))["turn_id"])


async def test_a_socket_without_history_holds_no_turn_that_the_engine_forgot() -> None:
    house = House(engine=EngineOptions(live_memory=0), doors=DoorOptions(keeps_history=False))
    socket = Socket(house)
    await socket.accepted()
    first = weakref.ref(await house.engine.find(await ask(socket, "1"), LOCAL_ADMIN))
    await ask(socket, "2")
    gc.collect()
    assert first() is None
    await socket.leave()
    await house.engine.close()


async def test_a_socket_remembers_its_newest_requests_and_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parlance.doors.ws_chat.socket.MAX_ASKED", 2)
    house = House()
    socket, other = Socket(house), Socket(house)
    for one in (socket, other):
        await one.accepted()
    await ask(socket, "1")
    second = await ask(socket, "2")
    for name in "12":
        await ask(other, name)
    await ask(socket, "3")
    socket.say(action="resume", request_id="2")
    assert (await socket.until("complete"))["turn_id"] == second
    socket.say(action="resume", request_id="1")
    assert (await socket.until("error"))["code"] == "turn_not_found", "there are two of this id, and neither is its own"
    for one in (socket, other):
        await one.leave()
    await house.engine.close()


async def test_a_word_for_a_request_that_this_socket_never_made_meets_nobody_else_s() -> None:
    go = asyncio.Event()
    house = House(ScriptedProvider([[Began(model="m")], go, *answering("Hi")[1:]]))
    mine, other = Socket(house), Socket(house)
    for one in (mine, other):
        await one.accepted()
    mine.say(action="chat", request_id="1", payload={"text": "Hello"})
    await mine.until("processing")
    other.say(action="cancel", request_id="1")
    other.say(action="tool_result", payload={"request_id": "1", "results": [{"tool_call_id": "c", "output": 1}]})
    assert [(await other.frame())["code"] for _ in range(2)] == ["turn_not_found"] * 2
    go.set()
    assert (await mine.until("complete"))["metadata"]["status"] == "completed"
    for one in (mine, other):
        await one.leave()
    await house.engine.close()


@pytest.mark.requirement("ws_chat:resume:request_id_in_use")
async def test_a_resume_that_names_a_turn_alone_is_refused_with_the_id_of_its_request() -> None:
    go = asyncio.Event()
    house = House(ScriptedProvider([[Began(model="m")], go, *answering("Hi")[1:]]))
    socket = Socket(house)
    await socket.accepted()
    socket.say(action="chat", request_id="1", payload={"text": "Hello"})
    turn_id = (await socket.until("processing"))["turn_id"]
    socket.say(action="resume", turn_id=turn_id)
    refused = await socket.until("error")
    assert (refused["code"], refused["request_id"]) == ("request_id_in_use", None)
    assert refused["rejected_request_id"] == "1"
    go.set()
    assert (await socket.until("complete"))["metadata"]["status"] == "completed"
    await socket.leave()
    await house.engine.close()


async def test_a_request_id_that_no_frame_can_hold_is_refused_and_the_socket_lives_on() -> None:
    socket = Socket(House())
    await socket.accepted()
    socket.put("websocket.receive", text='{"action":"chat","request_id":"\\ud83d","payload":{"text":"Hi"}}')
    refused = await socket.frame()
    assert (refused["code"], refused["request_id"]) == ("invalid_json", None)
    await ask(socket, "1")
    await socket.leave()


async def test_who_signs_in_for_another_subtenant_begins_another_conversation() -> None:
    keys = tuple(ConfiguredKey(name, f"{name}-key-0123456789", f"subtenant:{name}") for name in ("acme", "globex"))
    provider = ScriptedProvider()
    socket = Socket(House(provider, access=AccessOptions(keys=keys)), {"authorization": "Bearer acme-key-0123456789"})
    await socket.accepted()
    for name, remembered in (("acme", 0), ("acme", 2), ("globex", 0), ("globex", 2)):
        socket.say(action="auth", payload={"key": f"{name}-key-0123456789"})
        await socket.until("authenticated")
        await ask(socket, "1")
        assert len(provider.requests[-1].messages) == remembered + 1
    await socket.leave()


async def test_two_tellings_of_a_reader_that_takes_nothing_close_its_socket_once(
    leak_probe: LeakProbe, caplog: pytest.LogCaptureFixture
) -> None:
    class Server(Socket):
        """Refuses what comes behind a close, as servers do."""

        closed = False

        async def _send(self, message: Mapping[str, Any]) -> None:
            if self.closed:
                raise RuntimeError("A bug: it is closed")
            self.closed = message["type"] == "websocket.close"
            await super()._send(message)

    begin, go = asyncio.Event(), asyncio.Event()
    flood: list[Sequence[Delta]] = [[TextDelta("text", "x")]] * 400
    house = House(
        ScriptedProvider([begin, [Began(model="m"), TextDelta("text", "first")], go, *flood, [Finished("stop")]])
    )
    socket = Server(house)
    await socket.accepted()
    for name in "12":
        socket.say(action="chat", request_id=name, payload={"text": "Hello"})
        await socket.until("processing")
    socket.taking.clear()
    begin.set()
    await socket.until("text")
    await socket.until("text")
    go.set()
    await settle(1000)
    socket.taking.set()
    assert (await socket.until("error"))["code"] == "slow_follower"
    while (message := await socket.take())["type"] != "websocket.close":
        pass
    assert message["code"] == 1013
    socket.say(action="nonsense")
    await socket.ended()
    await house.engine.close()
    gc.collect()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
