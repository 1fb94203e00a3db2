"""The checker of histories finds what it is there for."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from parlance.core.fault import Fault
from parlance.core.ids import ChatId, Epoch, OwnerId, TurnId
from parlance.core.principal import LOCAL_ADMIN
from parlance.core.stores.turns import TurnRecord
from tests.fault.histories import History, Line, Send, answer_to, broken, marks_of, question

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TEXTS = tuple(question(f"1.{place}", 2, calls=False) for place in range(3))


def exchange(place: int) -> tuple[Line, Line]:
    turn, text = f"turn {place}", TEXTS[place]
    return Line(turn, "user", text, "completed"), Line(turn, "assistant", "".join(answer_to(text)), "completed")


def record(place: int) -> TurnRecord:
    return TurnRecord(
        id=TurnId(f"turn {place}"),
        chat=ChatId("chat"),
        subtenant="default",
        position=place + 1,
        owner=OwnerId("owner"),
        epoch=Epoch("epoch"),
        head=9,
        principal=LOCAL_ADMIN,
        door="rest",
        request_id="request",
        model="m",
        provider="p",
        state="completed",
        accepted_at=NOON + timedelta(seconds=place),
        ended_at=NOON + timedelta(seconds=place + 0.5),
    )


def sound() -> History:
    lines = [line for place in range(3) for line in exchange(place)]
    return History(
        sends=[Send(text, "queue", place, place + 0.4, f"turn {place}") for place, text in enumerate(TEXTS)],
        lines=lines,
        records=[record(place) for place in range(3)],
        shown={text: [marks_of([line.text for line in lines[: 2 * place + 1]])] for place, text in enumerate(TEXTS)},
        cancelled=frozenset(),
    )


def test_a_sound_history_is_sound() -> None:
    assert broken(sound()) == []


def _changed(**changes: object) -> History:
    return structs.replace(sound(), **changes)


def _with_send(place: int, **changes: object) -> History:
    sends = list(sound().sends)
    sends[place] = structs.replace(sends[place], **changes)
    return _changed(sends=sends)


def _with_record(place: int, **changes: object) -> History:
    records = list(sound().records)
    records[place] = structs.replace(records[place], **changes)
    return _changed(records=records)


def _with_line(place: int, **changes: object) -> History:
    lines = list(sound().lines)
    lines[place] = structs.replace(lines[place], **changes)
    return _changed(lines=lines)


SPOILT = {
    "a hole": _with_record(2, position=4),
    "a double": _with_record(2, position=2),
    "interleaved": _changed(lines=[sound().lines[place] for place in (0, 2, 1, 3, 4, 5)]),
    "swapped": _changed(lines=[sound().lines[place] for place in (2, 3, 0, 1, 4, 5)]),
    "two questions in a turn": _with_line(1, role="user"),
    "another's answer": _with_line(1, text="".join(answer_to(TEXTS[1]))),
    "half an answer": _with_line(1, text=answer_to(TEXTS[0])[0]),
    "out of order": _with_send(0, invoked=9.0, told_at=9.5),
    "lost": _changed(lines=sound().lines[:4], records=sound().records[:2]),
    "doubled": _with_line(2, text=TEXTS[0]),
    "refused and kept": _with_send(1, turn=None, refused="chat_busy", policy="reject"),
    "not rejected": structs.replace(
        _with_send(1, policy="reject"), records=_with_record(0, ended_at=NOON + timedelta(seconds=9)).records
    ),
    "rejected without reason": _changed(sends=[*sound().sends, Send("<1.9> say 1", "queue", 9.0, refused="chat_busy")]),
    "failed": _with_record(1, state="failed"),
    "not ended": _with_record(2, state="running"),
    "cancelled by nobody": _with_record(1, state="cancelled"),
    "cut off by nobody": _with_record(2, state="incomplete", fault=Fault("superseded", "")),
    "shown too little": _changed(shown={TEXTS[2]: [marks_of(TEXTS[2])]}),
    "shown too much": _changed(shown={TEXTS[0]: [marks_of([TEXTS[0], TEXTS[1]])]}),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_history_is_found_out(name: str) -> None:
    assert broken(SPOILT[name]) != []
