"""Requests of the official client as we read them, and what we told as it comes back."""

import json

import pytest
from msgspec.structs import replace

from parlance.core.errors import InvalidRequest
from parlance.core.events import (
    Event,
    PartClosed,
    PartOpened,
)
from parlance.core.ids import CallId
from parlance.core.parts import (
    File,
    Image,
    Inline,
    Kept,
    Part,
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
from parlance.dialects.openai_responses.serve import ResponsesAsk, decode_request, encode_answer
from parlance.dialects.openai_responses.told import echo_request
from tests.unit.dialects.openai_chat.told import call, turn

FOREIGN = Signature("anthropic_messages", "Zm9y")


def ask(**fields: object) -> ResponsesAsk:
    return decode_request(json.dumps({"model": "m", "input": "Hi"} | fields).encode())


@pytest.mark.requirement("openai_responses:door:request")
def test_a_request_is_read_whole() -> None:
    asked = ask(
        stream=True,
        instructions="s",
        tools=[
            {"type": "function", "name": "f", "parameters": {"b": 1.0, "a": 2}, "strict": True},
            {"type": "custom", "name": "type", "format": {"type": "text"}},
            {"type": "web_search"},
        ],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        max_output_tokens=90,
        temperature=1,
        top_p=0.5,
        reasoning={"effort": "low", "summary": "auto", "context": "auto"},
        text={"format": {"type": "json_schema", "name": "r", "schema": {}}, "verbosity": "low"},
        include=["reasoning.encrypted_content", "web_search_call.results"],
        metadata={"a": "b"},
    )
    wanted = asked.request
    assert asked.stream
    assert [(one.role, one.text) for one in wanted.messages] == [("system", "s"), ("user", "Hi")]
    assert [tool.name for tool in wanted.tools] == ["f", "type"]
    assert bytes(wanted.tools[0].parameters) == b'{"b": 1.0, "a": 2}'
    assert wanted.tools[1] == ToolSpec("type", freeform=True)
    assert (wanted.tool_choice, wanted.parallel_calls, wanted.max_output) == (NamedTool("f"), False, 90)
    assert wanted.sampling == Sampling(1.0, 0.5)
    assert (wanted.reasoning.effort, wanted.reasoning.show) == ("low", True)
    assert isinstance(wanted.output_format, OutputFormat)
    assert {name: json.loads(bytes(raw)) for name, raw in wanted.extra["openai_responses"].items()} == {
        "metadata": {"a": "b"},
        "tools": [{"type": "web_search"}],
        "include": ["web_search_call.results"],
        "reasoning": {"context": "auto"},
        "text": {"verbosity": "low"},
    }


def test_choices_of_several_tools_and_of_hosted_ones_are_read() -> None:
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "type"}]}
    assert ask(tool_choice=allowed).request.tool_choice == AllowedTools("auto", ("type",))
    hosted = ask(tool_choice={"type": "web_search"}).request
    assert hosted.tool_choice == "auto"
    assert set(hosted.extra["openai_responses"]) == {"tool_choice"}


