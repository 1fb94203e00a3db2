"""What a request asks beside its history: tools, forms, lengths, sampling, marks; and every loss with its notice.

Each is checked by the strict upstream, too (`told.encode`).
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from parlance.core.messages import Message
from parlance.core.parts import CacheMark, Text, ToolResult
from parlance.core.requests import AllowedTools, NamedTool, OutputFormat, Sampling, ToolChoice, ToolSpec
from parlance.dialects.anthropic_messages.names import decode_name, encode_name
from tests.unit.dialects.anthropic_messages.told import body, call, codes, encode, message, messages, request

TOOLS = (ToolSpec("look", "Looks."), ToolSpec("type", freeform=True))


@pytest.mark.requirement("anthropic_messages:request:tool_choice")
@pytest.mark.parametrize(
    ("choice", "parallel", "told"),
    [
        ("auto", None, None),
        ("auto", True, None),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        (NamedTool("look"), None, {"type": "tool", "name": "look"}),
        (AllowedTools("required", ("look",)), None, {"type": "any"}),
    ],
)
def test_a_choice_of_tools_has_its_form(choice: ToolChoice, parallel: bool | None, told: object) -> None:
    encoded = body(encode(request(tools=TOOLS, tool_choice=choice, parallel_calls=parallel)))
    assert encoded.get("tool_choice") == told
    assert len(encoded["tools"]) == (1 if isinstance(choice, AllowedTools) else 2)


def test_without_tools_nothing_is_said_of_their_choice() -> None:
    told = body(encode(request(tool_choice="required", parallel_calls=False)))
    assert {"tools", "tool_choice"}.isdisjoint(told)


@pytest.mark.parametrize("model", ["claude-fable-5", "claude-mythos-5-1", "claude-opus-5-5", "claude-sonnet-5-5"])
def test_a_model_that_chooses_for_itself_is_not_forced(model: str) -> None:
    encoded = encode(request(tools=TOOLS[:1], tool_choice="required", model=model))
    assert "tool_choice" not in body(encoded)
    assert codes(encoded) == ["tool_choice_relaxed"]


def test_a_freeform_tool_is_given_json_and_a_strict_one_a_closed_schema() -> None:
    open_schema = Raw(b'{"type":"object","properties":{"a":{"type":"object"},"b":{"type":"number","minimum":1.0}}}')
    encoded = encode(request(tools=(TOOLS[1], ToolSpec("s", "", open_schema, strict=True))))
    freeform, strict = body(encoded)["tools"]
    assert freeform["input_schema"]["required"] == ["input"]
    assert strict["strict"] is True
    assert strict["input_schema"]["additionalProperties"] is False
    assert strict["input_schema"]["properties"]["a"]["additionalProperties"] is False
    assert codes(encoded) == ["freeform_rewritten"]
    older = encode(request(tools=(ToolSpec("s", "", open_schema, strict=True),), model="claude-opus-4-0"))
    assert "strict" not in body(older)["tools"][0]
    assert codes(older) == ["strict_dropped"]


def test_names_of_tools_have_only_the_hosts_characters() -> None:
    tools = (ToolSpec("a.b/ü"), ToolSpec("x." * 80))
    encoded = encode(request(tools=tools, tool_choice=NamedTool("a.b/ü")))
    assert body(encoded)["tools"][0]["name"] == body(encoded)["tool_choice"]["name"] == "a_x2e_b_x2f__xfc_"
    assert codes(encoded) == ["tool_renamed"]


@given(st.lists(st.sampled_from(["_x", "2e", "_", ".", "x", "5f", "é", "0", "_x5f_"]), min_size=1, max_size=6))
def test_a_name_that_looks_like_an_escaped_one_leads_back_to_itself(pieces: list[str]) -> None:
    name = "".join(pieces)
    assert decode_name(encode_name(name)) == name
    assert encode_name("get_xml") == "get_xml"


@pytest.mark.requirement("anthropic_messages:request:output_format")
def test_an_answers_form_is_a_schema_or_nothing() -> None:
    schema = Raw(b'{"type":"object","properties":{}}')
    told = body(encode(request(output_format=OutputFormat("json_schema", "reply", schema))))
    assert told["output_config"]["format"]["schema"]["additionalProperties"] is False
    for model, wanted in (
        ("claude-sonnet-4-5", OutputFormat("json")),
        ("kimi-k2", OutputFormat("json_schema", schema=schema)),
    ):
        encoded = encode(request(output_format=wanted, model=model))
        assert "output_config" not in body(encoded)
        assert codes(encoded) == ["output_format_dropped"]


@pytest.mark.requirement("anthropic_messages:request:max_tokens")
@pytest.mark.parametrize(
    ("model", "asked", "told"),
    [
        ("claude-3-haiku-20240307", None, 4_096),
        ("claude-3-5-haiku-latest", None, 8_192),
        ("claude-opus-4-1", None, 32_000),
        ("claude-sonnet-4-5-20250929", None, 64_000),
        ("claude-sonnet-5-5", None, 64_000),
        ("claude-of-the-future", None, 64_000),
        ("kimi-k2", None, 8_192),
        ("claude-sonnet-5-5", 100_000, 100_000),
        ("kimi-k2", 100_000, 100_000),
    ],
)
def test_a_length_is_always_said(model: str, asked: int | None, told: int) -> None:
    encoded = encode(request(model=model, max_output=asked))
    assert body(encoded)["max_tokens"] == told
    assert encoded.notices == ()


def test_more_than_a_model_can_say_is_cut_and_told() -> None:
    encoded = encode(request(max_output=100_000))
    assert (body(encoded)["max_tokens"], codes(encoded)) == (64_000, ["max_output_cut"])


@pytest.mark.requirement("anthropic_messages:request:versions")
def test_each_version_and_model_gets_the_sampling_it_takes() -> None:
    sampling = Sampling(temperature=0.5, top_k=5, seed=1, stop=("END", "\n"))
    old = encode(request(sampling=sampling))
    assert (body(old)["temperature"], body(old)["top_k"], body(old)["stop_sequences"]) == (0.5, 5, ["END"])
    assert codes(old) == ["stop_dropped", "seed_dropped"]
    assert old.headers == (("anthropic-version", "2023-06-01"),)
    for encoded in (
        encode(request(sampling=sampling), "version_2026_10_21"),
        encode(request(sampling=sampling, model="claude-opus-4-7")),
    ):
        assert {"temperature", "top_p", "top_k"}.isdisjoint(body(encoded))
        assert codes(encoded) == ["stop_dropped", "seed_dropped", "sampling_dropped"]
    assert encode(request(), "version_2026_10_21").headers == (("anthropic-version", "2026-10-21"),)


def test_sampling_fits_what_the_host_takes() -> None:
    hot = encode(request(sampling=Sampling(temperature=1.7, top_p=0.5)))
    assert (body(hot)["temperature"], "top_p" in body(hot)) == (1.0, False)
    assert codes(hot) == ["temperature_cut", "top_p_dropped"]
    older = body(encode(request(sampling=Sampling(temperature=0.7, top_p=0.5), model="claude-3-5-haiku-latest")))
    assert (older["temperature"], older["top_p"]) == (0.7, 0.5)


@pytest.mark.requirement("anthropic_messages:request:cache")
def test_marks_of_the_cache_are_told_and_at_most_four() -> None:
    mark = CacheMark("1h")
    said = [message("user", Text(str(number), cache=CacheMark())) for number in range(4)]
    encoded = encode(request(message("system", Text("long", cache=mark)), *said, tools=(ToolSpec("look", cache=mark),)))
    told = body(encoded)
    assert told["tools"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert "cache_control" not in told["system"]
    assert [one.get("cache_control") for one in told["messages"][0]["content"]] == [
        None, {"type": "ephemeral"}, {"type": "ephemeral"}, {"type": "ephemeral"}
    ]  # fmt: skip
    assert codes(encoded) == ["cache_mark_dropped"]
    shown = ToolResult(call("a").id, "look", (Text("x", cache=CacheMark()),), cache=CacheMark())
    result_marks = messages(message("user", "Hi"), message("assistant", call("a")), message("tool", shown))
    assert json.dumps(result_marks).count("cache_control") == 2


@pytest.mark.requirement("anthropic_messages:request:extra")
def test_unknown_fields_go_to_their_own_family_and_never_over_ours() -> None:
    extra = {
        "anthropic_messages": {
            "metadata": Raw(b'{"user_id": "u"}'),
            "stream": Raw(b"false"),
            "tools": Raw(b'[{"type":"w_1","name":"w"}]'),
        },
        "gemini": {"x": Raw(b"1")},
    }
    encoded = encode(request(extra=extra, tools=TOOLS[:1]))
    told = body(encoded)
    assert (told["metadata"], told["stream"]) == ({"user_id": "u"}, True)
    assert [one["name"] for one in told["tools"]] == ["look", "w"]
    assert codes(encoded) == ["fields_dropped"]


def test_half_a_surrogate_pair_does_not_stop_a_request() -> None:
    history: list[Message] = [message("user", "a\ud83d"), message("assistant", call("a", arguments='{"b": 1.0}'))]
    encoded = encode(request(*history, tools=TOOLS))
    assert body(encoded)["messages"][0]["content"] == "a\ufffd"
    assert b'{"b": 1.0}' in encoded.body
