"""Our answers as the official client reads them, and requests as clients send them."""

import json

import pytest
from anthropic import types
from anthropic.types.raw_message_stream_event import RawMessageStreamEvent
from msgspec import Raw
from msgspec.structs import replace
from pydantic import TypeAdapter

from parlance.core.errors import Fault, InvalidJson, InvalidRequest
from parlance.core.events import (
    Event,
    PartAnnotated,
    PartClosed,
    PartOpened,
    ReasoningGrew,
    RefusalGrew,
    StepDropped,
    StepEnded,
    TurnEnded,
    Warned,
)
from parlance.core.parts import (
    Annotation,
    CacheMark,
    File,
    Image,
    Inline,
    Kept,
    Reasoning,
    Refusal,
    Signature,
    Text,
    ToolCall,
    Uploaded,
    Url,
)
from parlance.core.requests import NamedTool, OutputFormat, ReasoningAsk, Sampling, ToolSpec
from parlance.core.usage import Usage
from parlance.dialects.anthropic_messages.serve import TurnBlocks, decode_request, encode_ping
from tests.unit.dialects.anthropic_messages.told import (
    FOREIGN,
    call,
    call_events,
    of_type,
    serve,
    text_events,
    thought_events,
    told_events,
    turn,
)

EVENTS: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
FAMILY = "anthropic_messages"


def told(events: list[Event]) -> list[dict[str, object]]:
    """The events, each of which the official client's types take."""
    read = told_events(serve(events))
    for one in read:
        EVENTS.validate_python(one)
    return read


def blocks(events: list[Event]) -> list[object]:
    return [one["content_block"] for one in of_type(told(events), "content_block_start")]


def deltas(events: list[Event]) -> list[object]:
    return [one["delta"] for one in of_type(told(events), "content_block_delta")]


@pytest.mark.requirement("anthropic_messages:serve:order")
def test_a_stream_is_the_start_the_blocks_the_end_and_the_stop() -> None:
    read = told(turn(*text_events(0, "Hello"), usage=Usage(7, 3, cached=2, cache_written=1, reasoning=1)))
    assert [one["type"] for one in read] == [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop",
    ]  # fmt: skip
    message = read[0]["message"]
    assert isinstance(message, dict)
    assert (message["id"], message["model"], message["content"]) == ("msg_t1", "model-1", [])
    assert read[4]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert read[4]["usage"] == {
        "input_tokens": 4,
        "cache_creation_input_tokens": 1,
        "cache_read_input_tokens": 2,
        "output_tokens": 3,
        "output_tokens_details": {"thinking_tokens": 1},
    }


@pytest.mark.requirement("anthropic_messages:serve:blocks")
def test_blocks_come_one_after_the_other_and_the_servers_calls_are_not_shown() -> None:
    text, first, second = text_events(0, "Hi"), call_events(1, call("a")), call_events(2, call("b", arguments="[]"))
    read = told(
        turn(text[0], first[0], text[1], first[1], second[0], text[2], second[1], first[2], second[2],
             *call_events(3, call("s"), "server"), finish="tool_calls")
    )  # fmt: skip
    assert [one.get("index") for one in read[1:-2]] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [one["content_block"] for one in of_type(read, "content_block_start")] == [
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": "a", "name": "look", "input": {}},
        {"type": "tool_use", "id": "b", "name": "look", "input": {}},
    ]


def test_prose_that_says_nothing_is_no_block() -> None:
    empty: list[Event] = [PartOpened(0, Text("")), PartClosed(0, Text(""))]
    assert blocks(turn(*empty, PartOpened(1, Reasoning("")), PartClosed(1, Reasoning("")))) == []


@pytest.mark.requirement("anthropic_messages:serve:proofs")
def test_foreign_proofs_travel_wrapped_in_the_native_fields() -> None:
    sealed = Reasoning("", FOREIGN, redacted=True)
    events = turn(
        *thought_events(0, "hm", FOREIGN),
        PartOpened(1, Reasoning("", redacted=True)),
        PartClosed(1, sealed),
        *call_events(2, call("a:0", signature=FOREIGN)),
        *call_events(3, call("b", signature=FOREIGN), signed_late=True),
        finish="tool_calls",
    )
    assert deltas(events)[1] == {"type": "signature_delta", "signature": "parlance:gemini:Zm9y"}
    assert [one["type"] for one in blocks(events) if isinstance(one, dict)] == [
        "thinking", "redacted_thinking", "redacted_thinking", "tool_use", "tool_use", "redacted_thinking"
    ]  # fmt: skip
    data = [one["data"] for one in blocks(events) if isinstance(one, dict) and "data" in one]
    assert data == ["parlance:gemini:Zm9y", "parlance-call:gemini:a%3A0:Zm9y", "parlance-call:gemini:b:Zm9y"]


def test_what_the_api_added_to_a_call_is_told_natively() -> None:
    added = Signature(FAMILY, '{"caller":{"type":"direct"},"toolset_name":"browser"}')
    (block,) = blocks(turn(*call_events(0, call("a", signature=added)), finish="tool_calls"))
    assert isinstance(block, dict)
    assert (block["caller"], block["toolset_name"]) == ({"type": "direct"}, "browser")


