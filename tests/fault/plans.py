"""Generated turns: what the model says, what goes wrong with it and when, and who follows it. Drawn by number from one
seed, so that each can be played again alone.
"""

import random
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from parlance.core.deltas import (
    ArgumentsDelta,
    Began,
    Delta,
    Done,
    Finished,
    Opened,
    ReasoningDelta,
    RefusalDelta,
    Restarted,
    TextDelta,
    UsageReported,
)
from parlance.core.events import Status
from parlance.core.ids import CallId
from parlance.core.parts import ToolCall
from parlance.core.usage import Finish, Usage
from parlance.testing.provider import Act

Door = Literal["ws_chat", "ndjson_chat", "json_rpc"]
DOORS: Final[tuple[Door, ...]] = ("ws_chat", "ndjson_chat", "json_rpc")

SERVERS_TOOL: Final = "look"
BROKEN_TOOL: Final = "broken"
CALLERS_TOOL: Final = "pick"

Trouble = Literal[
    "none",
    "os_error",  # what it calls breaks
    "bug",
    "host_failed",
    "cancelled_inside",  # what it waits for was cancelled, not the turn itself
    "overdue",  # a deadline passes
    "cancel",  # its caller cancels, at a door
    "stranger",  # its task is cancelled from outside, without the turn being asked
    "driver",  # the same, at a suspension of the turn's own loop
    "interrupt",  # the server ends what runs
    "disconnect",  # who followed it leaves
]
TROUBLES: Final[tuple[Trouble, ...]] = (
    *("none", "os_error", "bug", "host_failed", "cancelled_inside", "overdue"),
    *("cancel", "cancel", "stranger", "driver", "interrupt", "disconnect"),
)

ENDINGS: Final[dict[Trouble, set[tuple[Status, str | None]]]] = {
    "none": set(),
    "os_error": {("failed", "internal_error")},
    "bug": {("failed", "internal_error")},
    "host_failed": {("failed", "upstream_failed")},
    "cancelled_inside": {("incomplete", "interrupted")},
    "overdue": {("failed", "upstream_timeout"), ("incomplete", "upstream_timeout")},
    "cancel": {("cancelled", None)},
    "stranger": {("incomplete", "interrupted")},
    "driver": {("incomplete", "interrupted")},
    "interrupt": {("incomplete", "interrupted")},
    "disconnect": {("cancelled", "abandoned")},
}
"""How a turn may end in each trouble, besides the way it ends without any: `completed`."""


class Plan(Struct, frozen=True):
    """`door`: where it begins. `strikes_at`: the suspension of its surroundings, from 1, at which the trouble comes.

    `hangs`: nothing goes on from there by itself. `gathers`: the model waits until all doors follow. `actor`: the door
    that cancels, and answers the calls for the caller's tool unless `mute`. `leavers` are the doors that disconnect;
    `again`: all doors are told the turn once more after its end.
    """

    number: int
    answers: tuple[Sequence[Act], ...]
    door: Door
    trouble: Trouble
    strikes_at: int
    hangs: bool
    gathers: bool
    actor: Door
    mute: bool
    leavers: tuple[Door, ...]
    again: bool

    @property
    def endings(self) -> set[tuple[Status, str | None]]:
        return ENDINGS[self.trouble] | {("completed", None)}


def draw(seed: int, number: int) -> Plan:
    """The plan of this number."""
    dice = random.Random(f"{seed}/{number}")
    answers = tuple(_answers(dice))
    trouble = dice.choice(TROUBLES)
    leavers = DOORS if dice.random() < 0.7 else tuple(dice.sample(DOORS, dice.randint(1, 2)))
    return Plan(
        number=number,
        answers=answers,
        door=dice.choice(DOORS),
        trouble=trouble,
        # A few strike behind the end: then nothing happens, as it should.
        strikes_at=dice.randint(1, _suspensions(answers) + 2),
        hangs=dice.random() < 0.5 and (trouble != "disconnect" or leavers == DOORS),
        gathers=dice.random() < 0.7,
        actor=dice.choice(DOORS),
        mute=dice.random() < 0.03,
        leavers=leavers,
        again=dice.random() < 0.3,
    )


