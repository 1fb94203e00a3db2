"""Requests as a server of Ollama takes them, and what it can't be told said in notices."""

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace

from parlance.core.ids import CallId
from parlance.core.messages import Message, Origin
from parlance.core.parts import (
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
from parlance.core.requests import (
    AllowedTools,
    Effort,
    NamedTool,
    OutputFormat,
    ReasoningAsk,
    Request,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from parlance.testing.voices.ollama_strict import complaint_about
from tests.unit.dialects.ollama.told import body, codes, encode, messages
from tests.unit.dialects.openai_chat.told import call, message, request, result

PICTURE = Image(Inline(b"\x89PNG"), "image/png")
LOOK, CLOCK = ToolSpec("look", "Looks."), ToolSpec("clock")


def with_tools(choice: ToolChoice, *tools: ToolSpec) -> Request:
    return replace(request(), tools=tools or (LOOK, CLOCK), tool_choice=choice)


def offered(asked: Request) -> list[str]:
    return [tool["function"]["name"] for tool in json.loads(encode(asked).body).get("tools", [])]


@pytest.mark.requirement("ollama:request:options")
def test_what_has_a_word_goes_into_the_options() -> None:
    sampling = Sampling(temperature=0.0, top_p=0.5, top_k=3, seed=7, stop=("END",))
    asked = replace(request(), sampling=sampling, max_output=9)
    assert body(encode(asked))["options"] == {
        "num_ctx": 8192, "num_predict": 9, "temperature": 0.0, "top_p": 0.5, "top_k": 3, "seed": 7, "stop": ["END"],
    }  # fmt: skip
    assert body(encode(request())) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "options": {"num_ctx": 8192},
    }


@pytest.mark.requirement("ollama:request:extra")
def test_what_only_this_language_knows_is_passed_on_and_never_over_ours() -> None:
    extra = {
        "ollama": {"keep_alive": Raw(b'"10m"'), "options": Raw(b'{"min_p":0.1,"seed":1}'), "stream": Raw(b"false")}
    }
    encoded = encode(replace(request(), extra=extra, sampling=Sampling(seed=2)))
    told = body(encoded)
    assert (told["keep_alive"], told["stream"]) == ("10m", True)
    assert told["options"] == {"min_p": 0.1, "seed": 2, "num_ctx": 8192}
    assert encoded.notices == ()
    foreign = encode(replace(request(), extra={"openai_chat": {"user": Raw(b'"u"')}}))
    assert codes(foreign) == ["fields_dropped"]


@pytest.mark.requirement("ollama:request:think")
@pytest.mark.parametrize(
    ("ask", "think", "told"),
    [
        (ReasoningAsk(), None, []),
        (ReasoningAsk(show=True), None, []),
        (ReasoningAsk("none"), False, []),
        (ReasoningAsk("low"), "low", []),
        (ReasoningAsk("high"), "high", []),
        (ReasoningAsk("max"), "max", []),
        (ReasoningAsk("minimal"), "low", ["reasoning_effort_changed"]),
        (ReasoningAsk("xhigh"), "high", ["reasoning_effort_changed"]),
        (ReasoningAsk(budget=2000), True, ["reasoning_budget_dropped"]),
        (ReasoningAsk(budget=0), False, ["reasoning_budget_dropped"]),
        (ReasoningAsk(budget=-1), True, ["reasoning_budget_dropped"]),
        (ReasoningAsk("medium", budget=2000), "medium", ["reasoning_budget_dropped"]),
    ],
)
def test_thinking_is_asked_for_by_a_level(ask: ReasoningAsk, think: object, told: list[str]) -> None:
    encoded = encode(replace(request(), reasoning=ask))
    assert body(encoded).get("think") == think
    assert codes(encoded) == told


def test_every_effort_is_one_that_a_server_takes() -> None:
    efforts: list[Effort] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    for effort in efforts:
        assert complaint_about(encode(replace(request(), reasoning=ReasoningAsk(effort))).body) is None


@pytest.mark.requirement("ollama:request:format")
def test_structured_output_is_a_schema_or_any_json() -> None:
    schema = Raw(b'{"type":"object"}')
    assert body(encode(replace(request(), output_format=OutputFormat("json"))))["format"] == "json"
    told = body(encode(replace(request(), output_format=OutputFormat("json_schema", "answer", schema, True))))
    assert told["format"] == {"type": "object"}


@pytest.mark.requirement("ollama:request:tool_choice")
@pytest.mark.parametrize(
    ("choice", "names", "told"),
    [
        ("auto", ["look", "clock"], []),
        ("none", [], []),
        ("required", ["look", "clock"], ["tool_choice_dropped"]),
        (NamedTool("clock"), ["clock"], ["tool_choice_dropped"]),
        (NamedTool("gone"), [], ["tool_choice_dropped"]),
        (AllowedTools("auto", ("look",)), ["look"], []),
        (AllowedTools("required", ("look",)), ["look"], ["tool_choice_dropped"]),
    ],
)
def test_tools_are_chosen_by_what_is_offered(choice: ToolChoice, names: list[str], told: list[str]) -> None:
    asked = with_tools(choice)
    assert offered(asked) == names
    assert codes(encode(asked)) == told


def test_what_tools_can_not_be_held_to_is_said() -> None:
    encoded = encode(replace(with_tools("auto", ToolSpec("a", strict=True)), parallel_calls=False))
    assert codes(encoded) == ["parallel_calls_dropped", "strict_dropped"]
    encoded = encode(with_tools("auto", ToolSpec("shell", freeform=True), LOOK))
    assert codes(encoded) == ["tool_dropped"]
    assert offered(with_tools("auto", ToolSpec("shell", freeform=True))) == []


@pytest.mark.requirement("ollama:request:history")
def test_results_name_their_tool_and_follow_their_calls() -> None:
    told = messages(
        message("system", "Be brief."),
        message("user", "Look"),
        message("assistant", "Looking.", call("a"), call("b", "clock", '{ "n": 1.0 }')),
        message("tool", result("a")),
        message("tool", ToolResult(CallId("b"), "clock", "noon")),
    )
    assert told[2:] == [
        {
            "role": "assistant",
            "content": "Looking.",
            "tool_calls": [
                {"function": {"name": "look", "arguments": {}}, "id": "a"},
                {"function": {"name": "clock", "arguments": {"n": 1.0}}, "id": "b"},
            ],
        },
        {"role": "tool", "content": "found", "tool_name": "look", "tool_call_id": "a"},
        {"role": "tool", "content": "noon", "tool_name": "clock", "tool_call_id": "b"},
    ]


@pytest.mark.requirement("ollama:request:calls_answered")
def test_every_call_is_answered_and_a_result_without_a_call_is_left_out() -> None:
    told = messages(message("assistant", call("a")), message("user", "Well?"))
    assert [one["role"] for one in told] == ["assistant", "tool", "user"]
    assert told[1]["content"] == "not answered"
    encoded = encode(request(message("user", "Hi"), message("tool", result("gone"))))
    assert codes(encoded) == ["result_dropped"]
    assert complaint_about(encoded.body) is None


@pytest.mark.requirement("ollama:request:arguments")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [("", {}), ("  ", {}), ('{"a":\n1}', {"a": 1}), ('{"a"', {"input": '{"a"'}), ("[1]", {"input": "[1]"})],
)
def test_arguments_are_always_an_object(arguments: str, told: object) -> None:
    sent = messages(message("assistant", call("a", arguments=arguments)))
    assert sent[0]["tool_calls"] == [{"function": {"name": "look", "arguments": told}, "id": "a"}]
    free = ToolCall(CallId("a"), "shell", '{"ls": 1}', freeform=True)
    sent = messages(message("assistant", free))
    assert sent[0]["tool_calls"] == [{"function": {"name": "shell", "arguments": {"input": '{"ls": 1}'}}, "id": "a"}]


