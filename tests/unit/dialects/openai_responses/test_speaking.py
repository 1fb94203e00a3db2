"""Requests as hosts get them: what is said, what is left out and noticed, what a host's quirks change."""

import json
from collections.abc import Sequence

import pytest
from msgspec import Raw
from msgspec.structs import replace

from parlance.core.ids import CallId
from parlance.core.json import JsonObject
from parlance.core.messages import Message, Origin
from parlance.core.parts import (
    Annotation,
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
from parlance.core.provider import EncodedRequest
from parlance.core.requests import AllowedTools, NamedTool, OutputFormat, ReasoningAsk, Request, Sampling, ToolSpec
from parlance.dialects.openai_responses.speak import LANGUAGE
from parlance.testing.voices.openai_responses_strict import complaint_about
from tests.unit.dialects.openai_chat.told import call, message, request, result

TOOLS = (ToolSpec("look", "Looks."), ToolSpec("type", freeform=True))
LAB = Origin("lab", "m", "openai_responses")
ELSEWHERE = Origin("other", "m", "openai_responses")
OWN = Signature("openai_responses", "gAAAAB+/==", "rs_1")
FOREIGN = Signature("anthropic_messages", "Zm9y")


def encode(asked: Request, *quirks: str) -> EncodedRequest:
    """Encodes for a host that refuses what OpenAI does."""
    encoded = LANGUAGE.encode_request(asked, host="lab", quirks=frozenset(quirks))
    assert complaint_about(encoded.body) is None
    return encoded


def body(asked: Request, *quirks: str) -> JsonObject:
    decoded: JsonObject = json.loads(encode(asked, *quirks).body)
    return decoded


def items(*given: Message, quirks: Sequence[str] = ()) -> list[JsonObject]:
    encoded: list[JsonObject] = json.loads(encode(request(*given), *quirks).body)["input"]
    return encoded


def codes(asked: Request, *quirks: str) -> list[str]:
    return [notice.code for notice in encode(asked, *quirks).notices]


@pytest.mark.requirement("openai_responses:request:stateless")
def test_nothing_is_kept_at_the_host_and_thoughts_come_sealed() -> None:
    told = body(request())
    assert (told["stream"], told["store"], told["include"]) == (True, False, ["reasoning.encrypted_content"])
    assert LANGUAGE.encode_request(request(), host="lab", quirks=frozenset()).path == "/responses"


@pytest.mark.requirement("openai_responses:request:no_reasoning")
@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4.1", "gpt-3.5-turbo", "chatgpt-4o-latest", "openai/gpt-4o"])
def test_a_model_that_never_reasons_is_asked_for_none(model: str) -> None:
    asked = replace(request(), model=model, reasoning=ReasoningAsk(effort="high", show=True))
    assert not {"include", "reasoning"} & body(asked).keys()
    assert codes(asked) == ["reasoning_dropped"]


@pytest.mark.requirement("openai_responses:request:reasoning")
def test_effort_and_summary_are_asked_for() -> None:
    assert body(replace(request(), reasoning=ReasoningAsk("low")))["reasoning"] == {"effort": "low"}
    assert body(replace(request(), reasoning=ReasoningAsk(show=True)))["reasoning"] == {"summary": "auto"}
    none = body(replace(request(), reasoning=ReasoningAsk("none", show=True)))
    assert none["reasoning"] == {"effort": "none"}


@pytest.mark.requirement("openai_responses:request:instructions")
def test_system_messages_at_the_beginning_are_instructions_and_later_ones_stay_in_place() -> None:
    told = body(request(message("system", "a"), message("system", "b"), message("user", "u"), message("system", "c")))
    assert told["instructions"] == "a\n\nb"
    assert told["input"] == [
        {"type": "message", "role": "user", "content": "u"},
        {"type": "message", "role": "system", "content": "c"},
    ]


def test_a_system_message_holds_text_alone() -> None:
    asked = request(message("system", "a", Image(Url("https://a.example/i.png"))), message("user", "u"))
    assert codes(asked) == ["part_dropped"]


@pytest.mark.requirement("openai_responses:request:calls_answered")
def test_every_call_is_answered_before_the_next_user_message() -> None:
    told = items(message("user", "a"), message("assistant", call("1"), call("2")), message("user", "b"))
    assert [one["type"] for one in told[1:5]] == ["function_call"] * 2 + ["function_call_output"] * 2
    assert [one.get("output") for one in told[3:5]] == ["not answered"] * 2


def test_a_result_that_belongs_to_no_call_or_came_before_is_left_out_and_noticed() -> None:
    asked = request(
        message("user", "a"),
        message("assistant", call("1")),
        message("tool", result("1")),
        message("tool", result("1")),
        message("tool", result("9")),
        message("user", "b"),
    )
    assert codes(asked) == ["result_dropped"]


@pytest.mark.requirement("openai_responses:request:custom_tool")
def test_a_freeform_call_and_its_result_have_their_own_types() -> None:
    made = ToolCall(CallId("1"), "type", "ls", freeform=True)
    told = items(message("user", "a"), message("assistant", made), message("tool", result("1")))
    assert told[1:] == [
        {"type": "custom_tool_call", "call_id": "1", "name": "type", "input": "ls"},
        {"type": "custom_tool_call_output", "call_id": "1", "output": "found"},
    ]


@pytest.mark.requirement("openai_responses:request:results")
def test_a_result_may_show_images_and_files() -> None:
    shown = ToolResult(CallId("1"), "look", (Text("see"), Image(Inline(b"x"), "image/png")))
    told = items(message("user", "a"), message("assistant", call("1")), message("tool", shown))
    assert told[-1]["output"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,eA==", "detail": "auto"},
    ]


def test_ids_names_and_arguments_that_a_host_would_refuse_are_made_fit() -> None:
    odd = ToolCall(CallId("c" * 80), "files.read:all", "{oops")
    told = items(
        message("user", "a"),
        message("assistant", odd),
        message("tool", ToolResult(CallId("c" * 80), "files.read:all", "x")),
    )
    assert told[1]["call_id"] == told[2]["call_id"]
    assert len(str(told[1]["call_id"])) <= 64
    assert (told[1]["name"], told[1]["arguments"]) == ("files_read_all", "{}")


@pytest.mark.requirement("openai_responses:request:reasoning_back")
def test_a_sealed_thought_goes_back_whole_before_what_came_of_it() -> None:
    thoughts = (Reasoning("one", summary=True), Reasoning("two", OWN, summary=True))
    told = items(message("user", "a"), message("assistant", *thoughts, "so", origin=LAB), message("user", "b"))
    summary = [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}]
    assert told[1] == {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAAAB+/=="}
    assert told[2]["content"] == "so"


def test_thoughts_told_as_such_do_not_go_back_as_summaries() -> None:
    thoughts = (Reasoning("raw"), Reasoning("short", OWN, summary=True))
    told = items(message("user", "a"), message("assistant", *thoughts, "so", origin=LAB), message("user", "b"))
    assert told[1]["content"] == [{"type": "reasoning_text", "text": "raw"}]
    assert told[1]["summary"] == [{"type": "summary_text", "text": "short"}]


def test_a_sealed_thought_without_an_id_gets_one_that_is_always_the_same() -> None:
    sealed = Reasoning("", Signature("openai_responses", "gAAA"), redacted=True)
    first, again = (items(message("user", "a"), message("assistant", sealed, "so"))[1]["id"] for _ in range(2))
    assert first == again


@pytest.mark.requirement("openai_responses:request:signatures")
@pytest.mark.parametrize(
    ("signature", "origin"), [(FOREIGN, LAB), (FOREIGN, None), (OWN, ELSEWHERE), (None, LAB), (OWN, LAB)]
)
def test_thoughts_of_others_unsigned_ones_and_those_that_nothing_followed_stay_here(
    signature: Signature | None, origin: Origin | None
) -> None:
    thought = Reasoning("hm", signature)
    parts: tuple[Part, ...] = (Text("so"), thought) if origin is LAB and signature is OWN else (thought, Text("so"))
    asked = request(message("user", "a"), message("assistant", *parts, origin=origin), message("user", "b"))
    told = json.loads(encode(asked).body)["input"]
    assert [one["type"] for one in told] == ["message"] * 3
    expected = {OWN: "reasoning_dropped"} if origin is LAB else {}
    assert codes(asked) == ([] if signature is None else [expected.get(signature, "signature_dropped")])


def test_a_host_that_takes_no_sealed_thoughts_gets_none() -> None:
    asked = request(message("user", "a"), message("assistant", Reasoning("hm", OWN), "so", origin=LAB))
    assert codes(asked, "no_encrypted_reasoning") == ["signature_dropped"]
    assert "include" not in body(asked, "no_encrypted_reasoning")


def test_signatures_of_texts_and_calls_are_left_out_and_noticed() -> None:
    signed = replace(call("1"), signature=FOREIGN)
    asked = request(message("user", "a"), message("assistant", Text("so", signature=FOREIGN), signed))
    assert codes(asked) == ["signature_dropped"]


@pytest.mark.requirement("openai_responses:request:echoed")
def test_what_the_host_wants_echoed_goes_back_to_it_and_to_nobody_else() -> None:
    phase = Signature("openai_responses", '{"phase":"commentary"}')
    place = Signature("openai_responses", '{"namespace":"crm","async":true}')
    parts = (Text("so", signature=phase), replace(call("1"), signature=place))
    told = items(message("user", "a"), message("assistant", *parts, origin=LAB))
    assert told[1]["phase"] == "commentary"
    assert (told[2]["namespace"], told[2]["async"]) == ("crm", True)
    elsewhere = items(message("user", "a"), message("assistant", *parts, origin=ELSEWHERE))
    assert not any({"phase", "namespace"} & one.keys() for one in elsewhere)


@pytest.mark.requirement("openai_responses:request:kept_back")
def test_kept_blocks_go_back_to_the_host_that_made_them() -> None:
    item = Kept("openai_responses", "web_search_call", Raw(b'{"type":"web_search_call","id":"ws_1"}'))
    told = items(message("user", "a"), message("assistant", item, "so", origin=LAB))
    assert told[1] == {"type": "web_search_call", "id": "ws_1"}
    for origin, family in ((ELSEWHERE, "openai_responses"), (LAB, "gemini")):
        kept = replace(item, family=family)
        assert codes(request(message("user", "a"), message("assistant", kept, "so", origin=origin))) == ["part_dropped"]
    assert codes(request(message("user", replace(item, family="gemini"), "a"))) == ["part_dropped"]


def test_a_refusal_or_citations_are_said_in_the_full_form() -> None:
    cited = Text("so", (Annotation("openai_responses", "url_citation", Raw(b'{"type":"url_citation"}')),))
    told = items(message("user", "a"), message("assistant", cited, Refusal("No.")))[1]
    assert told["status"] == "completed"
    assert told["content"] == [
        {"type": "output_text", "annotations": [{"type": "url_citation"}], "logprobs": [], "text": "so"},
        {"type": "refusal", "refusal": "No."},
    ]


def test_an_empty_message_is_not_said() -> None:
    assert len(items(message("user", "a"), message("assistant", ""), message("user", ""), message("user", "b"))) == 2


@pytest.mark.requirement("openai_responses:request:media")
@pytest.mark.parametrize(
    ("part", "told"),
    [
        (Image(Uploaded("openai_responses", "f-1")), {"type": "input_image", "file_id": "f-1", "detail": "auto"}),
        (File(Url("https://a.example/a.pdf")), {"type": "input_file", "file_url": "https://a.example/a.pdf"}),
        (
            File(Inline(b"x"), "text/plain"),
            {"type": "input_file", "file_data": "data:text/plain;base64,eA==", "filename": "file"},
        ),
        (
            File(Inline(b"x"), "audio/mpeg"),
            {"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}},
        ),
    ],
)
def test_images_and_files_are_said(part: Part, told: JsonObject) -> None:
    assert items(message("user", part))[0]["content"] == [told]


def test_what_can_not_be_shown_is_named_in_the_text() -> None:
    asked = request(message("user", "see", Image(Uploaded("gemini", "g-1"), "image/png", "cat")))
    assert json.loads(encode(asked).body)["input"][0]["content"] == "see\n\n[image cat image/png]"
    assert codes(asked) == ["part_dropped"]
    plain = request(message("user", File(Inline(b"x"), "text/plain", "a.txt"), Image(Url("https://a.example/i.png"))))
    assert codes(plain, "text_only") == ["part_dropped"] * 2
    empty = request(message("user", File(Inline(b""), "text/plain", "a.txt"), Image(Inline(b""))))
    assert json.loads(encode(empty).body)["input"][0]["content"] == "[file a.txt text/plain]\n\n[image]"


@pytest.mark.requirement("openai_responses:request:flat_tools")
def test_tools_are_flat_and_say_whether_they_are_strict() -> None:
    told = body(replace(request(), tools=TOOLS, parallel_calls=False))
    parameters = {"type": "object", "properties": {}}
    assert told["tools"] == [
        {"type": "function", "name": "look", "description": "Looks.", "parameters": parameters, "strict": False},
        {"type": "custom", "name": "type"},
    ]
    assert told["parallel_tool_calls"] is False
    assert "tool_choice" not in told


@pytest.mark.requirement("openai_responses:request:tool_choice")
@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("none", "none"),
        ("required", "required"),
        (NamedTool("look"), {"type": "function", "name": "look"}),
        (NamedTool("type"), {"type": "custom", "name": "type"}),
        (AllowedTools("required", ()), "none"),
        (
            AllowedTools("required", ("look",)),
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]},
        ),
    ],
)
def test_each_choice_has_its_form(choice: object, told: object) -> None:
    assert body(replace(request(), tools=TOOLS, tool_choice=choice))["tool_choice"] == told


