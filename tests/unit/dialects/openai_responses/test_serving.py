"""Our answers as the official client reads them."""

import json
from typing import get_args

import pytest
from msgspec import Raw
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from parlance.core.errors import Fault
from parlance.core.events import (
    Event,
    PartAnnotated,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    RefusalGrew,
    StepDropped,
    StepEnded,
    StepStarted,
    TextGrew,
    ToolCalled,
    TurnEnded,
    TurnStarted,
    Warned,
)
from parlance.core.ids import CallId, MessageId, TurnId
from parlance.core.json import JsonObject
from parlance.core.parts import (
    Annotation,
    Kept,
    Reasoning,
    Refusal,
    Signature,
    Text,
    ToolCall,
)
from parlance.core.usage import Usage
from parlance.dialects.openai_responses.serve import TurnFrames, decode_request, encode_answer
from parlance.dialects.openai_responses.told import echo_request
from tests.unit.dialects.openai_chat.told import ORIGIN, call, call_events, text_events, turn

USAGE = Usage(7, 3, cached=2, reasoning=1)
ECHO = echo_request({})
EVENTS: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
FOREIGN = Signature("anthropic_messages", "Zm9y")


def frames(events: list[Event], echo: dict[str, Raw] = ECHO) -> list[JsonObject]:
    """The events' data, each checked against the official client's types and the rules of all frames."""
    *told, done, empty = TurnFrames(created=5, echo=echo).encode(events).decode().split("\n\n")
    assert (done, empty) == ("data: [DONE]", "")
    decoded: list[JsonObject] = []
    for number, frame in enumerate(told):
        name, data = frame.split("\n")
        one = json.loads(data.removeprefix("data: "))
        assert name == f"event: {one['type']}"
        assert one["sequence_number"] == number
        EVENTS.validate_python(one)
        decoded.append(one)
    return decoded


def final(told: list[JsonObject]) -> Response:
    """What the official client puts together."""
    state: ResponseStreamState[object] = ResponseStreamState(text_format=omit, input_tools=omit)
    for one in told:
        state.handle_event(EVENTS.validate_python(one))
    assert state._completed_response is not None
    return state._completed_response


def kinds(told: list[JsonObject]) -> list[str]:
    return [str(one["type"]).removeprefix("response.") for one in told]


def items(told: list[JsonObject]) -> list[JsonObject]:
    output: list[JsonObject] = json.loads(json.dumps(told[-1]["response"]))["output"]
    return output


@pytest.mark.requirement("openai_responses:serve:order")
def test_a_text_is_an_item_with_one_part() -> None:
    told = frames(turn(*text_events(0, "Hello"), usage=USAGE))
    assert kinds(told) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert told[4]["logprobs"] == []
    answer = final(told)
    assert (answer.id, answer.model, answer.output_text) == ("resp_t1", "model-1", "Hello")
    assert answer.usage is not None
    assert (answer.usage.total_tokens, answer.usage.input_tokens_details.cached_tokens) == (10, 2)


