"""Door D: cancel in every phase of a turn, once."""

import pytest

from parlance.testing.script import saying
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import join, methods, open_session, text_of
from tests.acceptance.scripts import PAUSED, SILENT, WEATHER, calling
from tests.acceptance.server_process import ServerProcess


@pytest.mark.requirement("json_rpc:cancel:before_first_token")
async def test_cancel_before_the_first_token(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(SILENT)
    async with open_session(lab) as session:
        await session.generate("Hello")
        request = await upstream.arrival()
        assert await session.done("cancel") == {"status": "cancelled"}
        (end,) = await session.answer()
        assert (end["params"]["status_message"], end["params"]["final_text"]) == ("cancelled", "")
        await request.gone.wait()


@pytest.mark.requirement("json_rpc:cancel:mid_stream")
@pytest.mark.requirement("json_rpc:cancel:by_task_id")
@pytest.mark.parametrize("named", [False, True])
async def test_cancel_in_mid_stream_keeps_what_was_shown(
    lab: ServerProcess, upstream: PlannedUpstream, named: bool
) -> None:
    upstream.plan(PAUSED, saying("next"))
    async with open_session(lab) as session:
        task_id = await session.generate("Hello")
        await session.notices_until("text_chunk")
        await session.done("cancel", **({"task_id": task_id} if named else {}))
        (end,) = await session.answer()
        assert (end["params"]["status_message"], end["params"]["final_text"]) == ("cancelled", "one")
        await upstream.hung_up()
        await session.ask("And?")
    assert [message["content"] for message in upstream.sent(1)["messages"]] == ["Hello", "one", "And?"]


@pytest.mark.requirement("json_rpc:cancel:waiting")
async def test_cancel_while_a_call_waits(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(("get_weather", "{}")))
    async with open_session(lab, tools=[WEATHER]) as session:
        task_id = await session.generate("Weather?")
        await session.notices_until("function_call_request")
        await session.done("cancel")
        assert (await session.answer())[-1]["params"]["status_message"] == "cancelled"
        error = await session.refusal("tool_result", task_id=task_id, results=[{"tool_call_id": "call_0", "result": 1}])
        assert error["code"] == -32002
    assert len(upstream.requests) == 1


@pytest.mark.requirement("json_rpc:cancel:nothing")
@pytest.mark.requirement("json_rpc:cancel:late")
async def test_cancelling_what_does_not_run_is_an_error(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        error = await session.refusal("cancel")
        assert (error["code"], error["data"]["code"]) == (-32003, "nothing_to_cancel")
        notices = await session.ask("/words 2")
        assert (await session.refusal("cancel"))["code"] == -32003
        assert (await session.refusal("cancel", task_id=notices[0]["params"]["task_id"]))["code"] == -32003
        error = await session.refusal("cancel", task_id="nobody")
        assert (error["code"], error["data"]["code"]) == (-32004, "turn_not_found")


@pytest.mark.requirement("json_rpc:cancel:twice")
async def test_cancelling_twice_ends_once(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED, saying("next"))
    async with open_session(lab) as session:
        await session.generate("Hello")
        await session.notices_until("text_chunk")
        cancel = {"jsonrpc": "2.0", "method": "cancel"}
        await session.send([{**cancel, "id": "a"}, {**cancel, "id": "b"}])
        first, second = await session.response()
        assert first["result"] == second["result"] == {"status": "cancelled"}
        assert methods(await session.answer()) == ["end"]
        assert methods(await session.ask("And?")) == ["text_chunk", "end"]


@pytest.mark.requirement("json_rpc:cancel:late")
async def test_a_stale_cancel_by_task_leaves_the_next_task_alone(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(saying("first"), PAUSED)
    async with open_session(lab) as session:
        old = (await session.ask("Hello"))[0]["params"]["task_id"]
        await session.generate("Again")
        await session.notices_until("text_chunk")
        assert (await session.refusal("cancel", task_id=old))["code"] == -32003
        upstream.requests[1].go()
        assert (await session.answer())[-1]["params"]["status_message"] == "completed"


@pytest.mark.requirement("json_rpc:cancel:then_generate")
async def test_a_generate_right_behind_a_cancel_is_answered(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED, saying("next"))
    async with open_session(lab) as session:
        await session.generate("Hello")
        await session.notices_until("text_chunk")
        generate = {"jsonrpc": "2.0", "id": 7, "method": "generate", "params": {"message": "And?"}}
        await session.send([{"jsonrpc": "2.0", "id": 6, "method": "cancel"}, generate])
        assert ["result" in response for response in await session.response()] == [True, True]
        assert (await session.answer())[-1]["params"]["status_message"] == "cancelled"
        assert text_of(await session.answer()) == "next"
    assert [message["content"] for message in upstream.sent(1)["messages"]] == ["Hello", "one", "And?"]


@pytest.mark.requirement("json_rpc:cancel:other_connection")
async def test_another_connection_may_cancel(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED)
    async with open_session(lab) as first, join(lab, first.session_id) as second:
        await second.refusal("cancel")
        await first.generate("Hello")
        await first.notices_until("text_chunk")
        await second.done("cancel")
        assert (await first.answer())[-1]["params"]["status_message"] == "cancelled"
