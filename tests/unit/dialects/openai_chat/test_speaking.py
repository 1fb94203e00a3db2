"""Requests as hosts get them: what is said, what is left out and noticed, what a host's quirks change."""

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace

from parlance.core.ids import CallId
from parlance.core.messages import Origin
from parlance.core.parts import (
    CacheMark,
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
from parlance.core.requests import AllowedTools, NamedTool, OutputFormat, ReasoningAsk, Sampling, ToolSpec
from parlance.dialects.openai_chat.speak import LANGUAGE
from tests.unit.dialects.openai_chat.told import ORIGIN, body, call, encode, message, messages, request, result

TOOLS = (ToolSpec("look", "Looks."), ToolSpec("type", freeform=True))
OWN = Signature("openai_chat", "b3du")
FOREIGN = Signature("anthropic_messages", "Zm9y")


def test_a_request_streams_and_asks_for_usage_unless_the_host_refuses_to_hear_of_it() -> None:
    plain = body(encode(request()))
    assert (plain["stream"], plain["stream_options"]) == (True, {"include_usage": True})
    assert "stream_options" not in body(encode(request(), "no_stream_options"))


@pytest.mark.requirement("openai_chat:request:max_tokens")
def test_the_limit_of_the_output_has_the_name_that_the_host_knows() -> None:
    limited = replace(request(), max_output=9)
    assert body(encode(limited))["max_completion_tokens"] == 9
    assert body(encode(limited, "max_tokens_field"))["max_tokens"] == 9


def test_the_seed_has_the_name_that_the_host_knows() -> None:
    seeded = replace(request(), sampling=Sampling(seed=0))
    assert (body(encode(seeded))["seed"], "random_seed" in body(encode(seeded))) == (0, False)
    other = body(encode(seeded, "random_seed"))
    assert (other["random_seed"], "seed" in other) == (0, False)


@pytest.mark.requirement("openai_chat:request:calls_answered")
def test_every_call_is_answered_before_the_next_user_message() -> None:
    told = messages(message("user", "a"), message("assistant", call("1"), call("2")), message("user", "b"))
    assert [one["role"] for one in told] == ["user", "assistant", "tool", "tool", "user"]
    assert [one.get("tool_call_id") for one in told[2:4]] == ["1", "2"]
    assert told[2]["content"] == "not answered"


def test_a_result_that_belongs_to_no_call_is_left_out_and_noticed() -> None:
    encoded = encode(request(message("user", "a"), message("tool", result("9")), message("user", "b")))
    assert [notice.code for notice in encoded.notices] == ["result_dropped"]
    assert json.loads(encoded.body)["messages"] == [{"role": "user", "content": "a\n\nb"}]


def test_neighbours_of_one_role_become_one_message() -> None:
    told = messages(
        message("system", "s1"),
        message("system", "s2"),
        message("user", "u1"),
        message("user", "u2", Image(Url("https://a.example/i.png"))),
        message("assistant", "a1"),
        message("assistant", "a2", call("1")),
        message("tool", result("1")),
    )
    assert [one["role"] for one in told] == ["system", "user", "assistant", "tool"]
    assert told[0]["content"] == "s1\n\ns2"
    assert [part["type"] for part in json.loads(json.dumps(told[1]["content"]))] == ["text", "text", "image_url"]
    assert told[2]["content"] == "a1\n\na2"


def test_images_of_a_result_follow_behind_the_results_as_the_users() -> None:
    shown = ToolResult(CallId("1"), "look", (Text("see"), Image(Inline(b"x"), "image/png")))
    told = messages(message("assistant", call("1"), call("2")), message("tool", shown), message("tool", result("2")))
    assert [one["role"] for one in told] == ["assistant", "tool", "tool", "user"]
    assert told[1]["content"] == "see\n[image image/png]"
    assert "data:image/png;base64,eA==" in json.dumps(told[3])


def test_files_are_told_by_what_they_are() -> None:
    parts = [
        File(Inline(b"RIFF"), "audio/wav"),
        File(Inline(b"%PDF"), "application/pdf", "a.pdf"),
        File(Uploaded("openai_chat", "file-1")),
        File(Url("https://a.example/b.pdf"), "application/pdf", "b.pdf"),
    ]
    encoded = encode(request(message("user", *parts)))
    content = json.loads(encoded.body)["messages"][0]["content"]
    assert [one["type"] for one in content] == ["input_audio", "file", "file", "text"]
    assert content[1]["file"] == {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}
    assert content[3]["text"] == "[file b.pdf application/pdf]"
    assert [notice.code for notice in encoded.notices] == ["part_dropped"]


def test_a_host_that_takes_only_text_hears_the_names_of_images() -> None:
    told = messages(message("user", "see", Image(Inline(b"x"), "image/png", "a.png")), quirks=["text_only"])
    assert told == [{"role": "user", "content": "see\n\n[image a.png image/png]"}]


def test_foreign_signatures_and_blocks_are_left_out_and_noticed() -> None:
    kept = Kept("anthropic_messages", "server_tool_use", Raw(b"{}"))
    thought = Reasoning("hm", FOREIGN)
    signed = ToolCall(CallId("1"), "look", "{}", FOREIGN)
    encoded = encode(request(message("assistant", thought, kept, "hello", signed), message("tool", result("1"))))
    assert {notice.code for notice in encoded.notices} == {"signature_dropped", "part_dropped"}
    assert b"Zm9y" not in encoded.body
    assert b"hm" not in encoded.body


@pytest.mark.requirement("openai_chat:request:signatures")
def test_a_hosts_own_signatures_go_back_where_they_came_from_and_to_no_other_host() -> None:
    signed = ToolCall(CallId("1"), "look", "{}", OWN)
    parts: list[Part] = [Reasoning("hm", OWN), Reasoning("", OWN, redacted=True), Text("so", signature=OWN), signed]
    back = messages(message("assistant", *parts, origin=ORIGIN))[0]
    assert back["reasoning_details"] == [
        {"type": "reasoning.text", "signature": "b3du", "text": "hm"},
        {"type": "reasoning.encrypted", "data": "b3du"},
    ]
    assert back["extra_content"] == {"google": {"thought_signature": "b3du"}}
    assert json.loads(json.dumps(back["tool_calls"]))[0]["extra_content"] == {"google": {"thought_signature": "b3du"}}
    other = encode(request(message("assistant", *parts, origin=Origin("elsewhere", "m", "openai_chat"))))
    assert b"b3du" not in other.body
    assert [notice.code for notice in other.notices] == ["signature_dropped"]
    assert b"b3du" not in encode(request(message("assistant", *parts, origin=ORIGIN)), "strict_fields").body


@pytest.mark.requirement("openai_chat:request:reasoning_back")
def test_reasoning_goes_back_only_to_hosts_that_want_it() -> None:
    answer = message("assistant", Reasoning("hm"), "so", origin=ORIGIN)
    assert messages(answer) == [{"role": "assistant", "content": "so"}]
    assert messages(answer, quirks=["send_reasoning_back"])[0]["reasoning_content"] == "hm"
    called = replace(answer, parts=(ToolCall(CallId("c"), "now", "{}"),))
    assert messages(called, quirks=["send_reasoning_back"])[0]["reasoning_content"] == ""


def test_a_refusal_is_told_as_text_which_every_host_reads() -> None:
    assert messages(message("assistant", Refusal("No."))) == [{"role": "assistant", "content": "No."}]


def test_arguments_stay_the_text_they_were() -> None:
    exact = '{"b": 1.0, "a": 12345678901234567890, "a": 2}'
    told = messages(message("assistant", call("1", arguments=exact)), message("tool", result("1")))
    assert json.loads(json.dumps(told[0]["tool_calls"]))[0]["function"]["arguments"] == exact


@pytest.mark.parametrize("arguments", ["{", "[1]", "Oslo", '{"a":\ud83d}'])
def test_arguments_that_are_no_object_do_not_spoil_the_history_they_are_in(arguments: str) -> None:
    told = messages(message("assistant", call("1", arguments=arguments)), message("tool", result("1")))
    assert json.loads(json.dumps(told[0]["tool_calls"]))[0]["function"]["arguments"] == "{}"


def test_a_call_without_arguments_is_told_with_an_empty_object() -> None:
    told = messages(message("assistant", call("1", arguments="")), message("tool", result("1")))
    assert json.loads(json.dumps(told[0]["tool_calls"]))[0]["function"]["arguments"] == "{}"


@pytest.mark.requirement("openai_chat:request:tool_choice")
@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", None),
        ("none", "none"),
        ("required", "required"),
        (NamedTool("look"), {"type": "function", "function": {"name": "look"}}),
        (NamedTool("type"), {"type": "custom", "custom": {"name": "type"}}),
        (
            AllowedTools("required", ("look",)),
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "look"}}]},
            },
        ),
    ],
)
def test_a_choice_of_tools_has_its_form(choice: NamedTool | AllowedTools, told: object) -> None:
    assert body(encode(replace(request(), tools=TOOLS, tool_choice=choice))).get("tool_choice") == told


