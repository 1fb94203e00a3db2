"""Requests to hosts: whatever the history, it is one that a strict host takes, and what is lost is said."""

import json

import msgspec
import pytest
from msgspec import Raw

from parlance.core.messages import Message
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
    Uploaded,
    Url,
)
from parlance.core.requests import (
    AllowedTools,
    NamedTool,
    OutputFormat,
    ReasoningAsk,
    Request,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from parlance.dialects.gemini.names import decode_name, encode_name
from parlance.dialects.gemini.speak import LANGUAGE
from tests.unit.dialects.gemini.told import (
    ELSEWHERE,
    ORIGIN,
    SIGNED,
    body,
    call,
    contents,
    encode,
    message,
    notices,
    parts_of,
    request,
    result,
)

HI = message("user", "Hi")
SKIP = "skip_thought_signature_validator"


@pytest.mark.requirement("gemini:request:path")
@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-3-flash", "/models/gemini-3-flash"),
        ("models/gemini-3-flash", "/models/gemini-3-flash"),
        ("tunedModels/mine", "/tunedModels/mine"),
        ("a/b?c#d e", "/models/a%2Fb%3Fc%23d%20e"),
    ],
)
def test_the_model_stands_in_the_path_and_the_stream_is_asked_for_as_events(model: str, path: str) -> None:
    assert encode(request(model=model)).path == f"{path}:streamGenerateContent?alt=sse"


@pytest.mark.requirement("gemini:request:roles")
def test_neighbours_of_one_role_become_one_content() -> None:
    told = contents(HI, message("user", "there"), message("assistant", "Yes?"), message("assistant", "?"), HI)
    assert [one["role"] for one in told] == ["user", "model", "user"]
    assert told[0]["parts"] == [{"text": "Hi"}, {"text": "there"}]


@pytest.mark.requirement("gemini:request:roles")
@pytest.mark.parametrize("given", [[message("assistant", "Welcome!")], [message("system", "Be kind.")]])
def test_a_user_begins_and_there_is_always_a_content(given: list[Message]) -> None:
    assert contents(*given)[0] == {"role": "user", "parts": [{"text": "…"}]}
    assert notices(request(*given)) == ["history_padded"]


@pytest.mark.requirement("gemini:request:roles")
def test_what_says_nothing_is_left_out() -> None:
    told = contents(HI, message("assistant", ""), message("user", "", Text("x", cache=CacheMark())))
    assert told == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "x"}]}]


@pytest.mark.requirement("gemini:request:system")
def test_system_prompts_have_one_place() -> None:
    asked = request(message("system", "Be kind."), HI, message("system", Text("Be brief."), Image(Url("x"))))
    assert body(asked)["systemInstruction"] == {"parts": [{"text": "Be kind."}, {"text": "Be brief."}]}
    assert notices(asked) == ["system_moved", "part_dropped"]


@pytest.mark.requirement("gemini:request:results")
def test_parallel_results_stand_in_one_content_in_the_order_of_their_calls() -> None:
    called = message("assistant", call("a", signature=SIGNED, upstream_id="x"), call("b"), origin=ORIGIN)
    told = parts_of(HI, called, message("tool", result("b")), message("tool", result("a")), message("user", "So?"))
    assert told[1][0]["functionCall"] == {"name": "look", "args": {}, "id": "x"}
    assert told[1][1]["functionCall"] == {"name": "look", "args": {}}
    first, second, text = told[2]
    assert first == {"functionResponse": {"name": "look", "id": "x", "response": {"output": "found"}}}
    assert second == {"functionResponse": {"name": "look", "response": {"output": "found"}}}
    assert text == {"text": "So?"}


@pytest.mark.requirement("gemini:request:results")
@pytest.mark.parametrize(
    ("output", "is_error", "response"),
    [
        ("found", False, {"output": "found"}),
        ('{"n":1.0}', False, {"n": 1.0}),
        ('{"n":', False, {"output": '{"n":'}),
        ("[1]", False, {"output": "[1]"}),
        ('{"n":1}', True, {"error": '{"n":1}'}),
        ("\ud83d", False, {"output": "\ufffd"}),
    ],
)
def test_a_result_is_an_object(output: str, is_error: bool, response: object) -> None:
    called = message("assistant", call("a", signature=SIGNED))
    told = parts_of(HI, called, message("tool", result("a", output, is_error=is_error)))
    assert json.loads(json.dumps(told[2][0]["functionResponse"]))["response"] == response


@pytest.mark.requirement("gemini:request:results")
def test_what_a_result_shows_follows_behind_the_last_one() -> None:
    called = message("assistant", call("a", signature=SIGNED), call("b"))
    shown = result("a", (Text("see"), Image(Inline(b"x"), "image/png", name="cat.png")))
    told = parts_of(HI, called, message("tool", shown), message("tool", result("b")))[2]
    assert [next(iter(part)) for part in told] == ["functionResponse", "functionResponse", "text", "inlineData"]
    assert told[0]["functionResponse"] == {"name": "look", "response": {"output": "see\n[image cat.png image/png]"}}


