"""Door D: what `generate` takes, what the model is asked, and how the answer ends."""

from typing import Any

import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script, failing, saying
from tests.acceptance.chat_lines import open_client
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import RpcSession, methods, open_session, text_of
from tests.acceptance.scripts import PAUSED, WEATHER, calling
from tests.acceptance.server_process import ServerProcess

Asked = list[dict[str, Any]]


def asked(upstream: PlannedUpstream, number: int = -1) -> Asked:
    """The messages of a request to the model, roles and contents."""
    messages = upstream.sent(number)["messages"]
    return [{key: message[key] for key in ("role", "content")} for message in messages]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


SYSTEM = {"role": "system", "content": "Be brief."}

# The parameters, and what the model is asked.
ASKED: dict[str, tuple[dict[str, object], Asked]] = {
    "a message": ({"message": "Hi"}, [user("Hi")]),
    "a history": ({"history": [user("Hi")]}, [user("Hi")]),
    "an empty history": ({"history": [], "message": "Hi"}, [user("Hi")]),
    "a history of null": ({"history": None, "message": "Hi", "tools": None, "temperature": None}, [user("Hi")]),
    "a message behind a history": (
        {"history": [SYSTEM, user("a"), assistant("b")], "message": "c"},
        [SYSTEM, user("a"), assistant("b"), user("c")],
    ),
    "a message beside a history that asks already": (
        {"history": [user("a"), assistant("b"), user("c")], "message": "c"},
        [user("a"), assistant("b"), user("c")],
    ),
    "a history that ends with the assistant": (
        {"history": [user("a"), assistant("b")]},
        [user("a"), assistant("b")],
    ),
    "content in pieces": ({"history": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}, [user("Hi")]),
    "a developer's message": ({"history": [{**SYSTEM, "role": "developer"}, user("Hi")]}, [SYSTEM, user("Hi")]),
}


@pytest.mark.requirement("json_rpc:generate:history")
@pytest.mark.requirement("json_rpc:generate:message")
@pytest.mark.requirement("json_rpc:generate:message_ignored")
@pytest.mark.parametrize("name", ASKED)
async def test_the_model_is_asked_what_was_given(lab: ServerProcess, upstream: PlannedUpstream, name: str) -> None:
    given, expected = ASKED[name]
    async with open_session(lab) as session:
        await session.ask(**given)  # type: ignore[arg-type] # parameters of every kind
    assert asked(upstream) == expected


