"""Events told as frames of the WebSocket chat."""

import json

import pytest
from hypothesis import given

from parlance.core.errors import HostRateLimited, KeyMissing, RequestIdInUse
from parlance.core.events import Event
from parlance.core.ids import Epoch
from parlance.core.parts import Text
from parlance.core.snapshot import Snapshot
from parlance.dialects.chat_request import Params
from parlance.dialects.ws_chat.serve import TurnFrames, encode_authenticated, encode_error
from tests.golden.doors.tellings import EPOCH, REQUEST, TURN, Telling, tellings
from tests.unit.dialects import told_turns


def tell(events: list[Event], params: Params = Params()) -> list[dict[str, object]]:  # noqa: B008 - a frozen value
    frames = TurnFrames("r", told_turns.TURN, Epoch("e"), params)
    return [json.loads(frame) for number, event in enumerate(events, 1) if (frame := frames.encode(number, event))]


@pytest.mark.requirement("ws_chat:golden")
@pytest.mark.parametrize("case", tellings("ws_chat", "frames.jsonl"), ids=repr)
def test_a_turn_is_told_as_its_golden_has_it(case: Telling) -> None:
    frames = TurnFrames(REQUEST, TURN, EPOCH, case.params)
    told = [frame for number, event in enumerate(case.events, 1) if (frame := frames.encode(number, event))]
    assert "".join(f"{frame}\n" for frame in told).encode() == case.told


@given(told_turns.turns())
@pytest.mark.requirement("ws_chat:content")
def test_any_content_comes_through_and_every_frame_is_one_event(events: list[Event]) -> None:
    frames = tell(events)
    assert [frame["status"] for frame in frames].count("processing") == 1
    assert [frame["status"] in ("complete", "error") for frame in frames] == [False] * (len(frames) - 1) + [True]
    chunks = [frame["chunk"] for frame in frames if frame["status"] == "chunk"]
    assert all(isinstance(chunk, dict) and chunk["type"] == "text" for chunk in chunks)
    assert "".join(str(chunk["data"]) for chunk in chunks if isinstance(chunk, dict)) == told_turns.text_of(events)
    cursors = [frame["cursor"] for frame in frames]
    assert len(set(cursors)) == len(cursors)


@given(told_turns.turns())
def test_the_tail_behind_any_frame_is_the_same_to_who_returns(events: list[Event]) -> None:
    """Whoever resumes feeds the events again and drops what was told before."""
    whole = tell(events)
    for place, frame in enumerate(whole):
        number = int(str(frame["cursor"]).removeprefix("e-"))
        frames = TurnFrames("r", told_turns.TURN, Epoch("e"), Params())
        for before, event in enumerate(events[:number], 1):
            frames.encode(before, event)
        tail = [frames.encode(later, event) for later, event in enumerate(events[number:], number + 1)]
        assert [json.loads(text) for text in tail if text] == whole[place + 1 :]


def test_a_request_id_can_not_break_its_frame() -> None:
    frames = TurnFrames('"}\n\u2028', told_turns.TURN, Epoch("e"), Params())
    golden = tellings("ws_chat", "frames.jsonl")[0]
    told = [frames.encode(number, event) for number, event in enumerate(golden.events, 1)]
    assert {json.loads(frame)["request_id"] for frame in told if frame} == {'"}\n\u2028'}


@pytest.mark.requirement("ws_chat:resume:cursor_expired")
def test_a_snapshot_bears_the_cursor_to_go_on_from() -> None:
    frame = json.loads(TurnFrames("r", TURN, EPOCH, Params()).snapshot(7, Snapshot((Text("so far"),), "running")))
    assert frame == {
        "request_id": "r",
        "status": "snapshot",
        "snapshot": {"parts": [{"kind": "text", "text": "so far"}], "status": "running"},
        "turn_id": TURN,
        "cursor": f"{EPOCH}-7",
    }


def test_an_error_names_the_request_that_it_ends() -> None:
    error = HostRateLimited("slow down", retry_after=7)
    assert json.loads(encode_error(error, "r")) == {
        "request_id": "r",
        "status": "error",
        "error": "slow down",
        "code": "upstream_rate_limited",
        "retryable": True,
        "retry_after": 7,
    }


def test_an_error_of_no_request_says_null() -> None:
    assert json.loads(encode_error(KeyMissing("no key"), None))["request_id"] is None
    rejected = json.loads(encode_error(RequestIdInUse("twice"), None, rejected="r"))
    assert (rejected["request_id"], rejected["rejected_request_id"]) == (None, "r")


def test_signing_in_is_confirmed() -> None:
    assert json.loads(encode_authenticated("r")) == {"request_id": "r", "status": "authenticated"}
