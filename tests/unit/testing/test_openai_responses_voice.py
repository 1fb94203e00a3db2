"""The scripted upstream speaks responses as OpenAI does: the official client takes it for real."""

import json

import pytest
from openai import (
    APIStatusError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)

from parlance.core.json import JsonObject
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Script, refusing, saying
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.voices.openai_responses_strict import complaint_about
from tests.probes.leaks import LeakProbe

REPLY = Reply(
    reasoning=("hm, ", "so"),
    signature="c2VhbGVk",
    text=("Hel", "lo"),
    calls=(ScriptedCall("now", '{"zone":"UTC"}'), ScriptedCall("look", "{}", "call_x")),
    usage=(7, 2),
    cached=3,
    thought=1,
)


def client_of(upstream: ScriptedUpstream) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=upstream.base_url_of("openai_responses"), api_key="k", max_retries=0)


async def test_the_official_client_reads_a_stream_and_puts_the_answer_together(leak_probe: LeakProbe) -> None:
    async with (
        ScriptedUpstream(Script(reply=REPLY)) as upstream,
        client_of(upstream) as client,
        client.responses.stream(model="m", input="Hi", store=False) as stream,
    ):
        events = [event async for event in stream]
        answer = await stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert answer.output_text == "Hello"
    assert [item.type for item in answer.output] == ["reasoning", "message", "function_call", "function_call"]
    thought = answer.output[0]
    assert thought.type == "reasoning"
    assert (thought.summary[0].text, thought.encrypted_content) == ("hm, so", "c2VhbGVk")
    calls = [(item.call_id, item.name, item.arguments) for item in answer.output if item.type == "function_call"]
    assert calls == [("call_0", "now", '{"zone":"UTC"}'), ("call_x", "look", "{}")]
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.input_tokens_details.cached_tokens) == (7, 3)
    assert answer.usage.output_tokens_details.reasoning_tokens == 1


async def test_the_official_client_reads_a_whole_answer(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(Script(reply=REPLY)) as upstream, client_of(upstream) as client:
        answer = await client.responses.create(model="m", input="Hi")
        models = [model.id async for model in client.models.list()]
    assert (answer.output_text, answer.status) == ("Hello", "completed")
    assert len(answer.output) == 4
    assert models == ["scripted-model"]


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [("stop", "completed", None), ("length", "incomplete", "max_output_tokens"), ("error", "failed", None)],
)
async def test_the_official_client_reads_every_ending(
    leak_probe: LeakProbe, finish: str, status: str, reason: str | None
) -> None:
    reply = Reply(refusal=("No.",), finish=finish)  # type: ignore[arg-type]  # from a parameter
    async with ScriptedUpstream(Script(reply=reply)) as upstream, client_of(upstream) as client:
        stream = await client.responses.create(model="m", input="Hi", stream=True)
        *_, last = [event async for event in stream]
    assert last.type in ("response.completed", "response.incomplete", "response.failed")
    assert last.response.status == status
    details = last.response.incomplete_details
    assert (details.reason if details is not None else None) == reason
    refusals = [part.refusal for item in last.response.output if item.type == "message" for part in item.content
                if part.type == "refusal"]  # fmt: skip
    assert refusals == ["No."]


async def test_an_error_in_a_stream_is_an_event_of_its_own(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(Script(stream_error="Overloaded.")) as upstream, client_of(upstream) as client:
        stream = await client.responses.create(model="m", input="Hi", stream=True)
        *_, last = [event async for event in stream]
    assert last.type == "error"
    assert last.message == "Overloaded."


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (429, RateLimitError),
        (503, InternalServerError),
    ],
)
async def test_the_official_client_knows_an_error_by_its_status(
    leak_probe: LeakProbe, status: int, kind: type[APIStatusError]
) -> None:
    async with ScriptedUpstream(refusing(status, "Not now.")) as upstream, client_of(upstream) as client:
        with pytest.raises(kind, match="Not now"):
            await client.responses.create(model="m", input="Hi")


async def test_a_wrong_key_and_a_bad_request_are_refused(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(saying("x"), key="other") as upstream, client_of(upstream) as client:
        with pytest.raises(AuthenticationError):
            await client.responses.create(model="m", input="Hi")
    async with ScriptedUpstream(saying("x")) as upstream, client_of(upstream) as client:
        with pytest.raises(BadRequestError, match="at least one item"):
            await client.responses.create(model="m", input=[])


CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "x"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
USER = {"type": "message", "role": "user", "content": "Hi"}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"messages": []}, "messages"),
        ({"model": ""}, "model"),
        ({"input": [{"role": "robot", "content": "x"}]}, "role"),
        ({"input": [{"role": "user", "content": [{"type": "output_text", "text": "x"}]}]}, "output_text"),
        ({"input": [{"role": "assistant", "content": [{"type": "output_text", "text": "x"}]}]}, "id"),
        ({"input": [USER, CALL]}, "No tool output"),
        ({"input": [USER, CALL, USER, OUTPUT]}, "No tool output"),
        ({"input": [USER, OUTPUT]}, "No tool call"),
        ({"input": [USER, CALL, {**OUTPUT, "type": "custom_tool_call_output"}]}, "No tool call"),
        ({"input": [USER, {**CALL, "call_id": "c" * 65}, OUTPUT]}, "call_id"),
        ({"input": [USER, {**CALL, "name": "a.b"}, OUTPUT]}, "name"),
        ({"input": [USER, {**CALL, "signature": "x"}, OUTPUT]}, "signature"),
        ({"input": [USER, THOUGHT]}, "following item"),
        ({"input": [THOUGHT, USER]}, "following item"),
        ({"input": [{**THOUGHT, "encrypted_content": None}, CALL, OUTPUT]}, "not found"),
        ({"input": [{**THOUGHT, "encrypted_content": "parlance:gemini:x"}, CALL, OUTPUT]}, "verified"),
        ({"input": [{"type": "robot_call"}]}, "robot_call"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "name"),
        ({"tool_choice": "required"}, "choice"),
        ({"max_output_tokens": 5}, "max_output_tokens"),
        ({"include": ["everything"]}, "include"),
        ({"model": "gpt-4o-mini", "include": ["reasoning.encrypted_content"]}, "Encrypted"),
        ({"model": "gpt-4o-mini", "reasoning": {"effort": "low"}}, "reasoning"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format"),
    ],
)
def test_what_a_real_host_refuses_is_refused(fields: JsonObject, word: str) -> None:
    complaint = complaint_about(json.dumps({"model": "m", "input": [USER]} | fields).encode())
    assert complaint is not None
    assert word in complaint


@pytest.mark.parametrize(
    "fields",
    [
        {"input": "Hi"},
        {"input": [USER, THOUGHT, CALL, OUTPUT, THOUGHT, {"role": "assistant", "content": "so"}]},
        {"input": [{"type": "web_search_call", "id": "ws_1", "status": "completed"}, USER]},
        {"tools": [TOOL, {"type": "web_search"}], "tool_choice": "required"},
    ],
)
def test_what_a_real_host_takes_is_taken(fields: JsonObject) -> None:
    assert complaint_about(json.dumps({"model": "m", "input": [USER]} | fields).encode()) is None