def test_numbers_of_arguments_stay_as_they_were_written() -> None:
    encoded = encode(request(message("assistant", call("a", arguments='{"n":1.0,"m":123456789012345678901}'))))
    assert b'{"n":1.0,"m":123456789012345678901}' in encoded.body


@pytest.mark.requirement("ollama:request:images")
def test_images_travel_inside_and_everything_else_is_named() -> None:
    parts = (
        Text("See"),
        PICTURE,
        Image(Url("https://x.example/a.png")),
        File(Inline(b"%PDF"), "application/pdf", "a.pdf"),
    )
    encoded = encode(request(message("user", *parts, Image(Uploaded("gemini", "f1")), Image(Inline(b"")))))
    told = json.loads(encoded.body)["messages"]
    assert told == [
        {
            "role": "user",
            "content": "See\n\n[image https://x.example/a.png]\n\n[file a.pdf application/pdf]\n\n[image]\n\n[image]",
            "images": ["iVBORw=="],
        }
    ]
    assert codes(encoded) == ["part_dropped", "part_dropped"]


def test_what_a_tool_showed_follows_behind_its_results_as_the_users() -> None:
    shown = ToolResult(CallId("a"), "look", (Text("Here"), PICTURE))
    told = messages(message("assistant", call("a"), call("b")), message("tool", shown), message("tool", result("b")))
    assert [one["role"] for one in told] == ["assistant", "tool", "tool", "user"]
    assert told[3]["images"] == ["iVBORw=="]