def test_a_freeform_call_is_told_as_json() -> None:
    freeform = ToolCall(call("a").id, "type", 'say "hi"\n', freeform=True)
    parts = [json.loads(json.dumps(one))["partial_json"] for one in deltas(turn(*call_events(0, freeform)))]
    assert json.loads("".join(parts)) == {"input": 'say "hi"\n'}
    cut = [
        json.loads(json.dumps(one))["partial_json"] for one in deltas(turn(*call_events(0, freeform), finish="length"))
    ]
    assert "".join(cut) == '{"input":"say \\"hi\\"\\n'


@pytest.mark.requirement("anthropic_messages:serve:citations")
def test_citations_of_this_family_are_told_with_their_text() -> None:
    citation = {"type": "page_location", "cited_text": "x", "document_index": 0, "document_title": None,
                "start_page_number": 1, "end_page_number": 2, "file_id": None}  # fmt: skip
    own = Annotation(FAMILY, "page_location", Raw(json.dumps(citation, indent=1).encode()))
    foreign = Annotation("gemini", "y", Raw(b"{}"))
    opened, grown, _ = text_events(0, "so")
    read = deltas(
        turn(opened, grown, PartAnnotated(0, foreign), PartAnnotated(0, own), PartClosed(0, Text("so", (own,))))
    )
    assert read == [{"type": "text_delta", "text": "so"}, {"type": "citations_delta", "citation": citation}]


def test_what_the_language_has_no_word_for_is_left_out() -> None:
    foreign = Kept("gemini", "codeExecutionResult", Raw(b"{}"))
    own = Kept(FAMILY, "container_upload", Raw(b'{"type":"container_upload",\n"file_id":"f"}'))
    events = turn(
        PartOpened(0, foreign), PartClosed(0, foreign), PartOpened(1, own), PartClosed(1, own),
        Warned("x", "y"), StepDropped(1, "again"),
    )  # fmt: skip
    assert blocks(events) == [{"type": "container_upload", "file_id": "f"}]


def test_a_refusal_is_text_and_its_finish_says_so() -> None:
    events = turn(PartOpened(0, Refusal("")), RefusalGrew(0, "No."), PartClosed(0, Refusal("No.")), finish="filtered")
    assert deltas(events) == [{"type": "text_delta", "text": "No."}]
    assert of_type(told(events), "message_delta")[0]["delta"]["stop_reason"] == "refusal"


@pytest.mark.requirement("anthropic_messages:serve:failure")
@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled"])
def test_a_failure_in_mid_stream_is_an_error_event_and_no_stop(status: str) -> None:
    fault = None if status == "cancelled" else Fault("overloaded", "Too much.", retryable=True)
    ended = TurnEnded(status, fault=fault)  # type: ignore[arg-type]  # from a parameter
    *_, last = told_events(serve(turn(*text_events(0, "Hel"), status=ended)))
    assert last["type"] == "error"
    assert last["error"]["type"] == ("api_error" if fault is None else "overloaded_error")


def test_a_word_of_the_host_is_passed_on_where_it_means_the_same_or_nobody_knows() -> None:
    *begun, ended, _ = turn(finish="stop")
    assert isinstance(ended, StepEnded)
    for finish, raw, word in (
        ("stop", "stop_sequence", "stop_sequence"),
        ("stop", "STOP", "end_turn"),
        ("unknown", "out_of_tea", "out_of_tea"),
        ("error", None, "end_turn"),
    ):
        last: list[Event] = [replace(ended, raw=raw), TurnEnded("completed", finish)]  # type: ignore[arg-type]  # from a table
        assert told_events(serve([*begun, *last]))[-2]["delta"]["stop_reason"] == word


def test_half_a_surrogate_pair_does_not_end_a_stream() -> None:
    opened, grown, closed = thought_events(0, "a\ud83d")
    assert deltas(turn(opened, ReasoningGrew(0, ""), grown, closed))[-1] == {
        "type": "thinking_delta",
        "thinking": "a\ufffd",
    }


def test_a_turn_of_no_step_and_a_silence_have_their_frames() -> None:
    assert [one["type"] for one in told_events(TurnBlocks().encode([TurnEnded("completed")]))] == [
        "message_start", "message_delta", "message_stop"
    ]  # fmt: skip
    assert told_events(encode_ping()) == [{"type": "ping"}]


def payload(**fields: object) -> bytes:
    return json.dumps(
        {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **fields}
    ).encode()


