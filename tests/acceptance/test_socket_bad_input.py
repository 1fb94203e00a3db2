"""Door A: bad input gets an error frame with its code, and the connection lives on where the protocol allows."""

import asyncio
import json
from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from parlance.testing.script import Script, failing
from parlance.testing.voices.openai_chat import encode_error
from tests.acceptance.chat_socket import ChatSocket, Frame, open_chat
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED
from tests.acceptance.server_process import ServerProcess
from tests.probes.leaks import LeakProbe


def chat_frame(**payload: object) -> str:
    return json.dumps({"action": "chat", "payload": payload, "request_id": "bad"})


def with_params(**params: object) -> str:
    return chat_frame(text="Hi", params=params)


def result_frame(results: object, **named: object) -> str:
    return json.dumps({"action": "tool_result", "request_id": "bad", "payload": {"results": results, **named}})


DEEP = '{"a":' * 1_000 + "1" + "}" * 1_000
ABYSS = '{"a":' * 100_000 + "1" + "}" * 100_000

# The frame, the code of the error, and whether the id of the request could be read.
CASES: dict[str, tuple[str, str, bool]] = {
    "not JSON": ("nonsense", "invalid_json", False),
    "an empty frame": ("", "invalid_json", False),
    "a number that is none": ('{"action":"chat","request_id":"bad","payload":{"text":NaN}}', "invalid_json", True),
    "a frame that was cut": ('{"action":"chat","request_id":"bad"', "invalid_json", False),
    "two frames in one": ('{"action":"chat"}{"action":"chat"}', "invalid_json", False),
    "a list": ("[]", "invalid_request", False),
    "no action": ('{"request_id":"bad"}', "invalid_request", True),
    "an action that is no text": ('{"action":1,"request_id":"bad"}', "invalid_request", True),
    "an unknown action": ('{"action":"fly","request_id":"bad"}', "unknown_action", True),
    "a request id that is no text": ('{"action":"cancel","request_id":7}', "invalid_request", False),
    "an empty request id": ('{"action":"chat","request_id":"","payload":{"text":"Hi"}}', "invalid_request", True),
    "no payload": ('{"action":"chat","request_id":"bad"}', "invalid_request", True),
    "a payload that is no object": ('{"action":"chat","request_id":"bad","payload":[]}', "invalid_request", True),
    "a text that is no text": (chat_frame(text=5), "invalid_request", True),
    "an empty text": (chat_frame(text=""), "invalid_request", True),
    "a blank text": (chat_frame(text=" \n\t"), "invalid_request", True),
    "half of a surrogate pair": (
        '{"action":"chat","request_id":"bad","payload":{"text":"\\ud83d"}}', "invalid_json", True,
    ),
    "NUL in the text": (chat_frame(text="a\0b"), "invalid_request", True),
    "NUL in the frame": ('{"action":"chat"\0}', "invalid_json", False),
    "a thousand levels": (DEEP, "invalid_request", False),
    "too many levels for any decoder": (
        f'{{"action":"chat","request_id":"bad","payload":{ABYSS}}}', "invalid_request", False,
    ),
    "an unknown parameter": (with_params(temprature=1), "invalid_request", True),
    "a parameter of another type": (with_params(temperature="hot"), "invalid_request", True),
    "no token to say anything with": (with_params(max_tokens=0), "invalid_request", True),
    "a share of more than all": (with_params(top_p=1.5), "invalid_request", True),
    "a chat that is not there": (chat_frame(text="Hi", chat_id="c1"), "invalid_request", True),
    "a tool without a name": (chat_frame(text="Hi", tools=[{"description": "x"}]), "invalid_request", True),
    "a tool with a bad name": (chat_frame(text="Hi", tools=[{"name": "a b"}]), "invalid_request", True),
    "a tool that is no object": (chat_frame(text="Hi", tools=["x"]), "invalid_request", True),
    "one tool twice": (chat_frame(text="Hi", tools=[{"name": "a"}, {"name": "a"}]), "invalid_request", True),
    "too many tools": (chat_frame(text="Hi", tools=[{"name": f"t{n}"} for n in range(129)]), "invalid_request", True),
    "a schema that is none": (chat_frame(text="Hi", tools=[{"name": "a", "parameters": []}]), "invalid_request", True),
    "a cancel of nothing": ('{"action":"cancel"}', "invalid_request", False),
    "a resume of nothing": ('{"action":"resume"}', "invalid_request", False),
    "results for nothing": ('{"action":"tool_result","payload":{"results":[]}}', "invalid_request", False),
    "no result": (result_frame([], turn_id="t"), "invalid_request", True),
    "a result without its call": (result_frame([{"output": 1}], turn_id="t"), "invalid_request", True),
    "output and error": (result_frame([{"tool_call_id": "c", "output": 1, "error": "e"}]), "invalid_request", True),
    "results for an unknown turn": (result_frame([{"tool_call_id": "c"}], turn_id="t"), "turn_not_found", True),
}  # fmt: skip


def check_refusal(frame: Frame, code: str, request_id: str | None) -> None:
    assert frame["status"] == "error", frame
    assert (frame["code"], frame["request_id"]) == (code, request_id), frame
    assert isinstance(frame["error"], str)
    assert len(frame["error"]) < 600
    assert "Traceback" not in frame["error"]


