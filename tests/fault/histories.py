"""What the history of a chat must be in which many speak at once, and what is wrong with one, in words.

Each message bears a mark of its own, and each word of its answer that mark and its place, so that whatever a model is
shown, or a chat keeps, says whose it is.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from msgspec import Struct

from parlance.core.stores.turns import SendPolicy, TurnRecord

MARKS = re.compile(r"<\d+\.\d+>|\[\d+\.\d+:\d+\]")
ASKED = re.compile(r"<(\d+\.\d+)> say (\d+)( with a call)?")


def question(mark: str, words: int, *, calls: bool) -> str:
    return f"<{mark}> say {words}{' with a call' if calls else ''}"


def answer_to(text: str) -> tuple[str, ...]:
    """The words of the whole answer to a question."""
    asked = ASKED.search(text)
    assert asked is not None, text
    return tuple(f"[{asked[1]}:{place}] " for place in range(int(asked[2])))


def marks_of(said: object) -> list[str]:
    """All marks in something that was said, in their order."""
    return MARKS.findall(json.dumps(said))


class Send(Struct):
    """One message that a client sent. `turn`: what it was told to have begun; `refused`: the code, where it was.
    Neither, where it left before it was told.
    """

    text: str
    policy: SendPolicy
    invoked: float
    told_at: float | None = None
    turn: str | None = None
    refused: str | None = None

    @property
    def calls(self) -> bool:
        return self.text.endswith("call")


class Line(Struct, frozen=True):
    """One message of a chat, as a door tells it."""

    turn: str
    role: str
    text: str
    status: str | None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Line":
        return cls(told["turn_id"], told["role"], told["content"], told["status"])


class History(Struct, frozen=True, kw_only=True):
    """All that is known of one chat when everything is over. `records`: its turns as the database has them, in the
    order of their positions. `shown`: the marks of each request that a model got, by the question that it answers.
    `cancelled`: the turns that somebody cancelled.
    """

    sends: Sequence[Send]
    lines: Sequence[Line]
    records: Sequence[TurnRecord]
    shown: Mapping[str, Sequence[Sequence[str]]]
    cancelled: frozenset[str]

    @property
    def sent(self) -> Mapping[str, Send]:
        """What began each turn."""
        sends = {send.text: send for send in self.sends}
        return {line.turn: sends[line.text] for line in self.lines if line.role == "user" and line.text in sends}


def broken(history: History) -> list[str]:
    """What is not as it must be; empty when all is well."""
    checks = (_places, _exchanges, _order, _acceptance, _policies, _endings, _prompts)
    return [wrong for check in checks for wrong in check(history)]


def _places(history: History) -> Iterator[str]:
    """Positions count from 1, and the messages stand in their order, each turn's together."""
    positions = [record.position for record in history.records]
    if positions != list(range(1, len(positions) + 1)):
        yield f"positions with holes or doubles: {positions}"
    told = [turn for turn, _ in groupby(line.turn for line in history.lines)]
    if told != [record.id for record in history.records]:
        yield "the turns of the messages are not those of the database, in their order: they interleave, or one lacks"


def _exchanges(history: History) -> Iterator[str]:
    """A turn is one question, and its own answer, whole if it completed."""
    for turn, group in groupby(history.lines, key=lambda line: line.turn):
        lines = list(group)
        if [line.role == "user" for line in lines] != [True] + [False] * (len(lines) - 1):
            yield f"turn {turn} is not one question and its answer: {[line.role for line in lines]}"
            continue
        said = "".join(line.text for line in lines if line.role == "assistant")
        whole = "".join(answer_to(lines[0].text))
        if not whole.startswith(said) or (lines[0].status == "completed" and said != whole):
            yield f"the answer to {lines[0].text!r} ({lines[0].status}) is {said!r}"


def _order(history: History) -> Iterator[str]:
    """Who had been told that theirs was accepted, before another one sent, comes first."""
    latest, sent = -1.0, history.sent
    for record in history.records:
        send = sent.get(record.id)
        if send is None:
            continue
        if send.told_at is not None and send.told_at < latest:
            yield f"{send.text!r} stands behind one that was sent after it had been accepted"
        latest = max(latest, send.invoked)


def _acceptance(history: History) -> Iterator[str]:
    """What was accepted is there once, under the id that was told; what was refused is not."""
    kept = {line.text: line.turn for line in history.lines if line.role == "user"}
    often = Counter(line.text for line in history.lines if line.role == "user")
    yield from (f"{text!r} is there {times} times" for text, times in often.items() if times > 1)
    for send in history.sends:
        turn = kept.pop(send.text, None)
        if send.turn is not None and turn != send.turn:
            yield f"{send.text!r} was accepted as turn {send.turn}, and is kept as {turn}"
        if send.refused is not None and turn is not None:
            yield f"{send.text!r} was refused with {send.refused}, and is kept as {turn}"
    yield from (f"{text!r} was never sent" for text in kept)


def _policies(history: History) -> Iterator[str]:
    """Who rejects comes only where nobody speaks; only who rejects is told that somebody does."""
    sent = history.sent
    for place, record in enumerate(history.records):
        send = sent.get(record.id)
        if send is None or send.policy != "reject":
            continue
        for before in history.records[:place]:
            # One that waited for its caller hindered nobody.
            waited = before.id in sent and sent[before.id].calls
            if not waited and before.ended_at is not None and before.ended_at > record.accepted_at:
                yield f"{send.text!r} was to be rejected while turn {before.position} was not over"
    for send in history.sends:
        if send.refused == "chat_busy" and send.policy != "reject":
            yield f"{send.text!r} may wait or interrupt, and was told that the chat is busy"


def _endings(history: History) -> Iterator[str]:
    """Each turn has ended, and how it did has a reason."""
    sent = history.sent
    policies = [sent[record.id].policy if record.id in sent else None for record in history.records]
    for place, record in enumerate(history.records):
        behind = policies[place + 1 :]
        match record.state:
            case "completed":
                continue
            case "cancelled" if record.id in history.cancelled or "interrupt" in behind:
                continue
            case "incomplete" if behind and record.fault is not None and record.fault.code == "superseded":
                continue
            case state:
                yield f"turn {record.position} ended as {state} ({record.fault}), and nobody asked for that"


def _prompts(history: History) -> Iterator[str]:
    """A model is shown exactly what was said before the question: all of each earlier turn, and nothing of a later."""
    before: list[str] = []
    for _, group in groupby(history.lines, key=lambda line: line.turn):
        lines = list(group)
        mark = marks_of(lines[0].text)
        for shown in history.shown.get(lines[0].text, ()):
            if list(shown) != before + mark:
                yield f"for {lines[0].text!r} the model was shown {shown}, and not {before + mark}"
        before += [mark for line in lines for mark in marks_of(line.text)]