@pytest.mark.requirement("openai_responses:door:history")
def test_a_history_is_read_item_by_item() -> None:
    content = [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "https://a.example/i.png", "detail": "low"},
        {"type": "input_image", "file_id": "f-1"},
        {"type": "input_file", "file_data": "data:text/plain;base64,eA==", "filename": "a.txt"},
        {"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}},
    ]
    given = [
        {"role": "developer", "content": "d"},
        {"role": "user", "content": content},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "parlance:gemini:Zm9y"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "so"}, {"type": "refusal", "refusal": "no"}]},
        {"type": "function_call", "id": "fc_1", "call_id": "1", "name": "f", "arguments": '{"a": 1.0}'},
        {"type": "function_call_output", "call_id": "1", "output": [{"type": "input_text", "text": "x"}]},
        {"role": "assistant", "content": [{"type": "input_text", "text": "odd"}]},
        {"type": "computer_call", "call_id": "2", "id": "cu_1"},
        {"type": "computer_call_output", "call_id": "2", "output": {}},
        {"id": "msg_9"},
    ]
    system, user, assistant, result, after, *asked = ask(input=given).request.messages
    assert (system.role, system.text) == ("system", "d")
    assert user.parts == (
        Text("see"),
        Image(Url("https://a.example/i.png"), detail="low"),
        Image(Uploaded("openai_responses", "f-1")),
        File(Inline(b"x"), "text/plain", name="a.txt"),
        File(Inline(b"x"), "audio/mpeg"),
    )
    assert assistant.parts == (
        Reasoning("", Signature("gemini", "Zm9y", "rs_1"), redacted=True, summary=True),
        Text("so"),
        Refusal("no"),
        replace(call("1", "f", '{"a": 1.0}'), upstream_id="fc_1"),
    )
    assert result.parts == (ToolResult(CallId("1"), "f", (Text("x"),)),)
    assert [type(part) for part in after.parts] == [Text, Kept]
    assert [(one.role, type(one.parts[0])) for one in asked] == [("user", Kept)] * 2


@pytest.mark.requirement("openai_responses:door:round")
def test_what_we_told_comes_back_as_it_was() -> None:
    proof, foreign = Signature("openai_responses", "gAAA", "rs_9"), Signature("gemini", "Zm9y")
    parts: tuple[Part, ...] = (
        Reasoning("hm", proof, summary=True),
        Reasoning("", FOREIGN, redacted=True, summary=True),
        Text("so", signature=Signature("openai_responses", '{"phase":"commentary"}')),
        Refusal("no"),
        replace(call("1"), signature=foreign),
    )
    events: list[Event] = []
    for number, part in enumerate(parts):
        events += [PartOpened(number, part, "client" if isinstance(part, ToolCall) else None), PartClosed(number, part)]
    answer = json.loads(encode_answer(turn(*events, finish="tool_calls"), created=5, echo=echo_request({})))
    output = {"type": "function_call_output", "call_id": "1", "output": "x"}
    assistant, _ = ask(input=[*answer["output"], output]).request.messages
    assert assistant.parts == parts


@pytest.mark.requirement("openai_responses:door:refused")
@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": ""}, "$.model"),
        ({"input": []}, "$.input"),
        ({"input": [1]}, "$.input[0]"),
        ({"input": [{"type": "message", "content": "x"}]}, "$.input[0].role"),
        ({"input": [{"role": "robot", "content": "x"}]}, "$.input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "video"}]}]}, "$.input[0].content[0].type"),
        ({"input": [{"role": "assistant", "content": [{"type": "video"}]}]}, "$.input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "$.input[0].content[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "file:///etc"}]}]},
            "$.input[0].content[0].image_url",
        ),
        ({"input": [{"type": "function_call", "call_id": "1"}]}, "$.input[0].name"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "$.input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "9", "output": "x"}]}, "$.input[0].call_id"),
        ({"tools": [{"name": "f"}]}, "$.tools[0].type"),
        ({"tools": [{"type": "function"}]}, "$.tools[0]"),
        ({"tools": [{"type": "custom", "name": "g", "format": {"type": "grammar"}}]}, "$.tools[0].format"),
        ({"tool_choice": "often"}, "$.tool_choice"),
        ({"tool_choice": {"type": "function"}}, "$.tool_choice"),
        ({"max_output_tokens": 0}, "$.max_output_tokens"),
        ({"reasoning": {"effort": "some"}}, "$.reasoning.effort"),
        ({"background": True}, "$.background"),
        ({"previous_response_id": "resp_1"}, "$.previous_response_id"),
        ({"conversation": "c"}, "$.conversation"),
        ({"prompt": {"id": "p"}}, "$.prompt"),
    ],
)
def test_what_can_not_be_served_is_refused_with_its_place(fields: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(**fields)
    assert [field.path for field in caught.value.fields] == [path]
