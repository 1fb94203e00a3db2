"""Door D: the rules of JSON-RPC 2.0 itself, and of WebSockets under it."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from parlance.dialects.json_rpc.envelope import MAX_BATCH
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import open_session
from tests.acceptance.scripts import PAUSED
from tests.acceptance.server_process import ServerProcess

PARSE, INVALID, UNKNOWN, PARAMS, NOTHING = -32700, -32600, -32601, -32602, -32003
DEEP = '{"a":' * 1_000 + "1" + "}" * 1_000


def call(id: object, method: str = "cancel", **more: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": id, "method": method, **more}


def note(method: str = "cancel", **more: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": method, **more}


# The frame, and for each response in the order it comes: its id and the code of its error. `cancel` finds nothing to
# cancel, so -32003 says that a request was understood. None: the frame must not be answered at all.
Outcome = Sequence[tuple[object, int]]
CASES: dict[str, tuple[object, Outcome | None]] = {
    "a version that is another": ({**call(1), "jsonrpc": "1.0"}, [(1, INVALID)]),
    "a version that is a number": ({**call(1), "jsonrpc": 2.0}, [(1, INVALID)]),
    "no version": ({"id": 1, "method": "cancel"}, [(1, INVALID)]),
    "an id that is a number": (call(1), [(1, NOTHING)]),
    "an id that is the same as text": (call("1"), [("1", NOTHING)]),
    "an id that is negative": (call(-7), [(-7, NOTHING)]),
    "an id that is large": (call(2**70), [(2**70, NOTHING)]),
    "an id that is empty": (call(""), [("", NOTHING)]),
    "an id with any text": (call('"\\ \u2028 é'), [('"\\ \u2028 é', NOTHING)]),
    "an id with a fraction": (call(1.5), [(None, INVALID)]),
    "an id that is an exponent": ('{"jsonrpc":"2.0","id":1e3,"method":"cancel"}', [(None, INVALID)]),
    "an id that is true": (call(True), [(None, INVALID)]),
    "an id that is a list": (call([1]), [(None, INVALID)]),
    "an id that is an object": (call({}), [(None, INVALID)]),
    "an id that is null is a request": (call(None), [(None, NOTHING)]),
    "a notification that works": (note("generate", params={"message": "/words 1"}), None),
    "a notification that can't be obeyed": (note(), None),
    "a notification of an unknown method": (note("fly"), None),
    "a notification with bad parameters": (note("generate", params={}), None),
    "not JSON": ("nonsense", [(None, PARSE)]),
    "an empty frame": ("", [(None, PARSE)]),
    "JSON that was cut": ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', [(None, PARSE)]),
    "a batch that was cut": ('[{"jsonrpc":"2.0","method":"cancel","id":1},{"jsonrpc"', [(None, PARSE)]),
    "NaN": ('{"jsonrpc":"2.0","id":1,"method":"generate","params":{"temperature":NaN}}', [(None, PARSE)]),
    "half of a surrogate pair": ('{"jsonrpc":"2.0","id":1,"method":"\\ud83d"}', [(None, PARSE)]),
    "a thousand levels": (DEEP, [(None, INVALID)]),
    "a string": ('"cancel"', [(None, INVALID)]),
    "a number": ("1", [(None, INVALID)]),
    "null": ("null", [(None, INVALID)]),
    "an empty object": ({}, [(None, INVALID)]),
    "no method": ({"jsonrpc": "2.0", "id": 1}, [(1, INVALID)]),
    "a method that is a number": ({"jsonrpc": "2.0", "method": 1, "params": "bar"}, [(None, INVALID)]),
    "a response": ({"jsonrpc": "2.0", "id": 4, "result": 1}, [(4, INVALID)]),
    "params that are text": (call(1, params="bar"), [(1, INVALID)]),
    "params that are null": (call(1, params=None), [(1, INVALID)]),
    "params that are an object": (call(1, params={}), [(1, NOTHING)]),
    "params that are an empty array": (call(1, params=[]), [(1, NOTHING)]),
    "params by place": (call(1, params=["x"]), [(1, PARAMS)]),
    "params of another form": (call(1, params={"task_id": 5}), [(1, PARAMS)]),
    "params that lack something": (call(1, "resume"), [(1, PARAMS)]),
    "an unknown method": (call(1, "fly"), [(1, UNKNOWN)]),
    "a method in other letters": (call(1, "Cancel"), [(1, UNKNOWN)]),
    "a reserved method": (call(1, "rpc.discover"), [(1, UNKNOWN)]),
    "an empty batch": ([], [(None, INVALID)]),
    "a batch of requests": ([call(1), call("a"), call(2, "fly")], [(1, NOTHING), ("a", NOTHING), (2, UNKNOWN)]),
    "a batch of one": ([call(1)], [(1, NOTHING)]),
    "a batch of notifications": ([note(), note("fly")], None),
    "a batch with notifications": ([note(), call(1), note("fly")], [(1, NOTHING)]),
    "a batch of nonsense": ([1, 2, 3], [(None, INVALID)] * 3),
    "a batch with nonsense": ([{"foo": "boo"}, call(1), []], [(None, INVALID), (1, NOTHING), (None, INVALID)]),
    "the largest batch": ([call(n) for n in range(MAX_BATCH)], [(n, NOTHING) for n in range(MAX_BATCH)]),
    "too large a batch": ([call(n) for n in range(MAX_BATCH + 1)], [(None, INVALID)]),
    "an id twice in flight": ([call(1), call(1)], [(1, NOTHING), (None, INVALID)]),
    "ids that only look the same": ([call(1), call("1")], [(1, NOTHING), ("1", NOTHING)]),
    "an id twice, written twice": (
        '[{"jsonrpc":"2.0","method":"cancel","id":"a"},{"jsonrpc":"2.0","method":"cancel","id":"\\u0061"}]',
        [("a", NOTHING), (None, INVALID)],
    ),
}
SINGLE = ("an empty batch", "too large a batch", "a batch that was cut")


@pytest.mark.requirement("json_rpc:rules:version")
@pytest.mark.requirement("json_rpc:rules:id")
@pytest.mark.requirement("json_rpc:rules:id:in_flight")
@pytest.mark.requirement("json_rpc:rules:id_null")
@pytest.mark.requirement("json_rpc:rules:notification")
@pytest.mark.requirement("json_rpc:rules:parse")
@pytest.mark.requirement("json_rpc:rules:invalid")
@pytest.mark.requirement("json_rpc:rules:params")
@pytest.mark.requirement("json_rpc:rules:method")
@pytest.mark.requirement("json_rpc:rules:batch")
@pytest.mark.requirement("json_rpc:rules:batch:empty")
@pytest.mark.requirement("json_rpc:rules:batch:notifications")
@pytest.mark.requirement("json_rpc:rules:batch:invalid")
@pytest.mark.requirement("json_rpc:rules:batch:cap")
@pytest.mark.requirement("json_rpc:rules:exactly_one")
@pytest.mark.parametrize("name", CASES)
async def test_each_rule_of_json_rpc(demo: ServerProcess, name: str) -> None:
    frame, expected = CASES[name]
    async with open_session(demo) as session:
        await session.send(frame if isinstance(frame, str) else json.dumps(frame))
        await session.send(call("after", "no_such_method"))
        if expected is not None:
            answer = await session.response()
            is_batch = json.dumps(frame).startswith("[") or str(frame).startswith("[")
            assert isinstance(answer, list) == (is_batch and name not in SINGLE)
            responses: list[dict[str, Any]] = answer if isinstance(answer, list) else [answer]
            for response in responses:
                assert response.keys() == {"jsonrpc", "id", "error"}
                assert response["jsonrpc"] == "2.0"
                assert response["error"]["message"]
            found = [(response["id"], response["error"]["code"]) for response in responses]
            assert found == expected
            assert [type(id) for id, _ in found] == [type(id) for id, _ in expected]
        assert (await session.response())["id"] == "after"


@pytest.mark.requirement("json_rpc:rules:exactly_one")
async def test_a_result_has_no_error_beside_it(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        response = await session.call("generate", message="/words 1")
        assert response.keys() == {"jsonrpc", "id", "result"}


@pytest.mark.requirement("json_rpc:rules:id")
async def test_an_id_may_be_used_again_once_it_was_answered(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED)
    async with open_session(lab) as session:
        for _ in range(2):
            await session.send(call(1, "generate", params={"message": "Hello"}))
        first, second = await session.response(), await session.response()
        assert "result" in first
        assert (second["id"], second["error"]["code"]) == (1, -32001)
        await session.notices_until("text_chunk")
        upstream.requests[0].go()
        assert (await session.answer())[-1]["params"]["final_text"] == "one two"


@pytest.mark.requirement("json_rpc:rules:progress")
async def test_what_is_told_by_itself_has_no_id_and_names_its_task(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        task_id = await session.generate("/words 5")
        notices = await session.answer()
        assert all("id" not in notice for notice in notices)
        assert {(n["params"]["session_id"], n["params"]["task_id"]) for n in notices} == {(session.session_id, task_id)}
        cursors = [notice["params"]["cursor"] for notice in notices]
        numbers = [int(cursor.rpartition("-")[2]) for cursor in cursors]
        assert numbers == sorted(set(numbers))


@pytest.mark.requirement("json_rpc:rules:cancel_as_notification")
async def test_a_cancel_may_be_a_notification(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED)
    async with open_session(lab) as session:
        await session.generate("Hello")
        await session.notices_until("text_chunk")
        await session.send(note())
        (end,) = await session.answer()
        assert end["params"]["status_message"] == "cancelled"


@pytest.mark.requirement("json_rpc:rules:batch")
async def test_a_batch_may_do_several_things_and_is_answered_before_the_turn_is_told(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        await session.send([call(1, "generate", params={"message": "/words 2"}), call(2, "fly")])
        first = json.loads(await session.connection.recv())
        assert [response["id"] for response in first] == [1, 2]
        assert (await session.answer())[-1]["params"]["status_message"] == "completed"


@pytest.mark.requirement("json_rpc:rules:binary")
async def test_a_binary_frame_is_refused_and_closes(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        await session.send(b'{"jsonrpc":"2.0","id":1,"method":"cancel"}')
        refusal = await session.response()
        assert (refusal["id"], refusal["error"]["code"]) == (None, INVALID)
        assert await session.closed() == 1003


@pytest.mark.requirement("json_rpc:rules:broken_text")
async def test_text_that_is_not_utf_8_closes(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        await session.connection.send(b"\xff\xfe", text=True)
        assert await session.closed() == 1007


@pytest.mark.requirement("json_rpc:rules:too_big")
async def test_a_frame_over_the_limit_closes(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        with suppress(ConnectionClosed):
            await session.send(json.dumps(call(1, "generate", params={"message": "x" * 5_000_000})))
        assert await session.closed() == 1009
