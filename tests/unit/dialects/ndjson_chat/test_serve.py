"""Bodies of the NDJSON chat as requests, and events told as its lines."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.errors import InvalidJson, InvalidRequest, SlowFollower
from parlance.core.events import Event, TurnEnded
from parlance.core.ids import Epoch, TurnId
from parlance.core.provider import ModelInfo
from parlance.dialects.chat_request import Params
from parlance.dialects.ndjson_chat.serve import (
    TurnLines,
    decode_chat,
    decode_results,
    encode_broken_off,
    encode_models,
    encode_status,
    is_whole,
)
from tests.golden.doors.tellings import EPOCH, TURN, Telling, tellings
from tests.unit.dialects import told_turns


def lines_of(told: bytes) -> list[dict[str, object]]:
    """As clients split them: every mark that Python takes for the end of a line is one."""
    return [json.loads(line) for line in told.decode().splitlines()]


@pytest.mark.requirement("ndjson_chat:golden")
@pytest.mark.parametrize("case", tellings("ndjson_chat", "lines.ndjson"), ids=repr)
def test_a_turn_is_told_as_its_golden_has_it(case: Telling) -> None:
    assert TurnLines(TURN, EPOCH, case.params).encode(1, case.events) == case.told


@given(told_turns.turns(), st.booleans())
@pytest.mark.requirement("ndjson_chat:content")
def test_any_content_comes_through_in_whole_lines(events: list[Event], thoughts: bool) -> None:
    told = lines_of(TurnLines(told_turns.TURN, Epoch("e"), Params(reasoning=thoughts)).encode(1, events))
    assert "meta" in told[0]
    assert [bool(line.get("done")) for line in told] == [False] * (len(told) - 1) + [True]
    assert "".join(str(line["delta"]) for line in told if "delta" in line) == told_turns.text_of(events)
    assert any("reasoning" in line for line in told) <= thoughts


@given(told_turns.turns(), st.data())
def test_batches_make_no_difference(events: list[Event], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(events)))
    lines = TurnLines(told_turns.TURN, Epoch("e"), Params())
    assert lines.encode(1, events[:cut]) + lines.encode(cut + 1, events[cut:]) == lines.encode(1, events)


@given(told_turns.turns())
@pytest.mark.requirement("ndjson_chat:resume:terminator")
def test_the_terminator_is_the_last_line(events: list[Event]) -> None:
    lines = TurnLines(told_turns.TURN, Epoch("e"), Params())
    ended = events[-1]
    assert isinstance(ended, TurnEnded)
    assert lines.encode(1, events).endswith(lines.terminator(len(events), ended))


def test_what_may_be_taken_for_whole() -> None:
    assert [is_whole(TurnEnded(status)) for status in ("completed", "cancelled", "failed", "incomplete")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_a_body_with_all_additions() -> None:
    chat = decode_chat(b'{"message":"Hi","model":"lab/m","tools":[{"name":"a"}],"params":{"seed":7},"more":1}')
    assert (chat.message.text, chat.model, chat.tools[0].name, chat.params.seed) == ("Hi", "lab/m", "a", 7)


@given(st.binary() | st.text().map(lambda text: json.dumps({"message": text}).encode()))
@pytest.mark.requirement("ndjson_chat:bad_input")
def test_any_body_is_a_request_or_refused(body: bytes) -> None:
    for decode in (decode_chat, decode_results):
        try:
            decode(body)
        except (InvalidJson, InvalidRequest):
            continue


def test_the_models_are_told_with_the_default() -> None:
    told = json.loads(encode_models([ModelInfo("a/1", "a"), ModelInfo("b/2", "b", default=True)]))
    assert told["default"] == "b/2"
    assert told["models"][0] == {"id": "a/1", "provider": "a", "default": False}
    assert json.loads(encode_models([])) == {"models": [], "default": None}


def test_an_answer_that_goes_on_without_this_client_ends_without_a_terminator() -> None:
    told = json.loads(encode_broken_off(SlowFollower("too slow")))
    assert told == {"error": {"code": "slow_follower", "message": "too slow", "retryable": True}}


def test_a_status_names_its_turn() -> None:
    assert json.loads(encode_status(TurnId("t"), "cancelled")) == {"turn_id": "t", "status": "cancelled"}
