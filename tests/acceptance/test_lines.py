"""Door C: the lines of an answer, its endings, tools, cancel, and the list of models."""

import json

import httpx
import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script, saying
from tests.acceptance.chat_lines import ask, begun, open_client, problem_of, resume
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.raw_client import raw
from tests.acceptance.scripts import PAUSED, SILENT, WEATHER, calling
from tests.acceptance.server_process import ServerProcess


@pytest.mark.requirement("ndjson_chat:order")
@pytest.mark.requirement("ndjson_chat:no_empty_delta")
async def test_an_answer_is_meta_then_deltas_then_done(
    lab_client: httpx.AsyncClient, upstream: PlannedUpstream
) -> None:
    upstream.plan(Script(reply=Reply(text=("Hi there", "", "! How can", " I help?"), usage=(7, 9))))
    answer = await ask(lab_client, "Hello")
    assert answer.keys == ["meta", "delta", "done"]
    assert [line["delta"] for line in answer.lines[1:-1]] == ["Hi there", "! How can", " I help?"]
    assert answer.lines[-1].items() >= {"done": True, "finish_reason": "stop"}.items()
    assert answer.lines[-1]["usage"] == {"input": 7, "output": 9}
    assert answer.whole
    assert answer.response.headers["cache-control"] == "no-cache, no-transform"
    numbers = [int(cursor.rpartition("-")[2]) for cursor in answer.cursors]
    assert numbers == sorted(set(numbers))


@pytest.mark.requirement("server:http_1_0")
@pytest.mark.parametrize("message", ["/words 3", "/words 3 /cut 2"])
async def test_a_client_of_http_1_0_reads_the_same_lines(
    demo: ServerProcess, client: httpx.AsyncClient, message: str
) -> None:
    body = json.dumps({"message": message})
    async with raw(demo.port) as old:
        old.say("POST /chat HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n")
        old.say(f"Content-Length: {len(body)}\r\n\r\n{body}")
        head = (await old.head()).lower()
        lines = [json.loads(line) for line in (await old.rest()).splitlines()]
    assert "connection: close" in head
    assert "transfer-encoding" not in head
    assert lines == (await resume(client, lines[0]["meta"]["turn_id"])).lines


@pytest.mark.requirement("ndjson_chat:alone")
async def test_every_request_stands_alone(lab_client: httpx.AsyncClient, upstream: PlannedUpstream) -> None:
    for message in ("first", "second"):
        await ask(lab_client, message)
    assert upstream.sent(1)["messages"] == [{"role": "user", "content": "second"}]


@pytest.mark.requirement("ndjson_chat:streams")
async def test_a_delta_is_sent_before_the_answer_is_whole(
    lab_client: httpx.AsyncClient, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    async with begun(lab_client, "Hello") as answer:
        assert (await answer.until("delta"))["delta"] == "one"
        assert upstream.requests[0].sent_events == 2
        upstream.requests[0].go()
        assert (await answer.rest()).text == "one two"


@pytest.mark.requirement("ndjson_chat:reasoning")
@pytest.mark.requirement("ndjson_chat:params")
async def test_reasoning_is_told_only_to_who_asks_for_it(client: httpx.AsyncClient) -> None:
    plain = await ask(client, "/reason Hello")
    asked = await ask(client, "/reason Hello", params={"reasoning": True})
    assert plain.keys == ["meta", "delta", "done"]
    assert asked.keys == ["meta", "reasoning", "delta", "done"]
    again = await resume(client, asked.turn_id, reasoning="true")
    assert again.lines == asked.lines


@pytest.mark.requirement("ndjson_chat:failed")
async def test_a_failed_answer_has_an_error_line_and_is_broken_off(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "/fail rate_limited")
    meta, error, done = answer.lines
    assert error["error"].items() >= {"code": "upstream_rate_limited", "retryable": True, "retry_after": 2.0}.items()
    assert done.items() >= {"done": True, "status": "failed"}.items()
    assert error["cursor"] == done["cursor"]
    assert answer.whole is False
    again = await resume(client, meta["meta"]["turn_id"], after=meta["cursor"])
    assert (again.lines, again.whole) == ([error, done], False)


@pytest.mark.requirement("ndjson_chat:incomplete")
async def test_an_answer_that_was_cut_is_incomplete_and_broken_off(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "/words 9 /cut 4")
    assert len(answer.text.split()) == 4
    assert answer.keys == ["meta", "delta", "error", "done"]
    assert answer.lines[-2]["error"]["code"] == "upstream_truncated"
    assert answer.lines[-1]["status"] == "incomplete"
    assert answer.whole is False


@pytest.mark.parametrize(("command", "finish"), [("/length", "length"), ("/filter", "filtered")])
@pytest.mark.requirement("ndjson_chat:finish")
async def test_an_answer_at_a_limit_is_completed_with_that_finish(
    client: httpx.AsyncClient, command: str, finish: str
) -> None:
    answer = await ask(client, f"{command} Hello")
    assert answer.lines[-1].items() >= {"done": True, "finish_reason": finish}.items()
    assert "status" not in answer.lines[-1]
    assert answer.whole


@pytest.mark.requirement("ndjson_chat:refusal")
async def test_a_refusal_is_told_as_text(client: httpx.AsyncClient) -> None:
    assert "decline" in (await ask(client, "/refuse Hello")).text


@pytest.mark.requirement("ndjson_chat:cancel:mid_stream")
@pytest.mark.requirement("ndjson_chat:cancel:twice")
async def test_cancel_ends_the_answer_whole_with_its_status(
    lab_client: httpx.AsyncClient, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    async with begun(lab_client, "Hello") as answer:
        await answer.until("delta")
        for _ in range(2):
            told = await lab_client.post(f"/chat/{answer.turn_id}/cancel")
            assert told.json() == {"turn_id": answer.turn_id, "status": "cancelled"}
        await answer.rest()
    assert answer.lines[-1].items() >= {"done": True, "status": "cancelled"}.items()
    assert answer.whole
    await upstream.hung_up()


@pytest.mark.requirement("ndjson_chat:cancel:before_first_token")
async def test_cancel_before_the_first_token(lab_client: httpx.AsyncClient, upstream: PlannedUpstream) -> None:
    upstream.plan(SILENT)
    async with begun(lab_client, "Hello") as answer:
        await answer.until("meta")
        await upstream.arrival()
        await lab_client.post(f"/chat/{answer.turn_id}/cancel")
        assert (await answer.rest()).lines[-1]["status"] == "cancelled"
    await upstream.hung_up()


@pytest.mark.requirement("ndjson_chat:cancel:stale")
async def test_cancelling_an_ended_turn_tells_how_it_ended(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "Hello")
    told = await client.post(f"/chat/{answer.turn_id}/cancel")
    assert (told.status_code, told.json()["status"]) == (200, "completed")


@pytest.mark.requirement("ndjson_chat:unknown_turn")
@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("POST", "/cancel"), ("POST", "/tool_results")])
async def test_a_turn_that_is_not_there_is_404(client: httpx.AsyncClient, method: str, rest: str) -> None:
    body = {"results": [{"tool_call_id": "c", "output": 1}]} if rest == "/tool_results" else None
    problem_of(await client.request(method, f"/chat/no-such-turn{rest}", json=body), 404, "turn_not_found")


