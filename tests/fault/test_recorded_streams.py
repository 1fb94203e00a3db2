"""Recorded streams of many hosts, damaged on their way over real sockets.

A turn is `completed` exactly where the event of the finish reason came whole, and nothing waits beyond its deadline.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate
from typing import Literal

import pytest
from msgspec.structs import replace

from parlance.core.events import Event
from parlance.core.provider import Deadlines, HostSpec
from parlance.core.transcript import fold_history
from parlance.net.egress import Egress
from parlance.providers.host import Host
from parlance.providers.languages import LANGUAGES
from parlance.testing.script import Break, Script, saying
from parlance.testing.upstream import ScriptedUpstream
from tests.golden.transcripts import Transcript, transcripts
from tests.probes.leaks import LeakProbe
from tests.turns.stage import PATIENCE, Stage, ended, ending

LANGUAGE = LANGUAGES["openai_chat"]
CASES = transcripts("openai_chat")
BREAKS: tuple[Break, ...] = ("fin", "chunk", "end", "reset")
NEVER_REACHED = 10**9
SHORT = 0.5
"""Seconds that a host which falls silent is given; a sound one needs none, also on a busy machine."""

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


class Recording:
    """A recorded body, its events, and from where on a cut spares the event that says why the model stopped."""

    def __init__(self, case: Transcript) -> None:
        self.case = case
        self.body = case.response
        self.events = tuple(event + b"\n\n" for event in self.body.split(b"\n\n")[:-1])
        self.ends = list(accumulate(map(len, self.events)))
        at = [end for event, end in zip(self.events, self.ends, strict=True) if self._finishes(event)]
        self.whole_from = at[0] if at else NEVER_REACHED
        at = [end for event, end in zip(self.events, self.ends, strict=True) if b'"error"' in event]
        self.failed_from = at[0] if at else NEVER_REACHED
        self.ends_in_error = b'"finish_reason":"insufficient_system_resource"' in self.body

    def completes(self, cut: int) -> bool:
        """Whether the first `cut` bytes are a whole answer."""
        return self.whole_from <= cut < self.failed_from and not self.ends_in_error

    def _finishes(self, event: bytes) -> bool:
        data = event.removeprefix(b"data: ").strip()
        if data == b"[DONE]":
            return "end_without_finish" in self.case.quirks
        try:
            choices = json.loads(data).get("choices") or []
        except ValueError:
            return False
        return any(choice.get("finish_reason") for choice in choices if choice["index"] == 0)


class Wire:
    """An engine, a host, and real sockets to a scripted upstream between them and its recording."""

    def __init__(self, upstream: ScriptedUpstream, egress: Egress, recording: Recording) -> None:
        self.recording = recording
        self.upstream = upstream
        self._egress = egress

    async def play(self, script: Script, *, deadlines: Deadlines | None = None) -> list[Event]:
        """The events of a turn whose first answer is this one; what comes behind calls of tools is sound."""
        self.upstream.plan(replace(script, events=script.events or self.recording.events))
        spec = HostSpec(
            name="lab",
            family="openai_chat",
            base_url=self.upstream.base_url,
            quirks=self.recording.case.quirks,
            deadlines=deadlines or Deadlines(5, 5, 5, 20),
        )
        stage = Stage(Host(spec, LANGUAGE, "key", egress=self._egress))
        try:
            return await ended(await stage.start())
        finally:
            await stage.engine.close()

    async def check_cut(self, cut: int, how: Break) -> None:
        ended_as = ending(await self.play(Script(cut=cut, break_by=how)))
        where = f"cut {how} at byte {cut} of {len(self.recording.body)}: {ended_as}"
        assert (ended_as.status == "completed") == self.recording.completes(cut), where
        if ended_as.status != "completed":
            assert ended_as.status in ("failed", "incomplete"), where
            assert ended_as.fault is not None, where
            assert ended_as.fault.code.startswith("upstream_"), where


@asynccontextmanager
async def wired(case: Transcript) -> AsyncIterator[Wire]:
    egress = Egress()
    try:
        async with ScriptedUpstream(default=saying("So it is."), strict=False) as upstream:
            yield Wire(upstream, egress, Recording(case))
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(request.gone.wait() for request in upstream.requests if request.held.is_set()))
    finally:
        await egress.close()


def told(events: Sequence[Event]) -> object:
    """What is history afterwards, and how the turn ended; ids that are made anew each time left out."""
    last = ending(events)
    return [message.text for message in fold_history(events)], last.status, last.finish, last.usage


def cuts_of(recording: Recording, *, every: bool) -> Iterable[int]:
    """Every byte; or those round the borders of events, and a byte here and there."""
    size = len(recording.body)
    if every:
        return range(1, size + 1)
    marks = {recording.whole_from, recording.failed_from, recording.ends[0]}
    return sorted(
        {at + step for at in marks for step in (-2, -1, 0, 1)} & {*range(1, size + 1)} | {*range(7, size, 97)}
    )


@each_case
async def test_a_stream_cut_at_any_byte_is_completed_only_where_its_finish_was_whole(
    case: Transcript, long_run: bool, leak_probe: LeakProbe
) -> None:
    """Each byte by one of four ways to break off; which of them, changes from byte to byte."""
    async with wired(case) as wire:
        for cut in cuts_of(wire.recording, every=long_run):
            for how in BREAKS if long_run and cut in wire.recording.ends else [BREAKS[cut % len(BREAKS)]]:
                await wire.check_cut(cut, how)


@each_case
async def test_a_connection_reset_behind_any_event_costs_only_what_had_not_come(
    case: Transcript, leak_probe: LeakProbe
) -> None:
    async with wired(case) as wire:
        for cut in wire.recording.ends:
            await wire.check_cut(cut, "reset")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All streams drip, each in both ways; in the short form every other one, in one of them."""
    if "dripping" in metafunc.fixturenames:
        each = [(case, delimit) for case in CASES for delimit in ("chunks", "close")]
        chosen = each if metafunc.config.getoption("--long") else each[::4] + each[3::4]
        metafunc.parametrize(
            ("dripping", "delimit"), chosen, ids=[f"{case.name}-{delimit}" for case, delimit in chosen]
        )


