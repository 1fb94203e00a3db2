"""Our answers as official clients read them, and requests as clients send them."""

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from parlance.core.errors import Fault, InvalidJson, InvalidRequest
from parlance.core.events import (
    Event,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    StepDropped,
    StepEnded,
    StepStarted,
    TurnEnded,
    Warned,
)
from parlance.core.json import JsonObject
from parlance.core.parts import (
    CacheMark,
    File,
    Image,
    Inline,
    Kept,
    Reasoning,
    Refusal,
    Signature,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
    Url,
)
from parlance.core.requests import AllowedTools, NamedTool, OutputFormat, Sampling, ToolSpec
from parlance.core.usage import Usage
from parlance.dialects.openai_chat.serve import ChatAsk, TurnChunks, decode_request, encode_answer
from tests.unit.dialects.openai_chat.told import ORIGIN, call, call_events, text_events, turn

USAGE = Usage(7, 3, cached=2, reasoning=1)


def frames(events: list[Event], *, include_usage: bool = False) -> list[str]:
    body = TurnChunks(created=5, include_usage=include_usage).encode(events).decode()
    assert body.endswith("\n\n")
    return [frame.removeprefix("data: ") for frame in body.split("\n\n")[:-1]]


def chunks(events: list[Event], *, include_usage: bool = False) -> list[JsonObject]:
    *data, done = frames(events, include_usage=include_usage)
    assert done == "[DONE]"
    for one in data:
        ChatCompletionChunk.model_validate_json(one, strict=True)
    return [json.loads(one) for one in data]


def deltas(told: list[JsonObject]) -> list[object]:
    return [json.loads(json.dumps(one["choices"]))[0]["delta"] for one in told if one["choices"]]


@pytest.mark.requirement("openai_chat:serve:order")
def test_a_stream_is_role_text_finish_and_done() -> None:
    told = chunks(turn(*text_events(0, "Hello")))
    assert deltas(told) == [{"role": "assistant", "content": ""}, {"content": "Hello"}, {}]
    assert json.loads(json.dumps(told[-1]["choices"]))[0]["finish_reason"] == "stop"
    assert {(one["id"], one["created"], one["model"]) for one in told} == {("chatcmpl-t1", 5, "model-1")}


@pytest.mark.requirement("openai_chat:stream:usage_chunk")
def test_usage_is_told_in_a_last_chunk_and_only_if_asked_for() -> None:
    events = turn(*text_events(0, "Hello"), usage=USAGE)
    assert not any("usage" in one for one in chunks(events))
    *before, last = chunks(events, include_usage=True)
    assert all(one["usage"] is None for one in before)
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }


@pytest.mark.requirement("openai_chat:serve:call_index")
def test_calls_of_the_client_are_numbered_from_zero_and_the_servers_are_not_shown() -> None:
    events = turn(
        *call_events(0, call("s", "clock"), "server"),
        *call_events(1, call("a")),
        *call_events(2, call("b")),
        finish="tool_calls",
    )
    calls = [one["tool_calls"][0] for one in json.loads(json.dumps(deltas(chunks(events)))) if "tool_calls" in one]
    assert [(one["index"], one.get("id")) for one in calls] == [(0, "a"), (0, None), (1, "b"), (1, None)]
    assert {one.get("type") for one in calls} == {"function", None}


def test_arguments_of_several_calls_may_grow_at_once() -> None:
    first, second = call_events(0, call("a", arguments="{}")), call_events(1, call("b", arguments="[]"))
    events = turn(first[0], second[0], first[1], second[1], first[2], second[2], finish="tool_calls")
    told = [one["tool_calls"][0] for one in json.loads(json.dumps(deltas(chunks(events)))) if "tool_calls" in one]
    assert [(one["index"], one["function"]["arguments"]) for one in told] == [(0, ""), (1, ""), (0, "{}"), (1, "[]")]


def test_prose_that_grows_at_once_is_told_one_part_after_the_other() -> None:
    text = text_events(0, "Hello")
    opened, grew = PartOpened(1, Reasoning("")), ReasoningGrew(1, "hm")
    events = turn(text[0], opened, grew, text[1], text[2], PartClosed(1, Reasoning("hm")))
    assert deltas(chunks(events))[1:3] == [{"content": "Hello"}, {"reasoning_content": "hm"}]


