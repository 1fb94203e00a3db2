"""Microseconds per event inside the process, stage by stage, without sockets. `python -m bench.stages` prints them.

Each stage runs on what the one before it made: once with every event alone, as a slow model sends them, and once
with a hundred together. Hosts of the other languages are read and told on with every event alone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import uvloop
from msgspec import Struct

from bench.jobs import CHUNKS
from parlance.core.deltas import Delta
from parlance.core.events import Event
from parlance.core.ids import new_turn_id
from parlance.core.messages import Origin, user_message
from parlance.core.parts import Family
from parlance.core.provider import Speaker
from parlance.core.requests import Request
from parlance.dialects.chat_request import Params
from parlance.dialects.json_rpc.serve import TurnNotices
from parlance.dialects.ndjson_chat.serve import TurnLines
from parlance.dialects.ws_chat.serve import TurnFrames
from parlance.engine.assemble import Assembler
from parlance.journal.memory import MemoryFollower, MemoryJournal, MemoryLog
from parlance.net.framing import Frame
from parlance.net.ndjson import NdjsonReader
from parlance.net.sse import SseReader
from parlance.providers.languages import LANGUAGES
from parlance.testing.reply import Reply
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voices.table import VOICES

YARDSTICK: Family = "openai_chat"
TRIES = 7
"""The best of so many counts: what makes a try slower is always something else."""


class Stage(Struct, frozen=True):
    """Microseconds per event. `together`: a hundred events at once."""

    name: str
    alone: float
    together: float


class LanguageCost(Struct, frozen=True):
    """Microseconds per event of hosts of one language: to read its bytes, to speak, to assemble, to tell at door C."""

    family: Family
    read: float
    speak: float
    assemble: float
    tell: float

    @property
    def whole(self) -> float:
        """Decode, assemble and encode: all but the framing, which is the connection's."""
        return self.speak + self.assemble + self.tell


class _Made(Struct, frozen=True):
    """One answer at each of its stations, cut into the pieces that arrive at once."""

    family: Family
    reads: list[bytes]
    frames: list[list[Frame]]
    deltas: list[list[Delta]]
    events: list[list[Event]]


Act = Callable[[_Made, int], None]
"""Passes an answer through a stage, so many times."""


def measure(answers: int = 40) -> list[Stage]:
    """Each try passes so many answers through a stage."""
    alone, together = _make(1, YARDSTICK), _make(CHUNKS, YARDSTICK)
    stages: list[tuple[str, Act]] = [
        ("read the host's bytes (SSE)", _times(_read)),
        ("speak: frames to deltas", _times(_speak)),
        ("assemble: deltas to events", _times(_assemble)),
        ("log: number and keep", _times(_log)),
        ("log, and tell a listener", _in_loop(_hear)),
        ("log, and wake a follower", _in_loop(_follow)),
        ("tell at door C", _times(_tell_lines)),
        ("tell at door A", _times(_tell_frames)),
        ("tell at door D", _times(_tell_notices)),
    ]
    return [Stage(name, _cost(act, alone, answers), _cost(act, together, answers)) for name, act in stages]


def measure_languages(answers: int = 40) -> list[LanguageCost]:
    """The same stages for each language, one stage of all, then the next."""
    acts = [_times(_read), _times(_speak), _times(_assemble), _times(_tell_lines)]
    made = [_make(1, family) for family in LANGUAGES]
    costs = [[_cost(act, each, answers) for each in made] for act in acts]
    return [LanguageCost(each.family, *cost) for each, cost in zip(made, zip(*costs, strict=True), strict=True)]


def encode_languages(costs: Sequence[LanguageCost]) -> str:
    yardstick = next(cost.whole for cost in costs if cost.family == YARDSTICK)
    width = max(len(cost.family) for cost in costs)
    lines = [
        f"| {'Host, µs/event':<{width}} |  read | speak | assemble | tell at door C | speak to tell | × {YARDSTICK} |",
        f"| :{'-' * (width - 1)} | ----: | ----: | -------: | -------------: | ------------: | ------------: |",
    ]
    lines += [
        f"| {cost.family:<{width}} | {cost.read:5.2f} | {cost.speak:5.2f} | {cost.assemble:8.2f} | {cost.tell:14.2f} "
        f"| {cost.whole:13.2f} | {cost.whole / yardstick:13.2f} |"
        for cost in costs
    ]
    return "\n".join(lines) + "\n"


def encode_stages(stages: Sequence[Stage]) -> str:
    width = max(len(stage.name) for stage in stages)
    lines = [
        f"| {'Stage, µs/event':<{width}} | alone | 100 together |",
        f"| :{'-' * (width - 1)} | ----: | -----------: |",
    ]
    lines += [f"| {stage.name:<{width}} | {stage.alone:5.2f} | {stage.together:12.2f} |" for stage in stages]
    return "\n".join(lines) + "\n"


