"""Frames of a client of the WebSocket chat, as commands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.errors import InvalidJson, InvalidRequest, UnknownAction
from parlance.core.tool import Answer
from parlance.dialects.ws_chat.commands import MAX_ID, Auth, Cancel, Chat, FrameRefused, Results, Resume, decode_command


def frame(**fields: object) -> str:
    return json.dumps(fields)


def refusal(text: str) -> FrameRefused:
    with pytest.raises(FrameRefused) as refused:
        decode_command(text)
    return refused.value


def test_a_chat_with_nothing_but_its_text() -> None:
    chat = decode_command('{"action":"chat","payload":{"text":" Hello "},"request_id":"r"}')
    assert isinstance(chat, Chat)
    assert (chat.request_id, chat.message.text, chat.model, chat.tools) == ("r", " Hello ", None, ())
    assert (chat.message.role, chat.idempotency_key) == ("user", None)


def test_a_chat_with_all_additions() -> None:
    payload = {
        "text": "Hi",
        "model": "lab/m",
        "tools": [{"name": "a"}],
        "params": {"reasoning": True},
        "idempotency_key": "k",
    }
    chat = decode_command(frame(action="chat", payload=payload))
    assert isinstance(chat, Chat)
    assert (chat.request_id, chat.model, [tool.name for tool in chat.tools]) == (None, "lab/m", ["a"])
    assert (chat.params.reasoning, chat.idempotency_key) == (True, "k")


def test_null_says_as_little_as_nothing() -> None:
    nulls = dict.fromkeys(("model", "tools", "params", "chat_id", "idempotency_key"))
    bare, full = (
        decode_command(json.dumps({"action": "chat", "payload": {"text": "Hi", **more}})) for more in ({}, nulls)
    )
    assert isinstance(bare, Chat)
    assert isinstance(full, Chat)
    assert (full.model, full.tools, full.params, full.idempotency_key) == (None, (), bare.params, None)


def test_unknown_keys_of_newer_clients_are_passed_over() -> None:
    chat = decode_command(frame(action="chat", payload={"text": "Hi", "mood": 1}, request_id="r", extra=[]))
    assert isinstance(chat, Chat)


def test_a_cancel_names_its_turn_by_either_id() -> None:
    assert decode_command(frame(action="cancel", request_id="r")) == Cancel("r", None)
    assert decode_command(frame(action="cancel", turn_id="t")) == Cancel(None, "t")


def test_a_resume_without_a_payload_may_say_so_by_null() -> None:
    resume = decode_command(frame(action="resume", turn_id="t", payload=None))
    assert resume == decode_command(frame(action="resume", turn_id="t"))


def test_a_resume_says_from_where() -> None:
    resume = decode_command(
        frame(action="resume", turn_id="t", request_id="r", after="e-3", payload={"params": {"reasoning": True}})
    )
    assert isinstance(resume, Resume)
    assert (resume.turn_id, resume.request_id, resume.after, resume.params.reasoning) == ("t", "r", "e-3", True)


def test_results_are_named_in_their_payload_or_beside_it() -> None:
    results = [{"tool_call_id": "c", "output": "x"}]
    for named in ({"payload": {"turn_id": "t", "results": results}}, {"turn_id": "t", "payload": {"results": results}}):
        assert decode_command(frame(action="tool_result", **named)) == Results(None, "t", (Answer("c", "x"),))  # type: ignore[arg-type] # ids are texts


def test_a_key_is_read_and_nowhere_shown() -> None:
    auth = decode_command(frame(action="auth", payload={"key": "k"}))
    assert auth == Auth(None, "k")
    assert "canary" not in str(refusal(frame(action="auth", payload={"key": ["canary"]})))


@pytest.mark.parametrize(
    ("text", "kind", "request_id"),
    [
        ("nonsense", InvalidJson, None),
        ("[1]", InvalidRequest, None),
        ('{"action":"chat","request_id":"r","payload":{"text":"\\ud83d"}}', InvalidJson, "r"),
        ('{"action":"chat","request_id":"r","payload":{"text":NaN}}', InvalidJson, "r"),
        ('{"action":"chat","request_id":"\\ud83d","payload":{"text":"Hi"}}', InvalidJson, None),
        ('{"action":"chat","request_id":"r","payload":{}}', InvalidRequest, "r"),
        ('{"action":"fly","request_id":"r"}', UnknownAction, "r"),
        ('{"action":"chat","request_id":{},"payload":{"text":"Hi"}}', InvalidRequest, None),
        ('{"action":["chat"],"request_id":"r"}', InvalidRequest, "r"),
    ],
)
def test_a_refusal_says_why_and_of_which_request(text: str, kind: type[Exception], request_id: str | None) -> None:
    refused = refusal(text)
    assert isinstance(refused.error, kind)
    assert refused.request_id == request_id


def test_the_place_at_fault_is_named_from_the_root_of_the_frame() -> None:
    error = refusal(frame(action="chat", payload={"text": "Hi", "params": {"temperature": "hot"}})).error
    assert isinstance(error, InvalidRequest)
    assert [field.path for field in error.fields] == ["$.payload.params.temperature"]


def test_a_request_id_has_a_length() -> None:
    assert isinstance(decode_command(frame(action="cancel", request_id="x" * MAX_ID)), Cancel)
    assert isinstance(refusal(frame(action="cancel", request_id="x" * (MAX_ID + 1))).error, InvalidRequest)


@pytest.mark.requirement("ws_chat:bad_input")
@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "replace")))
def test_any_text_is_a_command_or_refused(text: str) -> None:
    try:
        decode_command(text)
    except FrameRefused:
        return


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.sampled_from(["chat", "cancel", "resume", "tool_result", "auth", "x"]), json_values, json_values, json_values)
def test_any_payload_is_a_command_or_refused(action: str, request_id: object, turn_id: object, payload: object) -> None:
    fields = {"action": action, "request_id": request_id, "turn_id": turn_id, "payload": payload}
    try:
        decode_command(json.dumps(fields))
    except FrameRefused:
        return
