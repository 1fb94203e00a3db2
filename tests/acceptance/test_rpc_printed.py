"""Door D: the frames that the document of the session server prints, said and answered as they stand there."""

import json
from typing import Any

import httpx
import pytest

from parlance.testing.script import saying
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import Frame, join, text_of
from tests.acceptance.scripts import calling
from tests.acceptance.server_process import ServerProcess

CREATE = """
{
  "tools": [
    {
      "name": "get_weather",
      "description": "Get the current weather for a location",
      "parameters": {
        "type": "object",
        "properties": {
          "location": { "type": "string", "description": "City name" }
        },
        "required": ["location"]
      }
    }
  ]
}
"""

GENERATE = """
{
  "jsonrpc": "2.0",
  "id": 1,
  "method": "generate",
  "params": {
    "history": [
      { "role": "user", "content": "Hello, tell me a joke." }
    ]
  }
}
"""

TOOL_RESULT = """
{
  "jsonrpc": "2.0",
  "id": 5,
  "method": "tool_result",
  "params": {
    "task_id": "task_xyz123",
    "results": [
      {
        "tool_call_id": "call_abc456",
        "tool_name": "get_weather",
        "result": {"temperature": "15 C", "condition": "Cloudy"}
      }
    ]
  }
}
"""

CANCEL = """{"jsonrpc": "2.0", "id": 99, "method": "cancel"}"""

ADDITIONS = {"cursor", "expires_at", "usage"}


def printed(notice: Frame) -> Frame:
    """A notification without what the document does not know of."""
    params: dict[str, Any] = notice["params"]
    return {**notice, "params": {key: params[key] for key in params.keys() - ADDITIONS}}


@pytest.mark.requirement("json_rpc:printed")
async def test_the_printed_frames_are_answered_by_the_printed_frames(
    lab: ServerProcess, upstream: PlannedUpstream, lab_client: httpx.AsyncClient
) -> None:
    upstream.plan(calling(("get_weather", '{"location": "Oslo"}'), text=("Let me",)), saying("Why", " not?"))
    answer = await lab_client.post("/create_session", content=CREATE, headers={"content-type": "application/json"})
    session_id = answer.json()["session_id"]
    assert answer.json() == {"session_id": session_id}
    async with join(lab, session_id) as session:
        await session.send(GENERATE)
        response = await session.response()
        task_id = response["result"]["task_id"]
        assert response == {"jsonrpc": "2.0", "id": 1, "result": {"status": "processing", "task_id": task_id}}
        chunk, call = await session.notices_until("function_call_request")
        of = {"session_id": session_id, "task_id": task_id}
        assert printed(chunk) == {"jsonrpc": "2.0", "method": "text_chunk", "params": {**of, "chunk": "Let me"}}
        assert printed(call) == {
            "jsonrpc": "2.0",
            "method": "function_call_request",
            "params": {
                **of,
                "request_id": "call_0",
                "tool_name": "get_weather",
                "parameters": {"location": "Oslo"},
            },
        }
        given = TOOL_RESULT.replace("task_xyz123", task_id).replace("call_abc456", call["params"]["request_id"])
        await session.send(given)
        assert await session.response() == {"jsonrpc": "2.0", "id": 5, "result": {"status": "received"}}
        *chunks, end = await session.answer()
        assert text_of(chunks) == "Why not?"
        assert printed(end) == {
            "jsonrpc": "2.0",
            "method": "end",
            "params": {**of, "status_message": "completed", "final_text": "Let meWhy not?"},
        }
        await session.send(CANCEL)
        assert (await session.response()).items() >= {"jsonrpc": "2.0", "id": 99}.items()
    offered = {tool["function"]["name"]: tool["function"] for tool in upstream.sent(0)["tools"]}
    assert offered["get_weather"]["parameters"] == json.loads(CREATE)["tools"][0]["parameters"]
    result = upstream.sent(1)["messages"][-1]
    assert json.loads(result["content"]) == {"temperature": "15 C", "condition": "Cloudy"}


@pytest.mark.requirement("json_rpc:printed")
async def test_the_printed_error_of_a_tool_goes_to_the_model(lab: ServerProcess, upstream: PlannedUpstream) -> None:
    upstream.plan(calling(("get_weather", "{}")), saying("Sorry."))
    async with httpx.AsyncClient(base_url=lab.address, trust_env=False, verify=False) as client:
        answer = await client.post("/create_session", json=json.loads(CREATE))
    async with join(lab, answer.json()["session_id"]) as session:
        await session.send(GENERATE)
        task_id = (await session.response())["result"]["task_id"]
        await session.notices_until("function_call_request")
        result = {"tool_call_id": "call_0", "tool_name": "get_weather", "is_error": True}
        await session.give(task_id, {**result, "error_message": "API limit reached"})
        assert text_of(await session.answer()) == "Sorry."
    assert "API limit reached" in upstream.sent(1)["messages"][-1]["content"]


@pytest.mark.requirement("json_rpc:error:failed_turn")
async def test_a_failed_turn_is_an_error_with_the_printed_keys(demo: ServerProcess) -> None:
    async with httpx.AsyncClient(base_url=demo.address, trust_env=False, verify=False) as client:
        session_id = (await client.post("/create_session")).json()["session_id"]
    async with join(demo, session_id) as session:
        *_, error = await session.ask("/fail unreachable")
        assert error["method"] == "error"
        assert error["params"].keys() - ADDITIONS == {"session_id", "task_id", "error"}
        assert error["params"]["error"].keys() == {"code", "message", "data"}
        assert error["params"]["error"]["code"] == -32007
        assert error["params"]["error"]["data"]["code"] == "upstream_unreachable"
        assert (await session.ask("/words 2"))[-1]["params"]["status_message"] == "completed"
