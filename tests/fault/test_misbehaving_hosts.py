"""Each thing that a scripted upstream does wrong on order, and what becomes of the turn that meets it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parlance.core.events import Status
from parlance.core.provider import Deadlines, HostSpec
from parlance.core.transcript import fold_history
from parlance.net.egress import Egress
from parlance.net.framing import MAX_FRAME
from parlance.providers.host import Host
from parlance.providers.languages import LANGUAGES
from parlance.testing.reply import Reply
from parlance.testing.script import Script, refusing
from parlance.testing.upstream import ScriptedUpstream
from tests.probes.leaks import LeakProbe
from tests.turns.laws import broken_laws
from tests.turns.stage import PATIENCE, Stage, ending

HELLO = "Hello there!"
LARGE = "x" * (1 << 20)
ENDLESS = (b"data: ", *[LARGE.encode()] * (2 + MAX_FRAME // len(LARGE)))

# What the host does; how the turn ends; its code; what of the answer is history.
CASES: dict[str, tuple[Script, Status, str | None, str | None]] = {
    "status": (refusing(503, "busy"), "failed", "upstream_failed", None),
    "headers": (refusing(429, "slow down", headers=(("retry-after", "7"),)), "failed", "upstream_rate_limited", None),
    "content type": (Script(body=b"<p>Hi</p>", content_type="text/html"), "failed", "upstream_invalid", None),
    "delay of the head": (Script(head_delay=60), "failed", "upstream_timeout", None),
    "delay within bounds": (Script(head_delay=0.01, event_delay=0.01), "completed", None, HELLO),
    "delay per event": (Script(event_delay=60), "failed", "upstream_timeout", None),
    "cut": (Script(cut=500), "incomplete", "upstream_truncated", "Hello"),
    "cut inside a chunk": (Script(cut=500, break_by="chunk"), "incomplete", "upstream_truncated", "Hello"),
    "reset": (Script(cut=500, break_by="reset"), "incomplete", "upstream_truncated", "Hello"),
    "drip": (Script(drip=1), "completed", None, HELLO),
    "garbage that no event is": (Script(garbage=b"\x00\xff\xfenonsense\n\n"), "completed", None, HELLO),
    "garbage in an event": (Script(garbage=b"data: \xff{]\n\n"), "failed", "upstream_invalid", None),
    "no HTTP at all": (Script(raw=b"\x16\x03\x01"), "failed", "upstream_invalid", None),
    "an event over 1 MiB": (Script(reply=Reply(text=(LARGE, "!"))), "completed", None, LARGE + "!"),
    "an event over 1 MiB that drips": (Script(reply=Reply(text=(LARGE,)), drip=65_536), "completed", None, LARGE),
    "an event that never ends": (Script(events=ENDLESS), "failed", "upstream_invalid", None),
    "an error in the stream": (Script(stream_error="it broke"), "failed", "upstream_failed", None),
    "no ending": (Script(finish=False, done=False), "incomplete", "upstream_truncated", HELLO),
    "no terminator": (Script(done=False), "completed", None, HELLO),
    "a body that ends with its connection": (Script(delimit="close"), "completed", None, HELLO),
}  # fmt: skip


@pytest.fixture
async def egress(leak_probe: LeakProbe) -> AsyncIterator[Egress]:
    egress = Egress()
    yield egress
    await egress.close()


@pytest.mark.parametrize("case", CASES)
async def test_a_turn_outlives_whatever_its_host_does(case: str, egress: Egress) -> None:
    script, status, code, shown = CASES[case]
    async with ScriptedUpstream(script) as upstream, asyncio.timeout(PATIENCE):
        # One that does its part in the end has all the time it needs, also on a busy machine.
        within = 5.0 if status == "completed" else 0.3
        deadlines = Deadlines(connect=5, first=within, idle=within, total=20)
        spec = HostSpec(name="lab", family="openai_chat", base_url=upstream.base_url, deadlines=deadlines)
        stage = Stage(Host(spec, LANGUAGES["openai_chat"], "key", egress=egress))
        turn = await stage.start()
        await turn.finished()
        await stage.engine.close()
    # Of an answer this large the log keeps no growth, so that its laws can't be looked at one by one.
    events = list(turn.log.read())
    assert len(shown or "") >= len(LARGE) or not broken_laws(events)
    last = ending(events)
    assert (last.status, last.fault.code if last.fault else None) == (status, code), last
    assert [message.text for message in fold_history(events)] == ["Hi", *([shown] if shown is not None else [])]
    assert last.fault is None or last.fault.retry_after == (7 if case == "headers" else None)


def test_everything_that_can_be_ordered_is_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs/testing-your-front-end.md").read_text(encoding="utf-8")
    assert [field for field in Script.__struct_fields__ if f"`{field}`" not in page] == []