def _answers(dice: random.Random) -> list[list[Act]]:
    """Up to three rounds of tools, or of going on, and the answer."""
    rounds = dice.choices((0, 1, 2, 3), (5, 4, 2, 1))[0]
    return [_round(dice) for _ in range(rounds)] + [_last(dice)]


def _round(dice: random.Random) -> list[Act]:
    if dice.random() < 0.1:
        return [*_begun(dice), *_prose(dice), [Finished("continue")]]
    acts: list[Act] = [*_begun(dice), *(_prose(dice) if dice.random() < 0.5 else ())]
    for key in range(dice.randint(1, 4)):
        acts += _call(dice, key)
    return [*acts, _end(dice, "tool_calls")]


def _call(dice: random.Random, key: int) -> list[Act]:
    name = dice.choices((SERVERS_TOOL, CALLERS_TOOL, BROKEN_TOOL, "nobodys"), (5, 4, 1, 1))[0]
    arguments = dice.choices(("{}", '{"of":1.0,"at":"żółw"}', "[1]", '{"cut":'), (6, 4, 1, 1))[0]
    at = dice.randint(0, len(arguments))
    pieces = [piece for piece in (arguments[:at], arguments[at:]) if piece]
    skeleton = ToolCall(CallId(f"call_{dice.getrandbits(32):08x}"), name, "")
    if dice.random() < 0.5:
        return [[Opened(key, skeleton), *(ArgumentsDelta(key, piece) for piece in pieces), Done(key)]]
    return [[Opened(key, skeleton)], *([ArgumentsDelta(key, piece)] for piece in pieces), [Done(key)]]


def _last(dice: random.Random) -> list[Act]:
    finish: Finish = dice.choices(("stop", "length", "filtered", "unknown"), (8, 1, 1, 1))[0]
    return [*_begun(dice), *_prose(dice), _end(dice, finish)]


def _begun(dice: random.Random) -> list[Act]:
    if dice.random() < 0.05:
        return [[Began(model="scripted-model")], [TextDelta("t", "lost")], [Restarted("the first host went away")]]
    return [[Began(model="scripted-model")]]


def _prose(dice: random.Random) -> list[Act]:
    """Some of it long, some thought, some refused; one delta at a time, or as many as one read of a wire brings."""
    count = dice.choices((0, dice.randint(1, 12), dice.randint(60, 300)), (1, 20, 1))[0]
    pieces: list[Delta] = [TextDelta("t", _word(dice)) for _ in range(count)]
    if dice.random() < 0.3:
        pieces = [ReasoningDelta("r", _word(dice)) for _ in range(dice.randint(1, 5))] + pieces
    if dice.random() < 0.05:
        pieces += [RefusalDelta("f", _word(dice))]
    width = dice.choice((1, 1, 2, 7)) if count < 30 else dice.choice((5, 40))
    return [pieces[at : at + width] for at in range(0, len(pieces), width)]


def _word(dice: random.Random) -> str:
    return dice.choice(("so ", "it", " is", "\n", "żółw", "\N{TURTLE}", '"', "\u2028", "a longer piece of text "))


def _end(dice: random.Random, finish: Finish) -> list[Delta]:
    usage = UsageReported(Usage(input=dice.randint(1, 99), output=dice.randint(1, 99)))
    return [usage, Finished(finish)] if dice.random() < 0.7 else [Finished(finish)]


def _suspensions(answers: Sequence[Sequence[Act]]) -> int:
    """About how often the surroundings of such a turn are suspended: three times at each place."""
    batches = sum(len(answer) for answer in answers)
    calls = sum(
        isinstance(delta, Opened) for answer in answers for act in answer if isinstance(act, list) for delta in act
    )
    return 3 * (batches + calls + 2 * len(answers))
