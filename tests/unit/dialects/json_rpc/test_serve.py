"""Events told as notifications of the JSON-RPC door."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.errors import ParlanceError
from parlance.core.events import Event, StepEnded, ToolCalled, ToolReturned, TurnEnded
from parlance.core.ids import CallId, Epoch, MessageId
from parlance.core.parts import Text, ToolCall, ToolResult
from parlance.core.snapshot import Snapshot
from parlance.dialects.chat_request import Params
from parlance.dialects.json_rpc.faults import encode_refusal
from parlance.dialects.json_rpc.serve import TurnNotices, encode_notice, unanswered_calls
from parlance.journal.memory import MemoryJournal
from tests.golden.doors.tellings import EPOCH, TURN, Telling, tellings
from tests.unit.dialects import told_turns

SESSION = "5e55107b"


def tell(events: list[Event]) -> list[dict[str, Any]]:
    notices = TurnNotices(SESSION, told_turns.TURN, Epoch("e"), Params())
    return [json.loads(told) for number, event in enumerate(events, 1) if (told := notices.encode(number, event))]


@pytest.mark.requirement("json_rpc:golden")
@pytest.mark.parametrize("case", tellings("json_rpc", "notices.jsonl"), ids=repr)
def test_a_turn_is_told_as_its_golden_has_it(case: Telling) -> None:
    notices = TurnNotices(SESSION, TURN, EPOCH, case.params)
    told = [notice for number, event in enumerate(case.events, 1) if (notice := notices.encode(number, event))]
    assert "".join(f"{notice}\n" for notice in told).encode() == case.told


@given(told_turns.turns())
@pytest.mark.requirement("json_rpc:content")
def test_any_content_comes_through_and_the_last_one_holds_the_whole_text(events: list[Event]) -> None:
    *chunks, last = tell(events)
    assert {chunk["method"] for chunk in chunks} <= {"text_chunk"}
    assert "".join(chunk["params"]["chunk"] for chunk in chunks) == told_turns.text_of(events)
    ended = events[-1]
    assert isinstance(ended, TurnEnded)
    assert last["method"] == ("error" if ended.status == "failed" else "end")
    if ended.status != "failed":
        assert last["params"]["final_text"] == told_turns.text_of(events)
    cursors = [notice["params"]["cursor"] for notice in (*chunks, last)]
    assert len(set(cursors)) == len(cursors)


@given(told_turns.turns(), st.integers(0, 2_000), st.data())
def test_of_a_turn_that_was_trimmed_the_last_one_holds_the_whole_text_too(
    events: list[Event], window: int, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(events) - 1))
    log = MemoryJournal(window).open(told_turns.TURN)
    for event in events[:place]:
        log.append([event])
    notices = TurnNotices(SESSION, told_turns.TURN, Epoch("e"), Params())
    numbered = [*log.numbered(), *enumerate(events[place:], place + 1)]
    last = [notices.encode(number, event) for number, event in numbered][-1]
    assert last is not None
    assert json.loads(last) == tell(events)[-1]


def test_only_the_clients_calls_without_a_result_are_unanswered() -> None:
    calls = [ToolCall(CallId(name), "f", "{}") for name in "abc"]
    events: list[Event] = [
        StepEnded(1, "tool_calls", MessageId("m")),
        ToolCalled(calls[0], "client"),
        ToolCalled(calls[1], "server"),
        ToolCalled(calls[2], "client"),
        ToolReturned(ToolResult(CallId("a"), "f", "x")),
    ]
    assert unanswered_calls(enumerate(events, 1)) == [(4, events[3])]


def test_a_freeform_call_brings_its_text_as_input() -> None:
    notices = TurnNotices(SESSION, told_turns.TURN, Epoch("e"), Params())
    call = ToolCall(CallId("c"), "f", 'print("hi")', freeform=True)
    told = json.loads(notices.encode(1, ToolCalled(call, "client")) or "")
    assert told["params"]["parameters"] == {"input": 'print("hi")'}


def test_a_failure_without_a_fault_has_an_error_all_the_same() -> None:
    (told,) = tell([TurnEnded("failed")])
    assert told["params"]["error"]["code"] == -32007


def test_a_snapshot_says_what_was_shown() -> None:
    notices = TurnNotices(SESSION, told_turns.TURN, Epoch("e"), Params())
    assert json.loads(notices.snapshot(7, Snapshot((Text("so far"),), "running"))) == {
        "jsonrpc": "2.0",
        "method": "snapshot",
        "params": {
            "session_id": SESSION,
            "task_id": told_turns.TURN,
            "snapshot": {"parts": [{"kind": "text", "text": "so far"}], "status": "running"},
            "cursor": "e-7",
        },
    }


def every_error(of: type[ParlanceError] = ParlanceError) -> list[type[ParlanceError]]:
    return [of, *(found for kind in of.__subclasses__() for found in every_error(kind))]


@pytest.mark.requirement("json_rpc:error:codes")
def test_every_error_has_a_number_that_a_server_may_use() -> None:
    ours = range(-32099, -31999)
    rules = (-32600, -32601, -32602, -32603)
    for kind in every_error():
        error = kind.__new__(kind)
        ParlanceError.__init__(error, "It failed.")
        error.fields = ()  # type: ignore[attr-defined] # as of an invalid request
        refusal = encode_refusal(error)
        assert refusal.code in ours or refusal.code in rules
        assert refusal.data is not None
        assert refusal.data.code == kind.code
        notice = json.loads(encode_notice(error, SESSION))
        assert (notice["params"]["task_id"], notice["params"]["error"]["code"]) == (None, refusal.code)
