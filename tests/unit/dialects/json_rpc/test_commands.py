"""Methods and their parameters, as commands; a client's history, as messages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from parlance.core.errors import InvalidJson, InvalidRequest, UnknownAction
from parlance.core.messages import Message
from parlance.core.parts import Image, Inline, Refusal, Text, ToolCall, ToolResult, Url
from parlance.core.tool import Answer
from parlance.dialects.json_rpc.commands import (
    MAX_KEPT_TOOLS,
    Auth,
    Cancel,
    Command,
    Generate,
    Opening,
    Results,
    Resume,
    decode_command,
    decode_opening,
)


def command(method: str, **params: object) -> Command:
    return decode_command(method, Raw(json.dumps(params).encode()))


def generate(**params: object) -> Generate:
    decoded = command("generate", **params)
    assert isinstance(decoded, Generate)
    return decoded


def messages(*history: object) -> tuple[Message, ...]:
    return generate(history=[*history]).request.messages


def test_a_message_goes_behind_the_sessions_history() -> None:
    asked = generate(message=" Hi ")
    assert (asked.replaces, asked.tools, asked.ignored) == (False, None, ())
    assert asked.input is not None
    assert asked.input == asked.request.messages[-1]
    assert asked.input.text == " Hi "


def test_a_history_stands_for_the_sessions() -> None:
    asked = generate(history=[{"role": "user", "content": "a"}], message="ignored")
    assert asked.replaces
    assert [message.text for message in asked.request.messages] == ["a"]
    assert asked.input == asked.request.messages[0]


def test_a_history_that_ends_with_a_result_has_no_new_input() -> None:
    asked = generate(history=[{"role": "user", "content": "a"}, {"role": "tool", "tool_name": "t", "tool_result": 1}])
    assert asked.input is None


def test_every_parameter_has_its_place() -> None:
    asked = generate(
        message="Hi", model="lab/m", max_new_tokens=9, max_tokens=5, temperature=0, top_p=1, top_k=3, seed=4, stop="x",
        tool_choice="t", parallel_tool_calls=False, reasoning=True, reasoning_effort="low", warnings=True, mood="good",
    )  # fmt: skip # as a client writes them
    request = asked.request
    assert (request.model, request.max_output, request.parallel_calls) == ("lab/m", 9, False)
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.seed, sampling.stop) == (0, 1, 3, 4, ("x",))
    assert (request.reasoning.effort, request.reasoning.show) == ("low", True)
    assert (asked.params.reasoning, asked.params.warnings, asked.ignored) == (True, True, ("mood",))
    assert generate(message="Hi", max_tokens=5).request.max_output == 5


def test_null_is_the_same_as_absent() -> None:
    names = ("history", "tools", "model", "max_new_tokens", "temperature", "stop", "tool_choice", "reasoning")
    nulls, none = generate(message="Hi", **dict.fromkeys(names)), generate(message="Hi")
    assert (nulls.params, nulls.tools, nulls.replaces, nulls.ignored) == (none.params, None, False, ())


def test_pieces_of_content() -> None:
    (message,) = messages(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": "https://a.example/x.png", "detail": "low"}},
                {"type": "image_url", "image_url": "data:image/png;base64,AAEC"},
            ],
        }
    )
    assert message.parts == (
        Text("Look:"),
        Image(Url("https://a.example/x.png"), detail="low"),
        Image(Inline(b"\0\1\2"), "image/png"),
    )
    refusal = messages(
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, {"role": "user", "content": "?"}
    )
    assert refusal[0].parts == (Refusal("No."),)


@pytest.mark.parametrize(
    "call",
    [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.0}'}},
        {"id": "c", "function": {"name": "f", "arguments": {"a": 1.0}}},
        {"id": "c", "name": "f", "arguments": '{"a": 1.0}'},
        {"id": "c", "name": "f", "args": {"a": 1.0}},
        {"tool_call_id": "c", "tool_name": "f", "parameters": {"a": 1.0}},
    ],
)
def test_calls_come_in_several_forms_and_keep_their_arguments_as_written(call: object) -> None:
    called, _, _ = messages(
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
        {"role": "user", "content": "?"},
    )
    (part,) = called.parts
    assert isinstance(part, ToolCall)
    assert (part.id, part.name, part.arguments) == ("c", "f", '{"a": 1.0}')


def test_a_call_without_arguments_has_none() -> None:
    for call in ({"id": "c", "name": "f"}, {"id": "c", "function": {"name": "f", "arguments": ""}}):
        (called,) = messages({"role": "assistant", "content": "", "tool_calls": [call]})
        assert called.parts == (ToolCall(called.parts[0].id, "f", "{}"),)  # type: ignore[union-attr] # a call it is


RESULTS: list[tuple[dict[str, object], str, bool]] = [
    ({"tool_call_id": "c", "content": "x"}, "x", False),
    ({"tool_call_id": "c", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}, "xy", False),
    ({"tool_call_id": "c"}, "", False),
    ({"tool_call_id": "c", "tool_result": [1, 2.0]}, "[1, 2.0]", False),
    ({"tool_name": "f", "tool_result": {"a": None}}, '{"a": null}', False),
    ({"name": "f", "content": "x"}, "x", False),
    ({"content": "x"}, "x", False),
    ({"tool_call_id": "c", "is_error": True, "error_message": "down"}, "down", True),
    ({"tool_call_id": "c", "isError": True, "tool_result": "down"}, "down", True),
]


@pytest.mark.parametrize(("given", "output", "is_error"), RESULTS)
def test_results_find_their_call(given: dict[str, object], output: str, is_error: bool) -> None:
    _, result = messages({"role": "assistant", "tool_calls": [{"id": "c", "name": "f"}]}, {"role": "tool", **given})
    (part,) = result.parts
    assert isinstance(part, ToolResult)
    assert (part.call_id, part.name, part.output, part.is_error) == ("c", "f", output, is_error)


def test_results_by_name_find_the_calls_in_their_order() -> None:
    calls = [{"id": "a", "name": "f"}, {"id": "b", "name": "g"}, {"id": "c", "name": "f"}]
    told = [{"role": "tool", "tool_name": name, "tool_result": name} for name in ("f", "f", "g")]
    _, *results = messages({"role": "assistant", "tool_calls": calls}, *told)
    assert [part.call_id for result in results for part in result.parts if isinstance(part, ToolResult)] == [
        "a",
        "c",
        "b",
    ]


def test_what_says_nothing_is_left_out() -> None:
    told = messages({"role": "assistant"}, {"role": "user", "content": ""}, {"role": "user", "content": "Hi"})
    assert [message.text for message in told] == ["Hi"]


def test_results_of_tools() -> None:
    given = [
        {"tool_call_id": "a", "tool_name": "f", "result": {"n": 1.0}},
        {"tool_call_id": "b", "result": "text"},
        {"tool_call_id": "c", "is_error": True, "error_message": "down", "result": "ignored"},
        {"tool_call_id": "d", "is_error": False, "error_message": "a remark", "result": 0},
    ]
    assert command("tool_result", task_id="t", results=given) == Results(
        "t",
        (
            Answer("a", '{"n": 1.0}'),  # type: ignore[arg-type] # plain text for an id
            Answer("b", "text"),  # type: ignore[arg-type] # plain text for an id
            Answer("c", "down", is_error=True),  # type: ignore[arg-type] # plain text for an id
            Answer("d", "0"),  # type: ignore[arg-type] # plain text for an id
        ),
    )


def test_the_small_methods() -> None:
    assert command("cancel") == command("cancel", task_id=None) == Cancel(None)
    assert command("cancel", task_id="t", extra=1) == Cancel("t")
    assert command("auth", key="k") == Auth("k")
    resume = command("resume", task_id="t", after="e-3", reasoning=True)
    assert isinstance(resume, Resume)
    assert (resume.task_id, resume.after, resume.params.reasoning, resume.params.warnings) == ("t", "e-3", True, False)


@pytest.mark.parametrize("method", ["", "Generate", "rpc.generate", "generate ", "_params"])
def test_unknown_methods_are_named(method: str) -> None:
    with pytest.raises(UnknownAction, match="Known are: auth, cancel, generate, resume, tool_result"):
        command(method)


def test_a_session_is_made_with_tools_or_without() -> None:
    assert decode_opening(b"") == decode_opening(b" \n") == decode_opening(b"{}") == Opening()
    opening = decode_opening(b'{"tools":[{"name":"a"},{"type":"function","function":{"name":"b"}}],"queue":true}')
    assert ([tool.name for tool in opening.tools], opening.queues) == (["a", "b"], True)
    with pytest.raises(InvalidJson):
        decode_opening(b"{")
    with pytest.raises(InvalidRequest):
        decode_opening(b"null")


@pytest.mark.requirement("json_rpc:create_session:size")
def test_a_session_keeps_tools_of_a_bounded_size_together() -> None:
    empty = [json.dumps({"name": name, "description": ""}) for name in ("a", "b")]
    room = "x" * ((MAX_KEPT_TOOLS - sum(map(len, empty))) // 2)
    tools = [{"name": name, "description": room} for name in ("a", "b")]
    assert len(decode_opening(json.dumps({"tools": tools}).encode()).tools) == 2
    assert generate(message="Hi", tools=[{"name": "a", "description": room * 3}]).tools is not None
    tools[1]["description"] += "xx"
    with pytest.raises(InvalidRequest, match="262146 bytes together, and a session keeps 262144") as refusal:
        decode_opening(json.dumps({"tools": tools}).encode())
    assert [field.path for field in refusal.value.fields] == ["$.tools"]


names = st.sampled_from("role content tool_calls tool_call_id tool_result name id function arguments type text".split())
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)


def nested(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)


values: st.SearchStrategy[object] = st.recursive(scalars, nested, max_leaves=8)
entries = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system"])},
    optional={
        "content": values,
        "tool_calls": st.lists(st.dictionaries(names, values)),
        "tool_name": st.text(max_size=3),
    },
)


@given(st.lists(entries | values, max_size=4))
def test_any_history_is_understood_or_refused(history: list[object]) -> None:
    try:
        decoded = generate(history=history).request.messages
    except (InvalidRequest, InvalidJson):
        return
    calls = [part.id for message in decoded for part in message.parts if isinstance(part, ToolCall)]
    results = [part.call_id for message in decoded for part in message.parts if isinstance(part, ToolResult)]
    assert set(results) <= set(calls)