@pytest.mark.requirement("ndjson_chat:tools:client")
@pytest.mark.requirement("ndjson_chat:tools:twice")
@pytest.mark.requirement("ndjson_chat:tools:foreign")
async def test_a_round_with_the_clients_own_tool(lab_client: httpx.AsyncClient, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(("get_weather", '{"city":"Oslo"}')), saying("Rain."))
    async with begun(lab_client, "Weather?", tools=[WEATHER]) as answer:
        call = (await answer.until("tool_call"))["tool_call"]
        assert call.items() >= {"name": "get_weather", "arguments": '{"city":"Oslo"}', "runner": "client"}.items()
        place = f"/chat/{answer.turn_id}/tool_results"
        results = {"results": [{"tool_call_id": call["id"], "output": ["rain", 3]}]}
        foreign = await lab_client.post(place, json={"results": [{"tool_call_id": "other", "output": 1}]})
        problem_of(foreign, 409, "call_not_waiting")
        assert (await lab_client.post(place, json=results)).json() == {"turn_id": answer.turn_id, "status": "received"}
        await answer.rest()
        problem_of(await lab_client.post(place, json=results), 409, "call_not_waiting")
    assert answer.keys == ["meta", "tool_call", "tool_result", "delta", "done"]
    assert answer.lines[2]["tool_result"] == {"tool_call_id": call["id"], "output": '["rain",3]', "error": None}
    assert upstream.sent(1)["messages"][-1]["content"] == '["rain",3]'


@pytest.mark.requirement("ndjson_chat:tools:server")
async def test_a_round_with_the_servers_own_tool(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "/call get_current_time {}")
    assert answer.keys == ["meta", "tool_call", "tool_result", "delta", "done"]
    assert answer.lines[1]["tool_call"]["runner"] == "server"
    assert answer.lines[2]["tool_result"]["output"] in answer.text


@pytest.mark.requirement("ndjson_chat:models")
async def test_the_models_are_listed_with_the_default(lab_client: httpx.AsyncClient) -> None:
    listed = (await lab_client.get("/models")).json()
    assert listed == {
        "models": [{"id": "openai/scripted-model", "provider": "openai", "default": True}],
        "default": "openai/scripted-model",
    }


@pytest.mark.requirement("ndjson_chat:models")
async def test_a_listed_model_can_be_asked_for(client: httpx.AsyncClient) -> None:
    (model,) = (await client.get("/models")).json()["models"]
    assert model == {"id": "demo/demo", "provider": "demo", "default": True}
    assert (await ask(client, "Hello", model=model["id"])).lines[-1]["done"]


@pytest.mark.requirement("ndjson_chat:disconnect")
async def test_a_turn_goes_on_without_its_client(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(PAUSED)
    async with open_client(lab) as first, begun(first, "Hello") as answer:
        seen = await answer.until("delta")
    upstream.requests[0].go()
    async with open_client(lab) as second:
        rest = await resume(second, answer.turn_id, after=seen["cursor"])
    assert rest.text == " two"
    assert rest.whole