@pytest.mark.requirement("gemini:request:calls_answered")
def test_calls_without_results_are_answered_and_results_without_calls_left_out() -> None:
    asked = request(HI, message("assistant", call("a", signature=SIGNED)), HI, message("tool", result("a")))
    told = parts_of(*asked.messages)
    assert told[2] == [
        {"functionResponse": {"name": "look", "response": {"error": "not answered"}}},
        {"text": "Hi"},
    ]
    assert notices(asked) == ["result_dropped"]


@pytest.mark.requirement("gemini:request:signatures")
def test_a_hosts_own_signatures_go_back_as_they_came() -> None:
    said = message(
        "assistant", Reasoning("Hm", SIGNED), Reasoning("unsigned"), Text("x", signature=SIGNED), origin=ORIGIN
    )
    redacted = message("assistant", Reasoning("", SIGNED, redacted=True), Text("", signature=SIGNED))
    told = parts_of(HI, said, HI, redacted)
    assert told[1] == [
        {"text": "Hm", "thought": True, "thoughtSignature": "AAAA"},
        {"text": "x", "thoughtSignature": "AAAA"},
    ]
    assert told[3] == [
        {"text": "", "thought": True, "thoughtSignature": "AAAA"},
        {"text": "", "thoughtSignature": "AAAA"},
    ]


@pytest.mark.requirement("gemini:request:signatures")
@pytest.mark.parametrize(("model", "proof"), [("gemini-3-flash", SKIP), ("gemini-2.5-pro", None)])
def test_calls_of_another_model_get_the_documented_stand_in(model: str, proof: str | None) -> None:
    foreign = Signature("anthropic_messages", "zzz")
    given = message(
        "assistant", Reasoning("Hm", foreign), Text("x", signature=foreign), call("a"), call("b"), origin=ELSEWHERE
    )
    other_key = message("assistant", call("c", signature=SIGNED), origin=ELSEWHERE)
    asked = request(HI, given, other_key, model=model)
    told = parts_of(*asked.messages, model=model)
    assert [part.get("thoughtSignature") for part in told[1]] == [None, proof, None]
    assert [part.get("thoughtSignature") for part in told[3]] == [proof]
    assert notices(asked) == ["signature_dropped"]


@pytest.mark.requirement("gemini:request:provenance")
def test_kept_parts_go_back_to_their_own_family_and_maker_alone() -> None:
    own = Kept("gemini", "executableCode", Raw(b'{"executableCode":{"code":"1.0"}}'))
    foreign = Kept("anthropic_messages", "server_tool_use", Raw(b"{}"))
    told = parts_of(HI, message("assistant", own, foreign, Refusal("No."), origin=ORIGIN))
    assert told[1] == [{"executableCode": {"code": "1.0"}}, {"text": "No."}]
    asked = request(HI, message("assistant", own, "x", foreign, origin=ELSEWHERE))
    assert parts_of(*asked.messages)[1] == [{"text": "x"}]
    assert notices(asked) == ["part_dropped", "part_dropped"]


@pytest.mark.requirement("gemini:request:arguments")
@pytest.mark.parametrize(
    ("arguments", "freeform", "args"),
    [
        ("", False, {}),
        ('{"n": 1.0}', False, {"n": 1.0}),
        ('{"n":', False, {}),
        ("[]", False, {}),
        ("SELECT 1", True, {"input": "SELECT 1"}),
    ],
)
def test_arguments_are_an_object(arguments: str, freeform: bool, args: object) -> None:
    told = parts_of(HI, message("assistant", call("a", "look", arguments, freeform=freeform, signature=SIGNED)))
    assert json.loads(json.dumps(told[1][0]["functionCall"]))["args"] == args


@pytest.mark.requirement("gemini:request:media")
def test_media_travel_inside_or_by_their_address() -> None:
    given = message(
        "user",
        Image(Inline(b"\0\1")),
        Image(Inline(b"x"), name="a.webp"),
        File(Inline(b"x"), "application/pdf"),
        Image(Url("https://example.org/a.jpg?x=1")),
        File(Uploaded("gemini", "https://generativelanguage.googleapis.com/v1beta/files/a"), "audio/mp3"),
    )
    assert parts_of(given)[0] == [
        {"inlineData": {"mimeType": "image/png", "data": "AAE="}},
        {"inlineData": {"mimeType": "image/webp", "data": "eA=="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "eA=="}},
        {"fileData": {"fileUri": "https://example.org/a.jpg?x=1", "mimeType": "image/jpeg"}},
        {
            "fileData": {
                "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a",
                "mimeType": "audio/mp3",
            }
        },
    ]


