"""Door C: bad input gets a problem with its code, before anything is streamed."""

import asyncio
import json

import httpx
import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.chat_lines import ask, begun, problem_of
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED
from tests.acceptance.server_process import ServerProcess
from tests.probes.leaks import LeakProbe

JSON = {"content-type": "application/json"}
DEEP = b'{"a":' * 1_000 + b"1" + b"}" * 1_000

# The body, the status, and the code.
CASES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "invalid_json"),
    "not JSON": (b"nonsense", 400, "invalid_json"),
    "NaN": (b'{"message":NaN}', 400, "invalid_json"),
    "not UTF-8": (b'{"message":"\xff"}', 400, "invalid_json"),
    "a list": (b"[]", 422, "invalid_request"),
    "no message": (b"{}", 422, "invalid_request"),
    "a message that is no text": (b'{"message":5}', 422, "invalid_request"),
    "an empty message": (b'{"message":""}', 422, "invalid_request"),
    "a blank message": (b'{"message":" \\n "}', 422, "invalid_request"),
    "half of a surrogate pair": (b'{"message":"\\ud83d"}', 400, "invalid_json"),
    "NUL": (b'{"message":"a\\u0000b"}', 422, "invalid_request"),
    "a thousand levels": (DEEP, 422, "invalid_request"),
    "an unknown parameter": (b'{"message":"Hi","params":{"temprature":1}}', 422, "invalid_request"),
    "a chat that is not there": (b'{"message":"Hi","chat_id":"c1"}', 422, "invalid_request"),
    "a tool without a name": (b'{"message":"Hi","tools":[{}]}', 422, "invalid_request"),
    "5 MiB": (b'{"message":"' + b"x" * 5 * 1_048_576 + b'"}', 413, "body_too_large"),
    "20 MiB": (b'{"message":"' + b"x" * 20 * 1_048_576 + b'"}', 413, "body_too_large"),
}


@pytest.mark.requirement("ndjson_chat:bad_input")
@pytest.mark.parametrize("case", CASES)
async def test_a_bad_body_is_a_problem_and_the_next_one_is_answered(client: httpx.AsyncClient, case: str) -> None:
    body, status, code = CASES[case]
    problem = problem_of(await client.post("/chat", content=body, headers=JSON), status, code)
    assert len(problem["detail"]) < 600
    assert (await ask(client, "Hello")).lines[-1]["done"]


@pytest.mark.requirement("ndjson_chat:bad_input:fields")
async def test_the_problem_names_the_field_at_fault(client: httpx.AsyncClient) -> None:
    problem = problem_of(await client.post("/chat", json={"message": 5}), 422, "invalid_request")
    assert [field["path"] for field in problem["errors"]] == ["$.message"]
    assert "$.message" in problem["detail"]


@pytest.mark.requirement("ndjson_chat:bad_input")
async def test_a_model_that_is_not_on_offer_is_404(client: httpx.AsyncClient) -> None:
    refusal = await client.post("/chat", json={"message": "Hello", "model": "no-such-model"})
    assert "no-such-model" in problem_of(refusal, 404, "model_not_found")["detail"]


@pytest.mark.requirement("ndjson_chat:bad_input:content_type")
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_of_another_type_is_415(client: httpx.AsyncClient, kind: str) -> None:
    response = await client.post("/chat", content=b'{"message":"Hello"}', headers={"content-type": kind})
    problem_of(response, 415, "unsupported_media_type")


@pytest.mark.requirement("ndjson_chat:bad_input:content_type")
@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON"])
async def test_json_may_be_said_in_any_of_its_spellings(client: httpx.AsyncClient, kind: str) -> None:
    response = await client.post("/chat", content=b'{"message":"Hello"}', headers={"content-type": kind})
    assert response.status_code == 200


@pytest.mark.requirement("ndjson_chat:bad_input:paths")
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/chat", 405, "method_not_allowed"),
        ("PUT", "/chat", 405, "method_not_allowed"),
        ("POST", "/models", 405, "method_not_allowed"),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/ws/chat", 426, "upgrade_required"),
        ("POST", "/chat/x/y/z", 404, "not_found"),
    ],
)
async def test_what_is_not_there_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    problem_of(await client.request(method, path), status, code)


@pytest.mark.requirement("ndjson_chat:bad_input")
async def test_results_of_a_wrong_form_are_refused_and_the_call_still_waits(
    lab_client: httpx.AsyncClient, upstream: PlannedUpstream
) -> None:
    upstream.plan(PAUSED)
    async with begun(lab_client, "Hello") as answer:
        await answer.until("delta")
        place = f"/chat/{answer.turn_id}/tool_results"
        for body in ("{}", '{"results":[]}', '{"results":[{"output":1}]}', '{"results":[{"tool_call_id":1}]}'):
            problem_of(await lab_client.post(place, content=body, headers=JSON), 422, "invalid_request")
        upstream.requests[0].go()
        assert (await answer.rest()).whole


@pytest.mark.requirement("ndjson_chat:content")
async def test_no_content_can_break_the_lines(lab_client: httpx.AsyncClient, upstream: PlannedUpstream) -> None:
    said = ("line\nbreak\r\n\r", "\u2028\u2029\x85\x0b\x1c", 'data: [DONE]\n\n{"done":true}', "\x1b[31m", '"\\', "😀 é")
    upstream.plan(Script(reply=Reply(text=said, reasoning=said)))
    answer = await ask(lab_client, "".join(said), params={"reasoning": True})
    assert [line["delta"] for line in answer.lines if "delta" in line] == list(said)
    assert [line["reasoning"] for line in answer.lines if "reasoning" in line] == list(said)
    assert upstream.sent(0)["messages"] == [{"role": "user", "content": "".join(said)}]
    assert answer.lines[-1]["done"]


@pytest.mark.requirement("ndjson_chat:leaks")
async def test_clients_leave_nothing_behind(
    lab: ServerProcess, lab_client: httpx.AsyncClient, upstream: PlannedUpstream
) -> None:
    """Those that read to the end, those that leave in the middle, those that send half of a request."""
    upstream.plan(*[Script(keep_alive=False)] * 30)
    await ask(lab_client, "Warm up: the connection of this client stays open.")
    probe = LeakProbe(lab.pid)
    body = json.dumps({"message": "Hello"}).encode()
    head = b"POST /chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    for number in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", lab.port)
        writer.write(head % len(body) + (body if number % 2 else body[:5]))
        await writer.drain()
        if number % 3:
            writer.transport.abort()
        writer.close()
    await probe.settled()
