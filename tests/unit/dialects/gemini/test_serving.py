"""The server's side: a turn's events as chunks, and requests of clients."""

import json

import pytest
from msgspec import Raw

from parlance.core.errors import Fault, InvalidJson, InvalidRequest
from parlance.core.events import (
    Event,
    PartAnnotated,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    RefusalGrew,
    TextGrew,
    TurnEnded,
)
from parlance.core.parts import (
    Annotation,
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
from parlance.core.requests import AllowedTools, NamedTool, ReasoningAsk, Request, Sampling, ToolChoice
from parlance.core.usage import Finish, Usage
from parlance.dialects.gemini.projection import project
from parlance.dialects.gemini.serve import decode_request, encode_models
from parlance.dialects.gemini.speak import LANGUAGE
from tests.unit.dialects.gemini.told import call, call_events, chunks, message, said, text_events, turn


@pytest.mark.requirement("gemini:serve:order")
def test_text_is_told_as_it_grows_and_the_end_with_its_reason_and_usage() -> None:
    told = chunks(turn(*text_events(0, "Hi"), usage=Usage(7, 5, cached=3, reasoning=2)))
    assert told[0] == {
        "candidates": [{"content": {"parts": [{"text": "Hi"}], "role": "model"}, "index": 0}],
        "modelVersion": "model-1",
        "responseId": "t1",
    }
    assert told[1]["candidates"] == [{"content": {"parts": [], "role": "model"}, "finishReason": "STOP", "index": 0}]
    assert told[1]["usageMetadata"] == {
        "promptTokenCount": 7,
        "candidatesTokenCount": 3,
        "totalTokenCount": 12,
        "thoughtsTokenCount": 2,
        "cachedContentTokenCount": 3,
    }
    assert len(told) == 2


@pytest.mark.requirement("gemini:serve:order")
def test_what_opens_beside_an_open_part_waits_until_that_is_closed() -> None:
    called = call("a", arguments='{"n":1}')
    opened, grew, closed = call_events(0, called)
    events = [opened, PartOpened(1, Text("")), grew, TextGrew(1, "then"), closed, PartClosed(1, Text("then"))]
    assert said(turn(*events, finish="tool_calls")) == [
        {"functionCall": {"id": "a", "name": "look", "args": {"n": 1}}},
        {"text": "then"},
    ]


@pytest.mark.requirement("gemini:serve:calls")
def test_only_the_clients_calls_are_told_and_none_whose_arguments_are_no_object() -> None:
    events = [
        *call_events(0, call("a"), "server"),
        *call_events(1, call("b", arguments="SELECT", freeform=True)),
        *call_events(2, call("c", arguments="[")),
    ]
    told = chunks(turn(*events, finish="tool_calls"))
    assert len(told) == 1
    assert json.loads(json.dumps(told[0]["candidates"]))[0]["finishReason"] == "TOOL_CALLS"
    laid_out = call("d", arguments='{\n  "n": 1.0\r\n}')
    assert said(turn(*call_events(0, laid_out), *call_events(1, call("e", arguments="")))) == [
        {"functionCall": {"id": "d", "name": "look", "args": {"n": 1.0}}},
        {"functionCall": {"id": "e", "name": "look"}},
    ]


@pytest.mark.requirement("gemini:serve:signatures")
def test_signatures_and_what_only_this_family_knows_are_told_in_their_places() -> None:
    own, foreign = Signature("gemini", "AAAA", "id"), Signature("openai_chat", "zzz")
    mark = Annotation("gemini", "groundingMetadata", Raw(b'{"a":1}'))
    cited = Text(
        "x", (mark, Annotation("gemini", "other", Raw(b"1")), Annotation("ollama", "citationMetadata", Raw(b"1"))), own
    )
    kept = Kept("gemini", "executableCode", Raw(b'{"executableCode":{"code":"1"}}'))
    events: list[Event] = [
        PartOpened(0, Reasoning("")),
        ReasoningGrew(0, "Hm"),
        PartClosed(0, Reasoning("Hm", own)),
        PartOpened(1, Text("")),
        TextGrew(1, "x"),
        PartAnnotated(1, mark),
        PartClosed(1, cited),
        PartOpened(2, kept),
        PartClosed(2, kept),
        PartOpened(3, Kept("ollama", "x", Raw(b"1"))),
        PartClosed(3, Kept("ollama", "x", Raw(b"1"))),
        *call_events(4, call("a", signature=foreign)),
        PartOpened(5, Refusal("")),
        RefusalGrew(5, "No."),
        PartClosed(5, Refusal("No.")),
    ]
    told = chunks(turn(*events))
    assert said(turn(*events)) == [
        {"text": "Hm", "thought": True},
        {"text": "", "thought": True, "thoughtSignature": "AAAA"},
        {"text": "x"},
        {"text": "", "thoughtSignature": "AAAA"},
        {"executableCode": {"code": "1"}},
        {
            "functionCall": {"id": "a", "name": "look", "args": {}},
            "thoughtSignature": "cGFybGFuY2U6b3BlbmFpX2NoYXQ6enp6",
        },
        {"text": "No."},
    ]
    assert [json.loads(json.dumps(one["candidates"]))[0].get("groundingMetadata") for one in told][3] == {"a": 1}


@pytest.mark.requirement("gemini:law")
def test_annotations_of_this_family_come_back_with_their_text() -> None:
    mark = Annotation("gemini", "groundingMetadata", Raw(b'{"a":1}'))
    whole = Text("x", (mark,), Signature("gemini", "AAAA"))
    events = turn(PartOpened(0, Text("")), TextGrew(0, "x"), PartAnnotated(0, mark), PartClosed(0, whole))
    speaker = LANGUAGE.speaker(host="lab", quirks=frozenset())
    deltas = [delta for one in chunks(events) for delta in speaker.feed(json.dumps(one).encode())]
    assert [type(delta).__name__ for delta in deltas] == ["Began", "TextDelta", "Annotated", "Signed"]
    assert project(message("assistant", whole)).parts == (whole,)
    alone = message("assistant", Text("", (mark,)))
    assert project(alone).parts == alone.parts


@pytest.mark.requirement("gemini:serve:finish")
@pytest.mark.parametrize(
    ("finish", "word"),
    [
        ("stop", "STOP"),
        ("length", "MAX_TOKENS"),
        ("filtered", "SAFETY"),
        ("continue", "CONTINUATION"),
        ("error", "OTHER"),
        ("unknown", "FINISH_REASON_UNSPECIFIED"),
    ],
)
def test_each_finish_has_its_word(finish: Finish, word: str) -> None:
    last = chunks(turn(finish=finish))[-1]
    assert json.loads(json.dumps(last["candidates"]))[0]["finishReason"] == word


@pytest.mark.requirement("gemini:serve:failure")
@pytest.mark.parametrize(
    ("ended", "code", "name"),
    [
        (
            TurnEnded("failed", None, None, Fault("upstream_rate_limited", "Slow down.", True, 7)),
            429,
            "RESOURCE_EXHAUSTED",
        ),
        (TurnEnded("incomplete", None, None, Fault("upstream_truncated", "Cut.", True)), 502, "UNAVAILABLE"),
        (TurnEnded("cancelled", None), 500, "INTERNAL"),
    ],
)
def test_a_failure_is_an_error_in_the_stream_and_nothing_follows(ended: TurnEnded, code: int, name: str) -> None:
    error = json.loads(json.dumps(chunks(turn(*text_events(0, "Hi"), status=ended))[-1]))["error"]
    assert (error["code"], error["status"]) == (code, name)
    if code == 429:
        assert error["details"][-1]["retryDelay"] == "7s"


def test_models_are_listed_as_clients_want_them() -> None:
    assert LANGUAGE.decode_models(encode_models(["a", "b"])) == ("a", "b")
    methods = ["generateContent", "streamGenerateContent"]
    listed = json.loads(encode_models(["a"]))["models"]
    assert listed == [{"name": "models/a", "displayName": "a", "supportedGenerationMethods": methods}]


def decoded(**fields: object) -> Request:
    given = {"contents": [{"parts": [{"text": "Hi"}], "role": "user"}], **fields}
    return decode_request(json.dumps(given).encode(), model="m")


@pytest.mark.requirement("gemini:door:request")
def test_every_field_that_we_have_a_word_for_is_read() -> None:
    asked = decoded(
        systemInstruction={"parts": [{"text": "Be kind."}]},
        generationConfig={
            "maxOutputTokens": 9,
            "temperature": 0.5,
            "topP": 0.9,
            "topK": 40,
            "seed": 7,
            "stopSequences": ["END"],
            "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "HIGH"},
            "responseMimeType": "text/x.enum",
        },
        tools=[
            {
                "functionDeclarations": [
                    {
                        "name": "look",
                        "description": "Looks.",
                        "parameters": {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]},
                    },
                    {"name": "now"},
                ]
            }
        ],
        safetySettings=[],
    )
    assert (asked.model, asked.max_output, asked.sampling) == ("m", 9, Sampling(0.5, 0.9, 40, 7, ("END",)))
    assert asked.reasoning == ReasoningAsk("high", None, True)
    assert [one.role for one in asked.messages] == ["system", "user"]
    look, now = asked.tools
    assert json.loads(bytes(look.parameters)) == {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
    }
    assert (now.name, look.strict) == ("now", None)
    assert asked.extra == {
        "gemini": {"safetySettings": Raw(b"[]"), "generationConfig": Raw(b'{"responseMimeType":"text/x.enum"}')}
    }