@pytest.mark.requirement("openai_responses:request:allowed_tools")
def test_a_host_without_allowed_tools_is_offered_only_those() -> None:
    asked = replace(request(), tools=TOOLS, tool_choice=AllowedTools("required", ("look",)))
    told = body(asked, "no_allowed_tools")
    assert told["tool_choice"] == "required"
    assert isinstance(told["tools"], list)
    assert len(told["tools"]) == 1


def test_without_tools_there_is_no_choice() -> None:
    assert not {"tools", "tool_choice"} & body(replace(request(), tool_choice="required")).keys()


@pytest.mark.requirement("openai_responses:request:format")
def test_each_format_has_its_form() -> None:
    schema = OutputFormat("json_schema", "plan", Raw(b'{"type":"object"}'), True)
    told = body(replace(request(), output_format=schema))["text"]
    assert told == {"format": {"type": "json_schema", "name": "plan", "schema": {"type": "object"}, "strict": True}}
    assert body(replace(request(), output_format=OutputFormat("json")))["text"] == {"format": {"type": "json_object"}}


@pytest.mark.requirement("openai_responses:request:left_out")
def test_what_the_language_has_no_word_for_is_left_out_and_noticed() -> None:
    asked = replace(
        request(),
        sampling=Sampling(0.5, 0.9, 4, 3, ("END",)),
        reasoning=ReasoningAsk(budget=500),
        extra={"gemini": {"safetySettings": Raw(b"[]")}},
    )
    assert codes(asked) == [
        "reasoning_budget_dropped",
        "top_k_dropped",
        "seed_dropped",
        "stop_dropped",
        "fields_dropped",
    ]
    assert (body(asked)["temperature"], body(asked)["top_p"]) == (0.5, 0.9)