@pytest.mark.requirement("ollama:request:thoughts_back")
def test_thoughts_go_back_to_models_of_this_language_alone() -> None:
    thought = message("assistant", Reasoning("Hm."), "Yes.")
    assert messages(thought)[0]["thinking"] == "Hm."
    assert messages(replace(thought, origin=Origin("other", "m", "ollama")))[0]["thinking"] == "Hm."
    assert "thinking" not in messages(replace(thought, origin=Origin("x", "m", "anthropic_messages")))[0]


@pytest.mark.requirement("ollama:request:foreign")
def test_what_is_of_another_family_is_left_out_and_said() -> None:
    signed = Signature("gemini", "abc")
    given = message(
        "assistant",
        Reasoning("", signed, redacted=True),
        Text("Yes", signature=signed),
        Refusal(" no"),
        Kept("gemini", "executableCode", Raw(b"{}")),
    )
    encoded = encode(request(message("user", "Hi"), given))
    assert json.loads(encoded.body)["messages"][1] == {"role": "assistant", "content": "Yes no"}
    assert codes(encoded) == ["signature_dropped", "part_dropped"]


def test_neighbours_of_one_role_become_one_and_empty_messages_none() -> None:
    told = messages(
        message("user", "a"), message("user", "b", PICTURE), message("assistant", ""), message("user", PICTURE)
    )
    assert told == [{"role": "user", "content": "a\n\nb", "images": ["iVBORw==", "iVBORw=="]}]


def test_half_characters_do_not_stop_a_request() -> None:
    encoded = encode(request(message("user", "a\ud800"), message("assistant", call("a", arguments='"\ud800'))))
    assert json.loads(encoded.body)["messages"][0]["content"] == "a\ufffd"
    assert complaint_about(encoded.body) is None


def test_a_system_message_holds_text_alone() -> None:
    encoded = encode(request(message("system", "Be brief.", PICTURE), message("user", "Hi")))
    assert codes(encoded) == ["part_dropped"]


def test_a_long_history_is_accepted() -> None:
    history = tuple(
        Message(one.id, one.role, one.parts)
        for number in range(300)
        for one in (message("user", f"{number}"), message("assistant", call(f"c{number}")))
    )
    assert complaint_about(encode(request(*history)).body) is None
