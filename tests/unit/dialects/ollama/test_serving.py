"""Our answers as the official client reads them, and requests as clients send them."""

import json

import pytest
from msgspec import Raw
from ollama import ChatResponse

from parlance.core.errors import Fault, InvalidJson, InvalidRequest
from parlance.core.events import Event, PartClosed, PartOpened, ReasoningGrew, StepDropped, StepStarted, TurnEnded
from parlance.core.json import JsonObject
from parlance.core.parts import Image, Inline, Kept, Reasoning, Text, ToolCall, ToolResult
from parlance.core.requests import OutputFormat, ReasoningAsk, Sampling
from parlance.core.usage import Usage
from parlance.dialects.ollama.serve import OllamaAsk, TurnLines, decode_request
from tests.unit.dialects.openai_chat.told import ORIGIN, call, call_events, text_events, turn

AT = "2026-01-02T03:04:05Z"
MESSAGES = [{"role": "user", "content": "Hi"}]


def lines(events: list[Event]) -> list[JsonObject]:
    body = TurnLines(created_at=AT).encode(events)
    assert body.endswith(b"\n")
    told: list[JsonObject] = [json.loads(line) for line in body.split(b"\n")[:-1]]
    for line in told:
        if "error" not in line:
            ChatResponse.model_validate(line)
    return told


def said(told: list[JsonObject]) -> list[object]:
    return [
        {name: value for name, value in json.loads(json.dumps(line["message"])).items() if name != "role" and value}
        for line in told
    ]


def decode(**fields: object) -> OllamaAsk:
    return decode_request(json.dumps({"model": "m", "messages": MESSAGES} | fields).encode())


@pytest.mark.requirement("ollama:serve:order")
def test_a_stream_is_lines_of_text_and_one_that_is_done() -> None:
    told = lines(turn(*text_events(0, "Hello"), usage=Usage(7, 3, cached=2)))
    assert told == [
        {"model": "model-1", "created_at": AT, "message": {"role": "assistant", "content": "Hello"}, "done": False},
        {
            "model": "model-1",
            "created_at": AT,
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 7,
            "eval_count": 3,
        },
    ]


def test_thoughts_and_calls_have_their_own_places() -> None:
    thought: list[Event] = [PartOpened(0, Reasoning("")), ReasoningGrew(0, "Hm"), PartClosed(0, Reasoning("Hm"))]
    told = lines(turn(*thought, *call_events(1, call("a", arguments='{"n": 1.0}')), finish="tool_calls"))
    calls = [{"function": {"name": "look", "arguments": {"n": 1.0}}, "id": "a"}]
    assert said(told) == [{"thinking": "Hm"}, {"tool_calls": calls}, {}]
    assert told[-1]["done_reason"] == "stop"


def test_what_is_not_of_the_part_being_told_waits() -> None:
    events: list[Event] = [
        PartOpened(0, call("a"), "client"),
        *text_events(1, "behind"),
        PartClosed(0, call("a")),
    ]
    assert [list(one) for one in map(dict, map(_fields, said(lines(turn(*events, finish="tool_calls")))))] == [
        ["tool_calls"], ["content"], [],
    ]  # fmt: skip