@pytest.mark.requirement("ws_chat:bad_input")
@pytest.mark.parametrize("case", CASES)
async def test_a_bad_frame_gets_an_error_and_the_connection_lives_on(chat: ChatSocket, case: str) -> None:
    text, code, readable = CASES[case]
    await chat.send(text)
    request_id = "" if case == "an empty request id" else "bad"
    check_refusal(await chat.frame(), code, request_id if readable else None)
    assert (await chat.ask("Hello"))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:bad_input:unknown_action")
async def test_the_error_names_the_unknown_action(chat: ChatSocket) -> None:
    await chat.send({"action": "fly", "request_id": "r"})
    assert "'fly'" in (await chat.frame())["error"]


@pytest.mark.requirement("ws_chat:bad_input:binary")
async def test_a_binary_frame_is_refused_and_the_connection_lives_on(chat: ChatSocket) -> None:
    await chat.send(b'{"action":"chat","payload":{"text":"Hi"},"request_id":"bad"}')
    check_refusal(await chat.frame(), "unsupported_media_type", None)
    assert (await chat.ask("Hello"))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:bad_input:not_utf8")
async def test_a_text_frame_that_is_no_utf8_ends_the_connection_as_the_protocol_has_it(chat: ChatSocket) -> None:
    await chat.connection.send(b'{"action":"\xff"}', text=True)
    assert await chat.closed() == 1007


@pytest.mark.requirement("ws_chat:bad_input:size")
@pytest.mark.parametrize("size", [1_048_577, 5 * 1_048_576])
async def test_a_message_over_a_mebibyte_ends_the_connection_as_the_protocol_has_it(
    chat: ChatSocket, size: int
) -> None:
    with suppress(ConnectionClosed):
        await chat.chat("x" * size)
    assert await chat.closed() == 1009


@pytest.mark.requirement("ws_chat:bad_input:size")
async def test_a_message_just_below_a_mebibyte_is_answered(chat: ChatSocket) -> None:
    assert (await chat.ask("/words 1\n" + "x" * (1_048_576 - 200)))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:bad_input")
async def test_a_bad_frame_that_names_a_running_request_does_not_end_it(
    lab_chat: ChatSocket, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    await lab_chat.chat("Hello", request_id="bad")
    await lab_chat.frames_until("bad", "text")
    await lab_chat.send(chat_frame(text=5))
    refusal = await lab_chat.frame_of(None)
    assert (refusal["code"], refusal["rejected_request_id"]) == ("invalid_request", "bad")
    upstream.requests[0].go()
    assert (await lab_chat.answer("bad"))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:bad_input:model")
async def test_a_model_that_the_host_does_not_have_is_an_error(lab_chat: ChatSocket, upstream: PlannedUpstream) -> None:
    upstream.plan(failing(404, encode_error("The model `nowhere/no-such` does not exist", code="model_not_found")))
    last = (await lab_chat.ask("Hello", model="nowhere/no-such"))[-1]
    assert upstream.sent(0)["model"] == "nowhere/no-such"
    assert (last["status"], last["code"]) == ("error", "upstream_rejected")
    assert "nowhere/no-such" in last["error"]


@pytest.mark.requirement("ws_chat:bad_input:model")
async def test_a_model_that_is_not_on_offer_is_an_error(chat: ChatSocket) -> None:
    (refusal,) = await chat.ask("Hello", model="no-such-model")
    assert (refusal["status"], refusal["code"]) == ("error", "model_not_found")
    assert "no-such-model" in refusal["error"]
    assert (await chat.ask("Hello"))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:limits:requests")
async def test_one_connection_may_not_run_any_number_of_requests(demo: ServerProcess) -> None:
    async with open_chat(demo) as chat:
        for number in range(101):
            await chat.chat("/hang", request_id=f"r{number}")
        refusal = await chat.frame_of("r100")
        assert (refusal["status"], refusal["code"]) == ("error", "too_many_at_once")
        for number in range(100):
            await chat.cancel(f"r{number}")
        for number in range(100):
            assert (await chat.answer(f"r{number}"))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:leaks")
async def test_connections_leave_nothing_behind(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    """Those that end in order, those that are cut, those that are refused."""
    upstream.plan(*[Script(keep_alive=False)] * 20)
    probe = LeakProbe(lab.pid)
    for number in range(20):
        async with open_chat(lab) as chat:
            await chat.ask("Hello")
            await chat.send("nonsense" if number % 2 else b"binary")
            await chat.frame()
            if number % 3 == 0:
                chat.connection.transport.abort()
    await probe.settled()


@pytest.mark.requirement("ws_chat:leaks")
async def test_half_a_handshake_holds_nothing_up(demo: ServerProcess) -> None:
    probe = LeakProbe(demo.pid)
    for begin in (
        b"GET /ws/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\0" * 64,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", demo.port)
        writer.write(begin)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        reader.feed_eof()
    async with open_chat(demo) as chat:
        assert (await chat.ask("Hello"))[-1]["status"] == "complete"
    await probe.settled()