@pytest.mark.requirement("openai_chat:serve:failure")
@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled"])
def test_a_failure_in_mid_stream_is_an_error_object_and_no_done(status: str) -> None:
    fault = None if status == "cancelled" else Fault("upstream_truncated", "Cut off.", retryable=True)
    ended = TurnEnded(status, fault=fault)  # type: ignore[arg-type]  # from a parameter
    *_, last = frames(turn(*text_events(0, "Hel"), status=ended))
    assert json.loads(last)["error"]["message"]
    assert "[DONE]" not in last


def test_what_the_language_has_no_word_for_is_left_out() -> None:
    kept = Kept("gemini", "codeExecutionResult", Raw(b"{}"))
    events = turn(PartOpened(0, kept), PartClosed(0, kept), Warned("x", "y"), StepDropped(1, "again"))
    assert deltas(chunks(events)) == [{"role": "assistant", "content": ""}, {}]


def test_half_a_surrogate_pair_does_not_end_a_stream() -> None:
    assert {"content": "a\ufffd"} in deltas(chunks(turn(*text_events(0, "a\ud83d"))))


def test_a_word_of_the_host_that_we_do_not_know_is_passed_on() -> None:
    *begun, ended, _ = turn(finish="unknown")
    assert isinstance(ended, StepEnded)
    events = [*begun, replace(ended, raw="out_of_tea"), TurnEnded("completed", "unknown")]
    assert json.loads(frames(events)[-2])["choices"][0]["finish_reason"] == "out_of_tea"


@pytest.mark.requirement("openai_chat:serve:whole")
def test_a_whole_answer_holds_what_the_stream_would_have_said() -> None:
    freeform = ToolCall(call("c").id, "type", "ls", freeform=True)
    thought = Reasoning("hm", Signature("anthropic_messages", "Zm9y"))
    events = turn(
        PartOpened(0, Reasoning("")),
        ReasoningGrew(0, "hm"),
        PartClosed(0, thought),
        *text_events(1, "Hel"),
        *text_events(2, "lo"),
        *call_events(3, call("s", "clock"), "server"),
        *call_events(4, call("a")),
        *call_events(5, freeform),
        finish="tool_calls",
        usage=USAGE,
    )
    answer = encode_answer(events, created=5)
    ChatCompletion.model_validate_json(answer, strict=True)
    told = json.loads(answer)
    assert (told["id"], told["object"], told["created"], told["model"]) == (
        "chatcmpl-t1",
        "chat.completion",
        5,
        "model-1",
    )
    assert told["choices"][0]["finish_reason"] == "tool_calls"
    assert told["choices"][0]["message"] == {
        "role": "assistant",
        "content": "Hello",
        "refusal": None,
        "reasoning_content": "hm",
        "reasoning_details": [
            {"type": "reasoning.text", "signature": "parlance:anthropic_messages:Zm9y", "text": "hm"}
        ],
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            {"id": "c", "type": "custom", "custom": {"name": "type", "input": "ls"}},
        ],
    }


def test_a_whole_answer_leaves_out_what_is_void() -> None:
    events = [
        *turn(*text_events(0, "void"))[:-2],
        StepDropped(1, "again"),
        StepStarted(2, ORIGIN),
        *text_events(1, "good"),
    ]
    message = json.loads(encode_answer([*events, TurnEnded("completed", "stop")], created=5))["choices"][0]["message"]
    assert message["content"] == "good"


def ask(**fields: object) -> ChatAsk:
    given = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]} | fields
    return decode_request(json.dumps(given).encode())