async def test_a_stream_that_drips_byte_by_byte_says_the_same(
    dripping: Transcript, delimit: Literal["chunks", "close"], leak_probe: LeakProbe
) -> None:
    async with wired(dripping) as wire:
        at_once = await wire.play(Script())
        dripped = await wire.play(Script(drip=1, delimit=delimit))
    assert told(dripped) == told(at_once)
    assert (ending(dripped).status == "completed") == wire.recording.completes(len(wire.recording.body))


async def test_a_host_that_falls_silent_behind_an_event_is_given_up_at_its_deadline(
    long_run: bool, leak_probe: LeakProbe
) -> None:
    """Once the finish has come, silence costs nothing but what would have come behind it."""
    await asyncio.gather(*(fall_silent(case, behind_each=long_run) for case in CASES))


async def fall_silent(case: Transcript, *, behind_each: bool) -> None:
    async with wired(case) as wire:
        recording = wire.recording
        finish = [number for number, end in enumerate(recording.ends, 1) if end == recording.whole_from]
        for number in range(len(recording.ends)) if behind_each else {*finish, len(case.name) % len(recording.ends)}:
            deadlines = Deadlines(connect=5, first=SHORT, idle=SHORT, total=20)
            last = ending(await wire.play(Script(hold_after=number), deadlines=deadlines))
            sent = recording.ends[number - 1] if number else 0
            where = f"{case.name} silent behind event {number}: {last}"
            assert (last.status == "completed") == recording.completes(sent), where
            if sent < min(recording.whole_from, recording.failed_from):
                assert last.fault is not None, where
                assert last.fault.code in ("upstream_timeout", "upstream_invalid"), where