@pytest.mark.requirement("anthropic_messages:door:request")
def test_every_field_that_we_have_a_word_for_is_read() -> None:
    ask = decode_request(payload(
        stream=True, temperature=0.5, top_p=0.9, top_k=5, stop_sequences=["END"], system="Be brief.",
        thinking={"type": "enabled", "budget_tokens": 2000}, metadata={"user_id": "u"},
        tools=[{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}, "strict": True,
                "cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"type": "web_search_20250305", "name": "w"}],
        tool_choice={"type": "tool", "name": "look", "disable_parallel_tool_use": True},
        output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}},
    ))  # fmt: skip
    asked = ask.request
    assert (ask.stream, asked.model, asked.max_output, asked.parallel_calls) == (True, "m", 9, False)
    assert asked.sampling == Sampling(0.5, 0.9, 5, None, ("END",))
    assert asked.tools == (ToolSpec("look", "Looks.", Raw(b'{"type": "object"}'), True, cache=CacheMark("1h")),)
    assert asked.tool_choice == NamedTool("look")
    assert asked.reasoning == ReasoningAsk(None, 2000, show=True)
    assert asked.output_format == OutputFormat("json_schema", schema=Raw(b'{"type": "object"}'))
    assert set(asked.extra[FAMILY]) == {"metadata", "tools"}
    assert [message.role for message in asked.messages] == ["system", "user"]


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, ReasoningAsk()),
        ({"thinking": {"type": "disabled"}}, ReasoningAsk("none")),
        ({"thinking": {"type": "adaptive"}}, ReasoningAsk("high")),
        (
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}},
            ReasoningAsk("low", show=True),
        ),
        ({"thinking": {"type": "enabled", "budget_tokens": 9, "display": "omitted"}}, ReasoningAsk(None, 9)),
        ({"output_config": {"effort": "max"}}, ReasoningAsk("max")),
        ({"output_config": {"effort": "frantic"}}, ReasoningAsk()),
        ({"thinking": {"type": "between_tools"}}, ReasoningAsk()),
    ],
)
def test_thinking_is_read_in_every_form(fields: dict[str, object], asked: ReasoningAsk) -> None:
    request = decode_request(payload(**fields)).request
    assert request.reasoning == asked
    assert ("thinking" in request.extra.get(FAMILY, {})) == ("between_tools" in str(fields))


@pytest.mark.parametrize(("choice", "read"), [("auto", "auto"), ("any", "required"), ("none", "none")])
def test_choices_of_tools_are_read(choice: str, read: str) -> None:
    assert decode_request(payload(tool_choice={"type": choice})).request.tool_choice == read


@pytest.mark.requirement("anthropic_messages:door:history")
def test_every_kind_of_block_is_read() -> None:
    cited = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "x"},
        "citations": {"enabled": True},
    }
    ask = decode_request(payload(messages=[
        {"role": "user", "content": [
            {"type": "text", "text": "see", "cache_control": {"type": "ephemeral"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            {"type": "image", "source": {"type": "url", "url": "https://a.example/a.png"}},
            {"type": "document", "source": {"type": "file", "file_id": "f"}, "title": "a.pdf"},
            {"type": "document", "source": {"type": "content", "content": "x"}},
            cited,
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "parlance:gemini:Zm9y"},
            {"type": "thinking", "thinking": "un", "signature": ""},
            {"type": "redacted_thinking", "data": "b3du"},
            {"type": "redacted_thinking", "data": "parlance-call:gemini:a:Zm9y"},
            {"type": "text", "text": "so", "citations": [{"type": "x"}]},
            {"type": "tool_use", "id": "a", "name": "look_x2e_", "input": {"b": 1.0}},
            {"type": "server_tool_use", "id": "s", "name": "w", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "t"}], "is_error": True},
            {"type": "text", "text": "And?"},
        ]},
        {"role": "system", "content": "French."},
    ]))  # fmt: skip
    user, assistant, result, again, system = ask.request.messages
    assert user.parts[:4] == (
        Text("see", cache=CacheMark()),
        Image(Inline(b"hi"), "image/png"),
        Image(Url("https://a.example/a.png")),
        File(Uploaded(FAMILY, "f"), name="a.pdf"),
    )
    assert [part.type for part in user.parts if isinstance(part, Kept)] == ["document", "document"]
    assert assistant.parts[:3] == (
        Reasoning("hm", FOREIGN),
        Reasoning("un"),
        Reasoning("", Signature(FAMILY, "b3du"), redacted=True),
    )
    assert assistant.parts[4] == ToolCall(call("a").id, "look.", '{"b": 1.0}', FOREIGN)
    assert isinstance(assistant.parts[5], Kept)
    assert (result.role, again.role, system.role) == ("tool", "user", "system")


@pytest.mark.requirement("anthropic_messages:door:refused")
@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": ""}, "$.model"),
        ({"max_tokens": 0}, "$.max_tokens"),
        ({"messages": []}, "$.messages"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "$.messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": 5}]}, "$.messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]},
            "$.messages[0].content[0].tool_use_id",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "%"}}]}]},
            "$.messages[0].content[0].source.data",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "f:x"}}]}]},
            "$.messages[0].content[0].source.url",
        ),
        ({"tools": [{"name": "x"}]}, "$.tools[0]"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "", "name": "x"}]}]},
            "$.messages[0].content[0]",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_place(fields: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_request(payload(**fields))
    assert [field.path for field in caught.value.fields] == [path]


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidJson):
        decode_request(b"{")


def test_the_official_types_take_the_usage_of_a_host_that_did_not_count() -> None:
    read = of_type(told(turn(*text_events(0, "Hi"))), "message_delta")[0]
    assert types.MessageDeltaUsage.model_validate(read["usage"]).output_tokens == 0