@pytest.mark.requirement("gemini:request:media")
def test_media_of_others_are_named_in_the_text_and_it_is_said() -> None:
    given = request(
        message("user", File(Uploaded("openai_chat", "file-1"), name="a.pdf"), Image(Url("https://x"), detail="low")),
        message("user", File(Inline(b""), "text/plain")),
    )
    assert parts_of(*given.messages)[0][0] == {"text": "[file a.pdf]"}
    assert parts_of(*given.messages)[0][-1] == {"text": "[file text/plain]"}
    assert notices(given) == ["part_dropped", "detail_dropped", "part_dropped"]


TOOLS = (ToolSpec("look", "Looks."), ToolSpec("now", strict=True))


@pytest.mark.requirement("gemini:request:tool_choice")
@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (NamedTool("look"), {"mode": "ANY", "allowedFunctionNames": ["look"]}),
        (AllowedTools("required", ("look", "now")), {"mode": "ANY", "allowedFunctionNames": ["look", "now"]}),
        (AllowedTools("auto", ("look", "gone")), {"mode": "VALIDATED", "allowedFunctionNames": ["look"]}),
    ],
)
def test_each_choice_of_tools_has_its_mode(choice: ToolChoice, config: object) -> None:
    asked = msgspec.structs.replace(request(), tools=TOOLS, tool_choice=choice)
    assert body(asked)["toolConfig"] == {"functionCallingConfig": config}


@pytest.mark.requirement("gemini:request:tool_choice")
@pytest.mark.parametrize("choice", [NamedTool("typed"), AllowedTools("auto", ()), AllowedTools("required", ("typed",))])
def test_a_choice_of_nothing_that_could_be_offered_is_no_call(choice: ToolChoice) -> None:
    tools = (ToolSpec("look"), ToolSpec("typed", freeform=True))
    asked = msgspec.structs.replace(request(), tools=tools, tool_choice=choice)
    assert body(asked)["toolConfig"] == {"functionCallingConfig": {"mode": "NONE"}}
    assert notices(asked) == ["tool_dropped"]


def test_a_choice_left_open_says_no_more_than_what_is_strict() -> None:
    assert body(msgspec.structs.replace(request(), tools=TOOLS))["toolConfig"] == {
        "functionCallingConfig": {"mode": "VALIDATED"}
    }
    plain = msgspec.structs.replace(request(), tools=TOOLS[:1])
    assert "toolConfig" not in body(plain)
    assert body(msgspec.structs.replace(request(), tool_choice="none")) == body(request())


@pytest.mark.requirement("gemini:request:declarations")
def test_tools_are_declared_with_json_schema_and_what_cannot_be_is_said() -> None:
    schema = Raw(b'{"type":"object","properties":{"n":{"type":["integer","null"]}}}')
    tools = (ToolSpec("look", "Looks.", schema), ToolSpec("sql", freeform=True), ToolSpec("x" * 129))
    asked = msgspec.structs.replace(request(), tools=tools, parallel_calls=False)
    assert body(asked)["tools"] == [
        {
            "functionDeclarations": [
                {"name": "look", "description": "Looks.", "parametersJsonSchema": json.loads(bytes(schema))}
            ]
        }
    ]
    assert notices(asked) == ["tool_dropped", "tool_dropped", "parallel_calls_dropped"]


@pytest.mark.requirement("gemini:request:names")
@pytest.mark.parametrize("name", ["look", "1st", "-x", "a b/ü", "x:y", "_", "a.b:c-d", "\U0001f600", "a:20:b"])
def test_names_of_tools_are_made_fit_and_lead_back(name: str) -> None:
    asked = msgspec.structs.replace(request(), tools=(ToolSpec(name),), tool_choice=NamedTool(name))
    config = json.loads(json.dumps(body(asked)["toolConfig"]))["functionCallingConfig"]
    assert config["allowedFunctionNames"] == [encode_name(name)]
    assert decode_name(encode_name(name)) == name


@pytest.mark.requirement("gemini:request:names")
@pytest.mark.parametrize("name", ["x:", "x::", "x:a:110000000000:b", "x:20"])
def test_strange_names_of_a_host_do_no_harm(name: str) -> None:
    assert decode_name(name) is not None