def _make(size: int, family: Family) -> _Made:
    asked = LANGUAGES[family].encode_request(Request("m", (user_message("Say it."),)), host="host", quirks=frozenset())
    request = UpstreamRequest("POST", VOICES[family].base_path + asked.path, dict(asked.headers), asked.body)
    reply = Reply(text=tuple(f"~token{number:03d}" for number in range(CHUNKS)))
    told = VOICES[family].encode_stream(reply, request)
    wire = [*told.said, *told.ending, *told.terminator]
    reads = [b"".join(wire[at : at + size]) for at in range(0, len(wire), size)]
    reader, speaker, assembler = _reader(family), _speaker(family), _assembler(family)
    frames = [reader.feed(data) for data in reads]
    deltas = [[delta for data, event in batch for delta in speaker.feed(data, event)] for batch in frames]
    return _Made(family, reads, frames, deltas, [assembler.feed(batch) for batch in deltas])


def _cost(act: Act, made: _Made, answers: int) -> float:
    best = float("inf")
    for _ in range(TRIES):
        begun = time.perf_counter()
        act(made, answers)
        best = min(best, time.perf_counter() - begun)
    return best / answers / CHUNKS * 1e6


def _times(once: Callable[[_Made], None]) -> Act:
    def act(made: _Made, answers: int) -> None:
        for _ in range(answers):
            once(made)

    return act


def _read(made: _Made) -> None:
    feed = _reader(made.family).feed
    for data in made.reads:
        feed(data)


def _speak(made: _Made) -> None:
    feed = _speaker(made.family).feed
    for batch in made.frames:
        deltas: list[Delta] = []
        for data, event in batch:
            deltas += feed(data, event)


def _assemble(made: _Made) -> None:
    feed = _assembler(made.family).feed
    for batch in made.deltas:
        feed(batch)


def _log(made: _Made) -> None:
    log = _memory_log()
    for batch in made.events:
        log.append(batch)


def _in_loop(once: Callable[[_Made], Awaitable[None]]) -> Act:
    def act(made: _Made, answers: int) -> None:
        async def all_answers() -> None:
            for _ in range(answers):
                await once(made)

        uvloop.run(all_answers())

    return act


async def _hear(made: _Made) -> None:
    """A word by itself is taken where it is appended; what is more is left to the task, as at a door."""
    log = _memory_log()
    follower = log.follow()
    heard = False

    def hear(number: int, events: Sequence[Event]) -> bool:
        nonlocal heard
        heard = True
        return True

    follower.listen(hear)
    listening = asyncio.create_task(_listen(follower))
    await asyncio.sleep(0)
    for batch in made.events:
        heard = False
        log.append(batch)
        if not heard:
            await asyncio.sleep(0)
    follower.close()
    await listening


async def _follow(made: _Made) -> None:
    """Two tasks that take turns, as a provider's and a door's do."""
    log = _memory_log()
    follower = log.follow()
    listening = asyncio.create_task(_listen(follower))
    for batch in made.events:
        await asyncio.sleep(0)
        log.append(batch)
        await asyncio.sleep(0)
    follower.close()
    await listening


async def _listen(follower: MemoryFollower) -> None:
    async for _ in follower:
        pass


def _tell_lines(made: _Made) -> None:
    log = _memory_log()
    lines = TurnLines(log.turn, log.epoch, Params())
    number = 1
    for batch in made.events:
        lines.encode(number, batch)
        number += len(batch)


def _tell_frames(made: _Made) -> None:
    log = _memory_log()
    _tell_each(TurnFrames("1", log.turn, log.epoch, Params()), made)


def _tell_notices(made: _Made) -> None:
    log = _memory_log()
    _tell_each(TurnNotices("1", log.turn, log.epoch, Params()), made)


def _tell_each(frames: TurnFrames | TurnNotices, made: _Made) -> None:
    first = 1
    for batch in made.events:
        for number, event in enumerate(batch, first):
            frames.encode(number, event)
        first += len(batch)


def _reader(family: Family) -> SseReader | NdjsonReader:
    return SseReader() if LANGUAGES[family].framing == "sse" else NdjsonReader()


def _speaker(family: Family) -> Speaker:
    return LANGUAGES[family].speaker(host="host", quirks=frozenset())


def _assembler(family: Family) -> Assembler:
    origin = Origin("host", "scripted-model", family)
    return Assembler(step=1, origin=origin, first_part=1, runner_of=lambda tool: "server")


def _memory_log() -> MemoryLog:
    return MemoryJournal().open(new_turn_id())


if __name__ == "__main__":
    print(encode_stages(measure()), encode_languages(measure_languages()), sep="\n", end="")