@pytest.mark.requirement("json_rpc:generate:session_history")
async def test_a_message_alone_goes_on_with_the_sessions_history(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(saying("one"), saying("two"), saying("three"), saying("four"))
    async with open_session(lab) as session:
        await session.ask("a")
        await session.ask("b")
        assert asked(upstream) == [user("a"), assistant("one"), user("b")]
        await session.ask(history=[SYSTEM, user("x"), assistant("y"), user("z")])
        assert asked(upstream) == [SYSTEM, user("x"), assistant("y"), user("z")]
        await session.ask("c")
        assert asked(upstream) == [SYSTEM, user("x"), assistant("y"), user("z"), assistant("three"), user("c")]


TOOL_CALL = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
CALLED: dict[str, object] = {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}
HISTORIES: dict[str, list[dict[str, object]]] = {
    "OpenAI's form": [CALLED, {"role": "tool", "tool_call_id": "c1", "content": "rain"}],
    "the flat form": [
        {"role": "assistant", "tool_calls": [{"id": "c1", "name": "get_weather", "arguments": {"city": "Oslo"}}]},
        {"role": "tool", "tool_call_id": "c1", "tool_name": "get_weather", "tool_result": "rain"},
    ],
    "the flat form with other words": [
        {
            "role": "assistant",
            "tool_calls": [{"tool_call_id": "c1", "tool_name": "get_weather", "parameters": {"city": "Oslo"}}],
        },
        {"role": "tool", "tool_name": "get_weather", "tool_result": "rain"},
    ],
}


@pytest.mark.requirement("json_rpc:generate:tool_messages")
@pytest.mark.parametrize("name", HISTORIES)
async def test_calls_and_results_in_a_history(lab: ServerProcess, upstream: PlannedUpstream, name: str) -> None:
    async with open_session(lab) as session:
        await session.ask(history=[user("Weather?"), *HISTORIES[name], user("And now?")])
    _, called, result, _ = upstream.sent(0)["messages"]
    (call,) = called["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("c1", "get_weather")
    assert call["function"]["arguments"].replace(" ", "") == '{"city":"Oslo"}'
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "rain"}


@pytest.mark.requirement("json_rpc:generate:tool_messages")
async def test_a_result_without_its_call_gets_one(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    async with open_session(lab) as session:
        await session.ask(history=[user("?"), {"role": "tool", "tool_name": "get_weather", "tool_result": {"n": 1.0}}])
    _, called, result = upstream.sent(0)["messages"]
    assert called["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": "{}"}
    assert (result["tool_call_id"], result["content"]) == (called["tool_calls"][0]["id"], '{"n": 1.0}')


@pytest.mark.requirement("json_rpc:generate:tools")
async def test_tools_of_a_request_stand_for_the_sessions(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    async def offered(session: RpcSession, **params: object) -> list[str]:
        await session.ask("Hi", **params)
        return [tool["function"]["name"] for tool in upstream.sent(-1)["tools"]]

    nested = {"type": "function", "function": {"name": "other", "parameters": {"type": "object"}}}
    async with open_session(lab, tools=[WEATHER, nested]) as session:
        assert await offered(session) == ["get_weather", "other", "get_current_time"]
        assert await offered(session, tools=[{"name": "mine"}]) == ["mine", "get_current_time"]
        assert await offered(session, tools=[]) == ["get_current_time"]
        assert await offered(session, tools=None) == ["get_weather", "other", "get_current_time"]


@pytest.mark.requirement("json_rpc:generate:params")
async def test_parameters_of_the_answer_reach_the_model(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    async with open_session(lab) as session:
        await session.ask(
            "Hi", max_new_tokens=7, temperature=0.5, top_p=0.25, seed=3, stop=["x"], model="openai/another-model"
        )
    body = upstream.sent(0)
    assert body["model"] == "another-model"
    assert (body["temperature"], body["top_p"], body["seed"], body["stop"]) == (0.5, 0.25, 3, ["x"])
    assert 7 in (body.get("max_tokens"), body.get("max_completion_tokens"))


@pytest.mark.requirement("json_rpc:generate:unknown_params")
async def test_parameters_that_mean_nothing_here_are_named(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        result = await session.done("generate", message="/words 1", do_sample=True, repetition_penalty=1.1)
        assert result["ignored"] == ["do_sample", "repetition_penalty"]


@pytest.mark.requirement("json_rpc:generate:reasoning")
async def test_reasoning_is_told_only_when_asked_for(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        assert methods(await session.ask("/reason /words 2")) == ["text_chunk", "end"]
        notices = await session.ask("/reason /words 2", reasoning=True)
        assert methods(notices) == ["reasoning_chunk", "text_chunk", "end"]
        assert notices[-1]["params"]["final_text"] == text_of(notices)


REFUSED: dict[str, dict[str, object]] = {
    "nothing": {},
    "an empty history": {"history": []},
    "only a system message": {"history": [SYSTEM]},
    "an empty message": {"message": " "},
    "a message with NUL": {"message": "a\0b"},
    "a history with NUL": {"history": [user("a\0b")]},
    "a message that is no text": {"message": 5},
    "a history that is no list": {"history": "Hi"},
    "an entry that is no object": {"history": ["Hi"]},
    "an unknown role": {"history": [{"role": "robot", "content": "Hi"}]},
    "no role": {"history": [{"content": "Hi"}]},
    "content that is a number": {"history": [{"role": "user", "content": 5}]},
    "an unknown piece": {"history": [{"role": "user", "content": [{"type": "smell"}]}]},
    "an image without an address": {"history": [{"role": "user", "content": [{"type": "image_url"}]}]},
    "a file as an image": {"history": [{"role": "user", "content": [{"type": "image_url", "image_url": "file:///x"}]}]},
    "a call without a name": {"history": [user("Hi"), {"role": "assistant", "tool_calls": [{"id": "c"}]}]},
    "a result of nobody": {"history": [user("Hi"), {"role": "tool", "content": "x"}]},
    "a temperature in words": {"message": "Hi", "temperature": "hot"},
    "no tokens": {"message": "Hi", "max_new_tokens": 0},
    "a tool without a name": {"message": "Hi", "tools": [{"description": "x"}]},
    "a tool twice": {"message": "Hi", "tools": [WEATHER, WEATHER]},
}


@pytest.mark.requirement("json_rpc:generate:refused")
@pytest.mark.parametrize("name", REFUSED)
async def test_what_can_not_be_asked_is_refused_and_begins_nothing(
    lab: ServerProcess, upstream: PlannedUpstream, name: str
) -> None:
    async with open_session(lab) as session:
        error = await session.refusal("generate", **REFUSED[name])
        assert error["code"] == -32602
        assert error["data"]["code"] == "invalid_request"
        assert error["data"]["fields"][0]["path"].startswith("$.params")
        assert not upstream.requests
        assert (await session.ask("Hi"))[-1]["method"] == "end"
    assert asked(upstream) == [user("Hi")]


@pytest.mark.requirement("json_rpc:generate:running")
async def test_a_generate_while_one_runs_is_refused_and_changes_nothing(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED, saying("next"))
    async with open_session(lab) as session:
        await session.generate("first")
        await session.notices_until("text_chunk")
        error = await session.refusal("generate", message="second", history=[user("else")])
        assert (error["code"], error["data"]["code"]) == (-32001, "turn_running")
        upstream.requests[0].go()
        assert (await session.answer())[-1]["params"]["final_text"] == "one two"
        await session.ask("third")
    assert asked(upstream) == [user("first"), assistant("one two"), user("third")]


@pytest.mark.requirement("json_rpc:generate:queue")
async def test_a_session_made_with_queue_answers_one_after_the_other(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED, saying("B"), saying("C"))
    async with open_session(lab, queue=True) as session:
        tasks = [await session.generate(text) for text in ("a", "b", "c")]
        await session.notices_until("text_chunk")
        assert len(upstream.requests) == 1
        upstream.requests[0].go()
        answers = [await session.answer() for _ in tasks]
    assert [answer[-1]["params"]["task_id"] for answer in answers] == tasks
    assert [answer[-1]["params"]["final_text"] for answer in answers] == ["one two", "B", "C"]
    assert asked(upstream) == [user("a"), assistant("one two"), user("b"), assistant("B"), user("c")]


@pytest.mark.requirement("json_rpc:generate:queue")
async def test_the_queue_is_bounded_and_its_tasks_can_be_cancelled(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED, saying("last"))
    async with open_session(lab, queue=True) as session:
        tasks = [await session.generate(str(number)) for number in range(17)]
        error = await session.refusal("generate", message="one too many")
        assert (error["code"], error["data"]["code"], error["data"]["retryable"]) == (-32006, "too_many_at_once", True)
        for task_id in tasks[1:-1]:
            await session.done("cancel", task_id=task_id)
            end = (await session.notices_until("end"))[-1]["params"]
            assert (end["task_id"], end["status_message"], end["final_text"]) == (task_id, "cancelled", "")
        upstream.requests[0].go()
        await session.answer()
        assert (await session.answer())[-1]["params"]["task_id"] == tasks[-1]
    assert asked(upstream) == [user("0"), assistant("one two"), user("16")]


@pytest.mark.requirement("json_rpc:generate:ends_a_wait")
async def test_a_generate_ends_a_wait_for_the_client(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(("get_weather", "{}"), text=("Let me look.",)), saying("Never mind."))
    async with open_session(lab, tools=[WEATHER]) as session:
        waiting = await session.generate("Weather?")
        await session.notices_until("function_call_request")
        begun = await session.generate("Tell me a joke instead.")
        first, second = (await session.answer())[-1]["params"], (await session.answer())[-1]["params"]
        assert (first["task_id"], first["status_message"]) == (waiting, "incomplete")
        assert first["final_text"] == "Let me look."
        assert first["error"]["data"]["code"] == "superseded"
        assert (second["task_id"], second["status_message"]) == (begun, "completed")
        error = await session.refusal("tool_result", task_id=waiting, results=[{"tool_call_id": "call_0", "result": 1}])
        assert error["code"] == -32002
    *_, called, result, message = upstream.sent(1)["messages"]
    assert called["tool_calls"][0]["id"] == result["tool_call_id"] == "call_0"
    assert result["content"].endswith("not answered")
    assert message["content"] == "Tell me a joke instead."


@pytest.mark.requirement("json_rpc:generate:ends_a_wait")
async def test_a_generate_that_is_refused_ends_no_wait(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(("get_weather", "{}")), saying("Rain."))
    async with open_session(lab, tools=[WEATHER]) as session:
        task_id = await session.generate("Weather?")
        await session.notices_until("function_call_request")
        assert (await session.refusal("generate", message=""))["code"] == -32602
        await session.give(task_id, {"tool_call_id": "call_0", "result": "rain"})
        assert text_of(await session.answer()) == "Rain."


# How the model ends, and what the client is told: the method and, of an `end`, the status message.
ENDINGS: dict[str, tuple[Script, str, str | None, str]] = {
    "completed": (saying("All", " of it"), "end", "completed", "All of it"),
    "nothing said": (Script(reply=Reply(text=())), "end", "completed", ""),
    "a refusal": (Script(reply=Reply(text=(), refusal=("I", " won't"))), "end", "completed", "I won't"),
    "length": (Script(reply=Reply(text=("Half",), finish="length")), "end", "length", "Half"),
    "filtered": (Script(reply=Reply(text=("Oh",), finish="filtered")), "end", "filtered", "Oh"),
    "cut": (Script(reply=Reply(text=("Half",)), finish=False), "end", "incomplete", "Half"),
    "failed": (failing(500, b"{}"), "error", None, ""),
}


@pytest.mark.requirement("json_rpc:end:status_message")
@pytest.mark.requirement("json_rpc:end:final_text")
@pytest.mark.requirement("json_rpc:end:once")
@pytest.mark.requirement("json_rpc:error:failed_turn")
@pytest.mark.parametrize("name", ENDINGS)
async def test_each_ending_is_told_once(lab: ServerProcess, upstream: PlannedUpstream, name: str) -> None:
    script, method, status, text = ENDINGS[name]
    upstream.plan(script, saying("next"))
    async with open_session(lab) as session:
        notices = await session.ask("Hello")
        last = notices[-1]
        assert (last["method"], last["params"].get("status_message")) == (method, status)
        assert text_of(notices) == text
        assert last["params"].get("final_text", "") == text
        assert text_of(following := await session.ask("And?")) == "next"
        assert methods(following) == ["text_chunk", "end"]


@pytest.mark.requirement("json_rpc:generate:model")
async def test_a_model_of_a_provider_that_is_not_set_is_the_hosts_to_refuse(
    lab: ServerProcess, upstream: PlannedUpstream
) -> None:
    upstream.plan(failing(404, b'{"error":{"message":"no such model","code":"model_not_found"}}'))
    async with open_session(lab) as session:
        (error,) = await session.ask("Hi", model="nobody/has-this")
    assert error["method"] == "error"
    assert error["params"]["error"]["data"]["code"].startswith("upstream_")


@pytest.mark.requirement("json_rpc:generate:idempotent")
async def test_the_same_request_again_follows_the_task_it_began(demo: ServerProcess) -> None:
    async with open_session(demo) as session:
        task_id = await session.generate("/words 2", idempotency_key="once")
        told = await session.answer()
        assert await session.generate("/words 2", idempotency_key="once") == task_id
        assert await session.answer() == told
        refused = await session.refusal("generate", message="/words 3", idempotency_key="once")
        assert refused["data"]["code"] == "idempotency_key_reused"
    async with open_session(demo) as other:
        refused = await other.refusal("generate", message="/words 2", idempotency_key="once")
        assert refused["data"]["code"] == "idempotency_key_reused"


@pytest.mark.requirement("json_rpc:generate:idempotent_chat")
async def test_in_a_stored_chat_the_same_request_is_known_to_every_session(demo: ServerProcess) -> None:
    async with open_client(demo) as client:
        chat_id = (await client.post("/create_session", json={"chat_id": "new"})).json()["chat_id"]
    async with open_session(demo, chat_id=chat_id) as session:
        task_id = await session.generate("/words 2", idempotency_key="once")
        told = await session.answer()
    async with open_session(demo, chat_id=chat_id) as session:
        assert await session.generate("/words 2", idempotency_key="once") == task_id
        again = await session.answer()
        assert [one["params"].get("cursor") for one in again] == [one["params"].get("cursor") for one in told]