@pytest.mark.requirement("gemini:door:request")
@pytest.mark.parametrize(
    ("config", "choice"),
    [
        ({}, "auto"),
        ({"mode": "AUTO"}, "auto"),
        ({"mode": "NONE"}, "none"),
        ({"mode": "ANY"}, "required"),
        ({"mode": "ANY", "allowedFunctionNames": ["a"]}, NamedTool("a")),
        ({"mode": "ANY", "allowedFunctionNames": ["a", "b"]}, AllowedTools("required", ("a", "b"))),
        ({"mode": "VALIDATED", "allowedFunctionNames": ["a"]}, AllowedTools("auto", ("a",))),
    ],
)
def test_each_mode_of_calling_is_a_choice(config: object, choice: ToolChoice) -> None:
    assert decoded(toolConfig={"functionCallingConfig": config}).tool_choice == choice


@pytest.mark.requirement("gemini:door:history")
def test_every_kind_of_part_is_read() -> None:
    asked = decoded(
        contents=[
            {"parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": "AAE="}}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Hm", "thought": True, "thoughtSignature": "AAAA"},
                    {"functionCall": {"name": "look"}, "thoughtSignature": "skip_thought_signature_validator"},
                    {"functionCall": {"name": "look", "id": "b", "args": {"n": 1.0}}},
                    {"toolCall": {"id": "t"}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "look", "id": "b", "response": {"error": "no"}}},
                    {"functionResponse": {"name": "look", "response": {"n": 1}}},
                    {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}},
                    {"fileData": {"fileUri": "https://example.org/a.pdf", "mimeType": "application/pdf"}},
                    {"executableCode": {}},
                ],
            },
        ]
    )
    first, model, *results, last = asked.messages
    assert first.parts == (Text("Hi"), Image(Inline(b"\0\1"), "image/png"))
    thought, look, again, kept = model.parts
    assert thought == Reasoning("Hm", Signature("gemini", "AAAA"))
    assert isinstance(look, ToolCall)
    assert (look.arguments, look.signature, look.upstream_id) == ("", None, None)
    assert isinstance(again, ToolCall)
    assert (again.id, again.arguments) == ("b", '{"n": 1.0}')
    assert kept == Kept("gemini", "toolCall", Raw(b'{"toolCall": {"id": "t"}}'))
    assert [one.parts[0] for one in results] == [
        ToolResult(again.id, "look", "no", is_error=True),
        ToolResult(look.id, "look", '{"n": 1}'),
    ]
    assert last.parts == (
        File(Uploaded("gemini", "https://generativelanguage.googleapis.com/v1beta/files/a")),
        File(Url("https://example.org/a.pdf"), "application/pdf"),
        Kept("gemini", "executableCode", Raw(b'{"executableCode": {}}')),
    )


@pytest.mark.requirement("gemini:door:refused")
@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"contents": []}, "$.contents"),
        ({"contents": [{"parts": [3]}]}, "$.contents[0].parts[0]"),
        ({"contents": [{"parts": [{"thought": True}]}]}, "$.contents[0].parts"),
        ({"contents": [{"parts": [{"inlineData": {"data": "?"}}]}]}, "$.contents[0].parts.inlineData.data"),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {}}}]}]},
            "$.contents[0].parts.functionResponse",
        ),
        ({"generationConfig": {"topP": "x"}}, "$.generationConfig.topP"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}}, "$.mode"),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_place(fields: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(**fields)
    assert caught.value.fields[0].path == path


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidJson):
        decode_request(b"{", model="m")
