"""Bodies of the REST service as requests."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.errors import InvalidJson, InvalidRequest
from parlance.core.json import decode_json
from parlance.core.parts import Image, Text, ToolCall, ToolResult, Url
from parlance.core.requests import NamedTool
from parlance.core.tool import Answer
from parlance.dialects.rest.sends import Send, decode_completion, decode_results, decode_send
from parlance.dialects.rest.wire_requests import CompletionBody, ResultsBody, SendBody, StreamQuery

ARGUMENTS = '{"a": 1.0}'
PICTURE = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}


def sent(**body: object) -> Send:
    decoded = decode_send(decode_json(json.dumps({"content": "Hi", **body}), SendBody), StreamQuery())
    assert isinstance(decoded, Send)
    return decoded


def test_a_send_with_everything() -> None:
    given = sent(
        provider_name="lab", model="m/1", include_memories=True, enabled_functions=["a"], disabled_functions=["b"],
        enabled_mcp_tools=[], disabled_mcp_tools=["all"], functions=[{"name": "old"}], temperature=0.5, max_tokens=9,
        tools=[{"type": "function", "function": {"name": "new"}}], tool_choice={"function": {"name": "new"}},
    )  # fmt: skip
    request = given.request
    assert (request.model, given.provider, given.include_memories) == ("lab/m/1", "lab", True)
    assert (given.enabled_functions, given.disabled_functions) == (("a",), ("b",))
    assert (given.enabled_mcp_tools, given.disabled_mcp_tools) == ((), ("all",))
    assert [tool.name for tool in request.tools] == ["new", "old"]
    assert (request.tool_choice, request.max_output, request.sampling.temperature) == (NamedTool("new"), 9, 0.5)


def test_what_is_not_said_is_left_open() -> None:
    given = sent()
    assert (given.enabled_functions, given.enabled_mcp_tools, given.include_memories) == (None, None, False)
    assert (given.request.model, given.request.tool_choice, given.request.tools) == ("", "auto", ())
    assert sent(provider_name="lab").request.model == "lab/"
    assert sent(model="m").request.model == "m"


def test_a_result_may_be_a_message() -> None:
    body = decode_json('{"role":"tool","tool_call_id":"c","content":"12"}', SendBody)
    assert decode_send(body, StreamQuery()) == Answer("c", "12")  # type: ignore[arg-type] # an id is a text


def test_messages_in_openais_form() -> None:
    messages = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Look"}, PICTURE]},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": ARGUMENTS}}]},
        {"role": "tool", "tool_call_id": "c", "content": "12"},
    ]
    body = decode_json(json.dumps({"messages": messages}), CompletionBody)
    decoded = decode_completion(body, StreamQuery()).request.messages
    assert [message.role for message in decoded] == ["system", "user", "assistant", "tool"]
    assert decoded[1].parts == (Text("Look"), Image(Url("https://a.example/b.png")))
    call, result = decoded[2].parts[0], decoded[3].parts[0]
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert (call.arguments, result.name, result.output) == (ARGUMENTS, "f", "12")


@pytest.mark.parametrize(
    ("given", "output", "is_error"),
    [
        ({"result": "x"}, "x", False),
        ({"result": {"a": 1.0}}, '{"a": 1.0}', False),
        ({"error": "no"}, "no", True),
        ({}, "null", False),
    ],
)
def test_a_result_is_text_or_json(given: dict[str, object], output: str, is_error: bool) -> None:
    body = decode_json(json.dumps({"results": [{"tool_call_id": "c", **given}]}), ResultsBody)
    (answer,) = decode_results(body)
    assert (answer.output, answer.is_error) == (output, is_error)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["messages", "content", "role", "results", "tool_calls", "tools", "tool_call_id", "result", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
@pytest.mark.requirement("rest:bad_input:sends")
def test_any_body_is_a_request_or_refused(body: object) -> None:
    kinds: tuple[type[SendBody | CompletionBody | ResultsBody], ...] = (SendBody, CompletionBody, ResultsBody)
    for kind in kinds:
        try:
            match decode_json(json.dumps(body), kind):
                case SendBody() as send:
                    decode_send(send, StreamQuery())
                case CompletionBody() as completion:
                    decode_completion(completion, StreamQuery())
                case ResultsBody() as results:
                    decode_results(results)
        except (InvalidJson, InvalidRequest):
            continue