@pytest.mark.requirement("openai_responses:request:max_output")
def test_the_limit_of_the_output_is_never_below_what_the_host_takes() -> None:
    assert body(replace(request(), max_output=100))["max_output_tokens"] == 100
    small = replace(request(), max_output=5)
    assert body(small)["max_output_tokens"] == 16
    assert codes(small) == ["max_output_raised"]


@pytest.mark.requirement("openai_responses:request:extra")
def test_fields_of_this_language_are_passed_on_and_never_over_ours() -> None:
    given = {
        "metadata": Raw(b'{"a":"b"}'),
        "store": Raw(b"true"),
        "tools": Raw(b'[{"type":"web_search"}]'),
        "include": Raw(b'["web_search_call.action.sources"]'),
        "reasoning": Raw(b'{"effort":"low","context":"all_turns"}'),
        "text": Raw(b'{"verbosity":"low"}'),
    }
    asked = replace(
        request(),
        tools=(ToolSpec("look"),),
        reasoning=ReasoningAsk("high"),
        output_format=OutputFormat("json"),
        extra={"openai_responses": given},
    )
    told = body(asked)
    assert (told["metadata"], told["store"]) == ({"a": "b"}, False)
    assert isinstance(told["tools"], list)
    assert [one["type"] for one in told["tools"] if isinstance(one, dict)] == ["function", "web_search"]
    assert told["include"] == ["reasoning.encrypted_content", "web_search_call.action.sources"]
    assert told["reasoning"] == {"effort": "high", "context": "all_turns"}
    assert told["text"] == {"verbosity": "low", "format": {"type": "json_object"}}


def test_half_a_surrogate_pair_does_not_keep_a_request_from_being_said() -> None:
    assert items(message("user", "a\ud83d"))[0]["content"] == "a\ufffd"