@pytest.mark.requirement("openai_responses:serve:items")
def test_every_kind_of_part_is_told_as_the_client_knows_it() -> None:
    proof = Signature("openai_responses", "gAAA", "rs_9")
    path: JsonObject = {"type": "file_path", "file_id": "f", "index": 0}
    cited = Text("so", (Annotation("openai_responses", "file_path", Raw(json.dumps(path).encode())),))
    item: JsonObject = {"type": "image_generation_call", "id": "i", "status": "completed", "result": "eA=="}
    image = Kept("openai_responses", "image_generation_call", Raw(json.dumps(item).encode()))
    freeform = ToolCall(CallId("c"), "type", "ls", freeform=True)
    told = frames(
        turn(
            PartOpened(0, Reasoning("")),
            ReasoningGrew(0, "hm"),
            PartClosed(0, Reasoning("hm", proof)),
            PartOpened(1, Reasoning("", redacted=True)),
            PartClosed(1, Reasoning("", FOREIGN, redacted=True)),
            PartOpened(2, image),
            PartClosed(2, image),
            PartOpened(3, Text("")),
            TextGrew(3, "so"),
            PartAnnotated(3, cited.annotations[0]),
            PartAnnotated(3, Annotation("gemini", "x", Raw(b"{}"))),
            PartClosed(3, cited),
            PartOpened(4, Refusal("")),
            RefusalGrew(4, "No."),
            PartClosed(4, Refusal("No.")),
            *call_events(5, call("a", arguments='{"b":1}')),
            *call_events(6, freeform),
            finish="tool_calls",
        )
    )
    thought, sealed, kept, text, refusal, made, typed = items(told)
    assert thought["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert (thought["encrypted_content"], thought["parlance_id"]) == ("gAAA", "rs_9")
    assert (sealed["summary"], sealed["encrypted_content"]) == ([], "parlance:anthropic_messages:Zm9y")
    assert kept == item
    assert text["content"] == [{"type": "output_text", "annotations": [path], "logprobs": [], "text": "so"}]
    assert refusal["content"] == [{"type": "refusal", "refusal": "No."}]
    assert (made["type"], made["call_id"], made["arguments"]) == ("function_call", "a", '{"b":1}')
    assert (typed["type"], typed["call_id"], typed["input"]) == ("custom_tool_call", "c", "ls")
    assert len(final(told).output) == 7
    assert [one["annotation_index"] for one in told if "annotation_index" in one] == [0]


def test_parts_that_grow_at_once_are_told_at_once() -> None:
    first, second = text_events(0, "Hello"), call_events(1, call("a"))
    told = frames(turn(first[0], second[0], first[1], second[1], second[2], first[2], finish="tool_calls"))
    grown = [(one["output_index"], one["delta"]) for one in told if "delta" in one]
    assert grown == [(0, "Hello"), (1, "{}")]
    assert [item["type"] for item in items(told)] == ["message", "function_call"]
    final(told)


@pytest.mark.requirement("openai_responses:serve:servers_calls")
def test_the_servers_calls_are_not_shown_and_steps_make_one_response() -> None:
    step = turn(*text_events(0, "a"), *call_events(1, call("s", "clock"), "server"), finish="tool_calls")[:-1]
    events = [*step, StepStarted(2, ORIGIN), *text_events(2, "b"), StepEnded(2, "stop", MessageId("n"))]
    told = frames([*events, TurnEnded("completed", "stop")])
    assert [one["output_index"] for one in told if one["type"] == "response.output_item.added"] == [0, 1]
    assert final(told).output_text == "ab"


def test_what_is_void_or_has_no_word_is_left_out() -> None:
    kept = Kept("gemini", "codeExecutionResult", Raw(b"{}"))
    events = [*turn(*text_events(0, "void"))[:-2], StepDropped(1, "again"), StepStarted(2, ORIGIN), Warned("x", "y")]
    events += [PartOpened(1, kept), PartClosed(1, kept), *text_events(2, "good"), TurnEnded("completed", "stop")]
    assert [item["content"] for item in items(frames(events))] == [
        [{"type": "output_text", "annotations": [], "logprobs": [], "text": "good"}]
    ]


def test_a_log_that_was_trimmed_is_told_from_its_wholes() -> None:
    events = turn(
        PartClosed(0, Reasoning("hm")),
        PartOpened(1, Text("Hel")),
        TextGrew(1, "lo"),
        PartClosed(1, Text("Hello")),
        PartClosed(2, call("s", "clock")),
        PartClosed(3, call("a")),
        finish="tool_calls",
    )
    events[-1:] = [ToolCalled(call("s", "clock"), "server"), ToolCalled(call("a"), "client"), events[-1]]
    told = frames(events)
    assert [item["type"] for item in items(told)] == ["reasoning", "message", "function_call"]
    assert final(told).output_text == "Hello"


@pytest.mark.requirement("openai_responses:serve:endings")
@pytest.mark.parametrize(
    ("finish", "kind", "reason"),
    [
        ("stop", "completed", None),
        ("unknown", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("filtered", "incomplete", "content_filter"),
    ],
)
def test_a_turn_ends_as_its_response_does(finish: str, kind: str, reason: str | None) -> None:
    last = frames(turn(*text_events(0, "Hi"), finish=finish))[-1]  # type: ignore[arg-type]  # from a parameter
    response = json.loads(json.dumps(last["response"]))
    assert (last["type"], response["status"]) == (f"response.{kind}", kind)
    assert response["incomplete_details"] == (reason and {"reason": reason})


@pytest.mark.requirement("openai_responses:serve:failure")
@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled"])
def test_a_failure_is_an_error_and_a_failed_response(status: str) -> None:
    fault = None if status == "cancelled" else Fault("upstream_truncated", "Cut off.", retryable=True)
    ended = TurnEnded(status, fault=fault)  # type: ignore[arg-type]  # from a parameter
    *_, error, failed = frames(turn(*text_events(0, "Hel"), status=ended))
    assert error["type"] == "error"
    assert error["message"]
    response = json.loads(json.dumps(failed["response"]))
    assert (failed["type"], response["status"]) == ("response.failed", "failed")
    assert response["error"] == {"code": "server_error", "message": error["message"]}


def test_a_turn_that_fails_before_its_first_step_is_told_from_created_on() -> None:
    events: list[Event] = [TurnStarted(TurnId("t1"), "m"), TurnEnded("failed", fault=Fault("x", "y"))]
    assert kinds(frames(events)) == ["created", "in_progress", "error", "failed"]


@pytest.mark.requirement("openai_responses:serve:echo")
def test_the_response_shows_its_request() -> None:
    given: JsonObject = {"model": "m", "input": "Hi", "instructions": "Be brief.", "temperature": 0.5, "store": True}
    given |= {"text": {"verbosity": "low"}, "metadata": {"a": "b"}}
    asked = decode_request(json.dumps(given).encode())
    response = json.loads(json.dumps(frames(turn(), asked.echo)[0]["response"]))
    assert (response["instructions"], response["temperature"], response["store"]) == ("Be brief.", 0.5, False)
    assert response["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert response["metadata"] == {"a": "b"}
    assert "input" not in response
    missing = {name for name, field in Response.model_fields.items() if type(None) not in get_args(field.annotation)}
    assert missing <= response.keys()


def test_half_a_surrogate_pair_does_not_end_a_stream() -> None:
    assert "a\ufffd" in [one.get("delta") for one in frames(turn(*text_events(0, "a\ud83d")))]


@pytest.mark.requirement("openai_responses:serve:whole")
def test_a_whole_answer_is_the_response_that_the_stream_ended_with() -> None:
    events = turn(*text_events(0, "Hi"), *call_events(1, call("a")), finish="tool_calls", usage=USAGE)
    whole = json.loads(encode_answer(events, created=5, echo=ECHO))
    Response.model_validate(whole)
    assert whole == frames(events)[-1]["response"]