@pytest.mark.requirement("openai_chat:door:request")
def test_a_request_is_read_whole() -> None:
    asked = ask(
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"b": 1.0, "a": 2}, "strict": True}}],
        tool_choice={"type": "function", "function": {"name": "f"}},
        parallel_tool_calls=False,
        max_completion_tokens=9,
        max_tokens=5,
        temperature=1,
        top_p=0.5,
        top_k=4,
        seed=3,
        stop="END",
        reasoning_effort="low",
        response_format={"type": "json_schema", "json_schema": {"name": "r", "schema": {}}},
        n=1,
        logit_bias={"4": -100},
    )
    wanted = asked.request
    assert (asked.stream, asked.include_usage) == (True, True)
    assert wanted.tools == (ToolSpec("f", parameters=wanted.tools[0].parameters, strict=True),)
    assert bytes(wanted.tools[0].parameters) == b'{"b": 1.0, "a": 2}'
    assert (wanted.tool_choice, wanted.parallel_calls, wanted.max_output) == (NamedTool("f"), False, 9)
    assert wanted.sampling == Sampling(1.0, 0.5, 4, 3, ("END",))
    assert wanted.reasoning.effort == "low"
    assert isinstance(wanted.output_format, OutputFormat)
    assert {name: bytes(raw) for name, raw in wanted.extra["openai_chat"].items()} == {"logit_bias": b'{"4": -100}'}


def test_allowed_and_custom_tools_are_read() -> None:
    tools = [{"type": "custom", "custom": {"name": "type", "format": {"type": "text"}}}]
    allowed = {"mode": "auto", "tools": [{"type": "custom", "custom": {"name": "type"}}]}
    wanted = ask(tools=tools, tool_choice={"type": "allowed_tools", "allowed_tools": allowed}).request
    assert wanted.tools == (ToolSpec("type", freeform=True),)
    assert wanted.tool_choice == AllowedTools("auto", ("type",))


@pytest.mark.requirement("openai_chat:door:history")
def test_a_history_is_read_part_by_part() -> None:
    content = [
        {"type": "text", "text": "see", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "https://a.example/i.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
        {"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}},
        {"type": "file", "file": {"file_id": "f-1"}},
    ]
    answer = {
        "role": "assistant",
        "content": "so",
        "refusal": "no",
        "reasoning_content": "hm",
        "reasoning_details": [{"type": "reasoning.text", "signature": "parlance:gemini:Zm9y"}],
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.0}'}}],
    }
    tool = {
        "role": "tool",
        "tool_call_id": "1",
        "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}],
    }
    given = [{"role": "developer", "content": "s"}, {"role": "user", "content": content}, answer, tool]
    system, user, assistant, result = ask(messages=given).request.messages
    assert (system.role, system.text) == ("system", "s")
    assert user.parts == (
        Text("see", cache=CacheMark()),
        Image(Url("https://a.example/i.png"), detail="low"),
        Image(Inline(b"x"), "image/png"),
        File(Inline(b"x"), "audio/mpeg"),
        File(Uploaded("openai_chat", "f-1")),
    )
    assert assistant.parts == (
        Reasoning("hm", Signature("gemini", "Zm9y")),
        Text("so"),
        Refusal("no"),
        call("1", "f", '{"a": 1.0}'),
    )
    assert result.parts == (ToolResult(call("1").id, "f", "x\ny"),)


@pytest.mark.requirement("openai_chat:door:refused")
@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"n": 2}, "$.n"),
        ({"functions": [{"name": "f"}]}, "$.functions"),
        ({"modalities": ["text", "audio"]}, "$.modalities"),
        ({"model": ""}, "$.model"),
        ({"messages": []}, "$.messages"),
        ({"messages": [{"role": "user"}]}, "$.messages[0].content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "$.messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "$.messages[0].content[0].type"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "9"}]}, "$.messages[0].tool_call_id"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc"}}]}]},
            "$.messages[0].content[0].image_url.url",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}}],
                    }
                ]
            },
            "$.messages[0].content[0].input_audio.data",
        ),
        ({"max_tokens": 0}, "$.max_tokens"),
        ({"temperature": "hot"}, "$.temperature"),
        ({"tool_choice": {"type": "function"}}, "$.tool_choice"),
        ({"reasoning_effort": "some"}, "$.reasoning_effort"),
    ],
)
def test_what_can_not_be_served_is_refused_with_its_place(fields: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(**fields)
    assert [field.path for field in caught.value.fields] == [path]


@pytest.mark.parametrize(
    "payload", [b"", b"{", b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}', b"\xff"]
)
def test_what_is_no_json_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidJson):
        decode_request(payload)


def test_a_deep_payload_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        decode_request(b'{"model":"m","messages":[],"x":' + b"[" * 5000 + b"]" * 5000 + b"}")