@pytest.mark.requirement("gemini:request:thinking")
@pytest.mark.parametrize(
    ("model", "asked", "config", "said"),
    [
        ("gemini-3-pro", ReasoningAsk("low"), {"thinkingLevel": "LOW"}, []),
        ("gemini-3-pro", ReasoningAsk("max", show=True), {"includeThoughts": True, "thinkingLevel": "XHIGH"}, []),
        ("gemini-3-pro", ReasoningAsk("none"), {"thinkingLevel": "LOW"}, ["reasoning_not_off"]),
        ("gemini-3.5-flash", ReasoningAsk("none"), {"thinkingLevel": "MINIMAL"}, ["reasoning_not_off"]),
        ("gemini-3.1-flash-lite", ReasoningAsk("minimal"), {"thinkingLevel": "MINIMAL"}, []),
        ("gemini-3.8-flash", ReasoningAsk("minimal"), {"thinkingLevel": "LOW"}, ["reasoning_effort_changed"]),
        ("gemini-2.5-pro", ReasoningAsk("none"), {"thinkingBudget": 128}, ["reasoning_not_off"]),
        ("gemini-2.5-pro", ReasoningAsk(budget=0), {"thinkingBudget": 128}, ["reasoning_not_off"]),
        ("gemini-3-pro", ReasoningAsk("high", 100), {"thinkingBudget": 100}, ["reasoning_effort_dropped"]),
        ("gemini-flash-latest", ReasoningAsk("minimal"), {"thinkingLevel": "LOW"}, ["reasoning_effort_changed"]),
        ("gemini-pro-latest", ReasoningAsk("low"), {"thinkingLevel": "LOW"}, []),
        ("models/gemini-2.5-flash", ReasoningAsk("medium"), {"thinkingBudget": 8192}, []),
        ("gemini-2.5-flash", ReasoningAsk("none"), {"thinkingBudget": 0}, []),
        ("gemini-2.5-flash", ReasoningAsk(budget=-1), {"thinkingBudget": -1}, []),
        ("gemini-2.0-flash", ReasoningAsk("high", show=True), None, ["reasoning_dropped"]),
        ("gemini-2.0-flash", ReasoningAsk(show=True), None, []),
        ("gemma-3-27b", ReasoningAsk(budget=5), None, ["reasoning_dropped"]),
        ("gemini-3-pro", ReasoningAsk(), None, []),
    ],
)
def test_thinking_is_asked_for_as_the_model_takes_it(
    model: str, asked: ReasoningAsk, config: object, said: list[str]
) -> None:
    wanted = Request(model, (HI,), reasoning=asked)
    sent = json.loads(encode(wanted).body).get("generationConfig", {})
    assert sent.get("thinkingConfig") == config
    assert notices(wanted) == said


@pytest.mark.requirement("gemini:request:generation_config")
def test_parameters_have_their_places() -> None:
    asked = msgspec.structs.replace(
        request(),
        max_output=9,
        sampling=Sampling(0.5, 0.9, 40, 7, ("END",)),
        output_format=OutputFormat("json_schema", "x", Raw(b'{"type":"object"}')),
    )
    assert body(asked)["generationConfig"] == {
        "maxOutputTokens": 9,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "seed": 7,
        "stopSequences": ["END"],
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }


@pytest.mark.requirement("gemini:request:extra")
def test_fields_of_this_language_are_passed_on_but_never_over_ours() -> None:
    own = {
        "safetySettings": Raw(b"[]"),
        "contents": Raw(b"[]"),
        "generationConfig": Raw(b'{"seed":1,"presencePenalty":2}'),
        "tools": Raw(b'[{"googleSearch":{}}]'),
    }
    asked = Request(
        "m", (HI,), (TOOLS[0],), sampling=Sampling(seed=7), extra={"gemini": own, "ollama": {"keep_alive": Raw(b"1")}}
    )
    sent = body(asked)
    assert sent["contents"] == [{"role": "user", "parts": [{"text": "Hi"}]}]
    assert sent["generationConfig"] == {"seed": 7, "presencePenalty": 2}
    assert [next(iter(tool)) for tool in json.loads(json.dumps(sent["tools"]))] == [
        "functionDeclarations",
        "googleSearch",
    ]
    assert sent["safetySettings"] == []
    assert notices(asked) == ["fields_dropped"]


def test_half_an_emoji_does_not_spoil_a_request() -> None:
    assert parts_of(message("user", "Hi \ud83d")) == [[{"text": "Hi \ufffd"}]]


@pytest.mark.requirement("gemini:models")
def test_the_models_that_answer_are_listed_by_their_bare_names() -> None:
    listed = {
        "models": [
            {"name": "models/gemini-3-pro", "supportedGenerationMethods": ["generateContent", "countTokens"]},
            {"name": "models/embedding-1", "supportedGenerationMethods": ["embedContent"]},
            {"name": "tunedModels/mine"},
            {"name": None},
        ],
        "nextPageToken": "x",
    }
    assert LANGUAGE.decode_models(json.dumps(listed).encode()) == ("gemini-3-pro", "tunedModels/mine")
    assert LANGUAGE.models_path == "/models?pageSize=1000"