def _fields(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


@pytest.mark.requirement("ollama:serve:calls")
def test_the_servers_calls_are_not_shown_and_half_ones_only_when_the_step_ended_well() -> None:
    events = [*call_events(0, call("s", "clock"), "server"), *call_events(1, call("a", arguments='{"x"'))]
    assert said(lines(turn(*events, finish="length")))[:-1] == []
    wrapped = {"function": {"name": "look", "arguments": {"input": '{"x"'}}, "id": "a"}
    assert said(lines(turn(*events, finish="tool_calls")))[:-1] == [{"tool_calls": [wrapped]}]
    assert said(lines(turn(*call_events(0, call("a", arguments="")), finish="tool_calls")))[:-1] == [
        {"tool_calls": [{"function": {"name": "look", "arguments": {}}, "id": "a"}]}
    ]


def test_what_has_no_word_is_left_out() -> None:
    kept = Kept("gemini", "code", Raw(b"{}"))
    assert said(lines(turn(PartOpened(0, kept), PartClosed(0, kept)))) == [{}]


@pytest.mark.requirement("ollama:serve:failure")
def test_a_failure_in_mid_stream_is_an_error_line_and_nothing_is_done() -> None:
    told = lines(turn(*text_events(0, "Hel"), status=TurnEnded("failed", fault=Fault("upstream_failed", "It broke."))))
    assert told[-1] == {"error": "It broke."}
    assert not any(line.get("done") for line in told)
    cancelled = lines(turn(status=TurnEnded("cancelled")))
    assert cancelled == [{"error": "The turn was cancelled before the answer was whole."}]


def test_a_dropped_step_leaves_nothing_waiting() -> None:
    fold = TurnLines(created_at=AT)
    opened: list[Event] = [StepStarted(1, ORIGIN), PartOpened(0, Text("")), *text_events(1, "void")]
    assert fold.encode([*opened, StepDropped(1, "broke"), StepStarted(2, ORIGIN)]) == b""
    assert b"good" in fold.encode(text_events(2, "good"))


@pytest.mark.requirement("ollama:door:request")
def test_every_field_of_a_request_is_read() -> None:
    tool = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}
    options = {
        "num_predict": 9,
        "temperature": 0.5,
        "top_p": 1,
        "top_k": 3,
        "seed": 7,
        "stop": ["END"],
        "num_ctx": 4096,
    }
    asked = decode(tools=[tool], options=options, format="json", think="high", keep_alive="5m")
    request = asked.request
    assert asked.stream
    assert (request.model, request.max_output) == ("m", 9)
    assert request.sampling == Sampling(0.5, 1.0, 3, 7, ("END",))
    assert request.tools[0].name == "look"
    assert request.output_format == OutputFormat("json")
    assert request.reasoning == ReasoningAsk("high", show=True)
    kept = {name: bytes(raw) for name, raw in request.extra["ollama"].items()}
    assert kept == {"keep_alive": b'"5m"', "options": b'{"num_ctx":4096}'}


@pytest.mark.parametrize(
    ("fields", "ask"),
    [
        ({}, ReasoningAsk(show=True)),
        ({"think": False}, ReasoningAsk("none")),
        ({"think": True}, ReasoningAsk(show=True)),
        ({"think": "max"}, ReasoningAsk("max", show=True)),
    ],
)
def test_thinking_is_read_in_each_form(fields: dict[str, object], ask: ReasoningAsk) -> None:
    assert decode(**fields).request.reasoning == ask


def test_a_request_streams_unless_it_says_otherwise() -> None:
    assert decode(stream=True).stream
    assert not decode(stream=False).stream
    assert decode(options={"num_predict": -1}).request.max_output is None
    assert decode(format="").request.output_format is None


@pytest.mark.requirement("ollama:door:history")
def test_results_find_their_calls_by_id_by_name_or_by_order() -> None:
    calls = [{"function": {"name": name, "arguments": {"n": 1.0}}} for name in ("look", "clock", "look")]
    calls[2]["id"] = "given"  # type: ignore[assignment]  # a call as newer servers give it
    history = [
        {"role": "user", "content": "See", "images": ["iVBORw=="]},
        {"role": "assistant", "content": "", "thinking": "Hm", "tool_calls": calls},
        {"role": "tool", "content": "third", "tool_call_id": "given"},
        {"role": "tool", "content": "second", "tool_name": "clock"},
        {"role": "tool", "content": "first"},
    ]
    request = decode(messages=history).request
    assert request.messages[0].parts == (Text("See"), Image(Inline(b"\x89PNG")))
    thought, *made = request.messages[1].parts
    assert thought == Reasoning("Hm")
    ids = [part.id for part in made if isinstance(part, ToolCall)]
    results = [part for one in request.messages[2:] for part in one.parts if isinstance(part, ToolResult)]
    assert [one.call_id for one in results] == [ids[2], ids[1], ids[0]]
    assert [one.name for one in results] == ["look", "clock", "look"]
    assert made[0] == ToolCall(ids[0], "look", '{"n": 1.0}')


@pytest.mark.requirement("ollama:door:refused")
@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": ""}, "$.model"),
        ({"messages": []}, "$.messages"),
        ({"messages": [{"role": "robot", "content": ""}]}, "$.messages[0].role"),
        ({"messages": [{"role": "user", "content": "", "images": ["?"]}]}, "$.messages[0].images[0]"),
        ({"messages": [{"role": "tool", "content": ""}]}, "$.messages[0]"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "", "arguments": {}}}]}]},
            "$.messages[0].tool_calls[0].function.name",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "{}"}}]}]},
            "$.messages[0].tool_calls[0].function.arguments",
        ),
        ({"think": "much"}, "$.think"),
        ({"format": "xml"}, "$.format"),
        ({"format": 7}, "$.format"),
        ({"options": {"temperature": "hot"}}, "$.options.temperature"),
    ],
)
def test_what_can_not_be_served_is_refused_with_its_place(fields: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(**fields)
    assert caught.value.fields[0].path == path


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidJson):
        decode_request(b'{"model":')
