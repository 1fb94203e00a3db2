"""A turn's events told as server-sent events."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.core.errors import SlowFollower
from parlance.core.events import Event, TextGrew, TurnEnded
from parlance.core.ids import ChatId, Epoch
from parlance.dialects.rest.live import encode_frame
from parlance.dialects.rest.serve import TurnEvents, encode_broken_off
from tests.golden.doors.tellings import EPOCH, TURN, Telling, tellings
from tests.unit.dialects import told_turns

CHAT = ChatId("01890000-0000-7000-8000-000000000002")


def data_of(told: bytes) -> list[str]:
    """The data of each event, as clients split them: every mark that Python takes for the end of a line is one."""
    return [line.removeprefix("data: ") for line in told.decode().splitlines() if line.startswith("data: ")]


@pytest.mark.requirement("rest:golden")
@pytest.mark.parametrize("case", tellings("rest", "events.sse"), ids=repr)
def test_a_turn_is_told_as_its_golden_has_it(case: Telling) -> None:
    asked = case.params
    events = TurnEvents(TURN, EPOCH, CHAT, reasoning=asked.reasoning, warnings=asked.warnings)
    assert events.encode(1, case.events) == case.told


@given(told_turns.turns(), st.booleans())
@pytest.mark.requirement("rest:stream:content")
def test_any_content_comes_through_in_whole_events(events: list[Event], thoughts: bool) -> None:
    told = data_of(TurnEvents(told_turns.TURN, Epoch("e"), reasoning=thoughts).encode(1, events))
    assert told[-1] == "[DONE]"
    assert [json.loads(data) for data in told[:-1]]
    bare = b"".join(
        event + b"\n\n"
        for event in TurnEvents(told_turns.TURN, None).encode(1, events).split(b"\n\n")
        if event.startswith(b"data: {")
    )
    assert "".join(json.loads(data)["content"] for data in data_of(bare)) == told_turns.text_of(events)


@given(told_turns.turns(), st.data())
def test_batches_make_no_difference(events: list[Event], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(events)))
    told = TurnEvents(told_turns.TURN, Epoch("e"))
    assert told.encode(1, events[:cut]) + told.encode(cut + 1, events[cut:]) == told.encode(1, events)


@given(told_turns.turns())
@pytest.mark.requirement("rest:resume:terminator")
def test_the_terminator_is_the_last_event(events: list[Event]) -> None:
    told = TurnEvents(told_turns.TURN, Epoch("e"))
    assert isinstance(events[-1], TurnEnded)
    assert told.encode(1, events).endswith(told.terminator(len(events)))
    assert told.terminator(len(events)) not in told.encode(1, events, last=False)


def test_growth_is_told_the_same_alone_and_among_others() -> None:
    told = TurnEvents(told_turns.TURN, Epoch("e"))
    one = told.tell(3, TextGrew(1, "\u2028é"))
    assert one is not None
    assert told.encode(3, [TextGrew(1, "\u2028é")]) == b'id: e-3\ndata: {"content":"\\u2028\xc3\xa9"}\n\n'
    assert json.loads(encode_frame(one)) == {"event": "text", "data": {"content": "\u2028é"}, "cursor": "e-3"}


def test_a_stream_that_goes_on_without_this_client_has_no_terminator() -> None:
    told = encode_broken_off(SlowFollower("too slow")).decode()
    assert told.startswith("event: error\n")
    assert json.loads(data_of(told.encode())[0])["code"] == "slow_follower"
    assert "DONE" not in told