def test_without_tools_nothing_is_said_of_their_choice() -> None:
    told = body(encode(replace(request(), tool_choice="required", parallel_calls=True)))
    assert {"tools", "tool_choice", "parallel_tool_calls"}.isdisjoint(told)


def test_a_host_that_knows_no_allowed_tools_is_offered_only_those() -> None:
    asked = replace(request(), tools=TOOLS, tool_choice=AllowedTools("required", ("look",)))
    told = body(encode(asked, "no_allowed_tools"))
    assert told["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in json.loads(json.dumps(told["tools"]))] == ["look"]


def test_what_is_beyond_the_specification_is_kept_from_strict_hosts() -> None:
    asked = replace(request(), sampling=Sampling(top_k=5), reasoning=ReasoningAsk(budget=100))
    assert body(encode(asked))["top_k"] == 5
    strict = encode(asked, "strict_fields")
    assert "top_k" not in body(strict)
    assert [notice.code for notice in strict.notices] == ["reasoning_budget_dropped", "top_k_dropped"]


@pytest.mark.requirement("openai_chat:request:extra")
def test_unknown_fields_go_to_their_own_family_and_never_over_ours() -> None:
    extra = {"openai_chat": {"logit_bias": Raw(b'{"4": -1e2}'), "stream": Raw(b"false")}, "gemini": {"x": Raw(b"1")}}
    encoded = encode(replace(request(), extra=extra))
    assert b'"logit_bias":{"4": -1e2}' in encoded.body
    assert body(encoded)["stream"] is True
    assert [notice.code for notice in encoded.notices] == ["fields_dropped"]


def test_a_schema_for_the_output_is_told_as_given() -> None:
    wanted = OutputFormat("json_schema", "reply", Raw(b'{"type": "object"}'), strict=True)
    told = body(encode(replace(request(), output_format=wanted)))["response_format"]
    schema = {"name": "reply", "schema": {"type": "object"}, "strict": True}
    assert told == {"type": "json_schema", "json_schema": schema}


def test_half_a_surrogate_pair_does_not_stop_a_request() -> None:
    assert messages(message("user", "a\ud83d")) == [{"role": "user", "content": "a\ufffd"}]


def test_ids_of_calls_fit_the_host_and_stay_the_same_for_call_and_result() -> None:
    for quirks, longest in ([], 40), (["short_call_ids"], 9):
        told = messages(message("assistant", call("x" * 80)), message("tool", result("x" * 80)), quirks=quirks)
        id = json.loads(json.dumps(told[0]["tool_calls"]))[0]["id"]
        assert id == told[1]["tool_call_id"]
        assert len(id) <= longest
    kept = messages(message("assistant", call("Abcde1234")), message("tool", result("Abcde1234")))
    assert kept[1]["tool_call_id"] == "Abcde1234"


def test_cache_marks_go_to_hosts_that_take_them() -> None:
    marked = message("system", Text("long", cache=CacheMark("5m")))
    assert messages(marked) == [{"role": "system", "content": "long"}]
    content = [{"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": "5m"}}]
    assert messages(marked, quirks=["cache_marks"]) == [{"role": "system", "content": content}]


@pytest.mark.parametrize(
    "listed",
    [
        b'{"object":"list","data":[{"id":"a"},{"id":"b"},{"id":"a"}]}',
        b'{"models":[{"name":"a"},{"model":"b"}]}',
        b'[{"id":"a"},{"id":"b"}]',
    ],
)
def test_models_are_read_from_every_form_of_list(listed: bytes) -> None:
    assert LANGUAGE.decode_models(listed) == ("a", "b")


def test_an_empty_list_of_models_is_one() -> None:
    assert LANGUAGE.decode_models(b'{"object":"list","data":null}') == ()


def test_half_characters_beside_tools_do_not_stop_a_request() -> None:
    encoded = encode(replace(request(message("user", "a\ud800")), tools=(ToolSpec("look"),)))
    assert body(encoded)["messages"] == [{"role": "user", "content": "a\ufffd"}]
