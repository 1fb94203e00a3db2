"""The window of a model is asked for once, kept while it is needed, and never fails a turn."""

import asyncio
import json
import logging
from collections.abc import Sequence

from msgspec.structs import replace

from parlance.core.deltas import Noted
from parlance.core.errors import HostAnswerInvalid
from parlance.core.messages import user_message
from parlance.core.provider import Deadlines, EncodedRequest, HostAnswer, HostSpec
from parlance.core.requests import Request, Window
from parlance.dialects.ollama.speak import Ollama
from parlance.providers.windows import FRESH, FRESH_FAILURE, HELD, MOST, Windows
from parlance.testing.clock import FakeClock
from parlance.testing.upstream import ScriptedUpstream
from tests.probes.leaks import LeakProbe
from tests.unit.providers.hosts import ASK, host_at, read_all, spec_at, text_of

LONG = Request(model="scripted-model", messages=(user_message("word " * 9000),))
KNOWN = HostAnswer(200, {}, json.dumps({"model_info": {"x.context_length": 65536}}).encode())


class Asking:
    """Gives these answers in turn, the last for ever, and keeps the models asked about."""

    def __init__(self, *answers: HostAnswer | Exception) -> None:
        self.models: list[str] = []
        self._answers = list(answers)

    async def ask(self, question: EncodedRequest) -> HostAnswer:
        self.models.append(json.loads(question.body)["model"])
        await asyncio.sleep(0)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def windows(asking: Asking, clock: FakeClock) -> Windows:
    return Windows(Ollama(), asking.ask, logging.getLogger("test"), now=clock.monotonic)


async def fit(windows: Windows, request: Request = ASK) -> Window | None:
    """The window of a request, which is then sent."""
    fitted = await windows.fit(request)
    windows.keep(request.model, Ollama().encode_request(fitted, host="lab", quirks=frozenset()))
    return fitted.window


def spec_of(upstream: ScriptedUpstream) -> HostSpec:
    address = upstream.base_url_of("ollama")
    return HostSpec(name="lab", family="ollama", base_url=address, deadlines=Deadlines(5, 5, 5, 20), exact=True)


def reserved(upstream: ScriptedUpstream) -> Sequence[int]:
    """The `num_ctx` of each chat."""
    return [
        json.loads(request.body)["options"]["num_ctx"] for request in upstream.requests if request.path == "/api/chat"
    ]


def paths(upstream: ScriptedUpstream) -> list[str]:
    return [request.path for request in upstream.requests]


async def test_a_window_is_asked_for_once_per_model_also_by_many_at_once() -> None:
    asking, clock = Asking(KNOWN), FakeClock()
    known = windows(asking, clock)
    assert await asyncio.gather(*(fit(known) for _ in range(5)))
    assert (await fit(known, replace(ASK, model="other"))) is not None
    assert asking.models == ["scripted-model", "other"]
    await clock.advance(FRESH)
    await fit(known)
    assert len(asking.models) == 3


async def test_one_that_was_not_told_is_asked_for_again_and_an_old_one_counts_meanwhile() -> None:
    refused = HostAnswer(404, {}, b"{}")
    asking, clock = Asking(OSError(), refused, HostAnswerInvalid("x"), KNOWN, OSError()), FakeClock()
    known = windows(asking, clock)
    for _ in range(3):
        assert await fit(known) is None
        assert await fit(known) is None
        await clock.advance(FRESH_FAILURE)
    assert len(asking.models) == 3
    assert (found := await fit(known)) is not None
    await clock.advance(FRESH)
    assert (await fit(known)) == replace(found, held=0)
    assert len(asking.models) == 5


async def test_a_host_that_does_not_say_it_in_time_is_not_waited_for() -> None:
    async def ask(question: EncodedRequest) -> HostAnswer:
        await asyncio.Event().wait()
        return KNOWN

    assert await fit(Windows(Ollama(), ask, logging.getLogger("test"), patience=0.01)) is None


async def test_a_larger_window_is_held_as_long_as_a_host_keeps_an_idle_model() -> None:
    clock = FakeClock()
    known = windows(Asking(KNOWN), clock)
    assert await fit(known, LONG) == Window(65536)
    await clock.advance(HELD - 1)
    assert await fit(known) == Window(65536, held=32768)
    await clock.advance(1)
    assert await fit(known) == Window(65536)
    assert await fit(known) == Window(65536, held=8192)


async def test_no_more_models_are_remembered_than_a_host_has() -> None:
    asking, clock = Asking(KNOWN), FakeClock()
    known = windows(asking, clock)
    for number in range(MOST + 1):
        await fit(known, replace(ASK, model=f"m{number}"))
    await fit(known, replace(ASK, model=f"m{MOST}"))
    await fit(known, replace(ASK, model="m0"))
    assert asking.models[MOST:] == [f"m{MOST}", "m0"]


async def test_a_host_asks_before_its_first_chat_and_reserves_what_was_needed_last(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(window=20000) as upstream, host_at(spec_of(upstream)) as host:
        for request in (ASK, LONG, ASK):
            assert text_of(await read_all(host, request)) == "Hello there!"
        assert paths(upstream) == ["/api/show", "/api/chat", "/api/chat", "/api/chat"]
        assert reserved(upstream) == [8192, 20000, 20000]
        assert upstream.accepted == 1


async def test_a_host_that_will_not_say_answers_all_the_same(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(window=None) as upstream, host_at(spec_of(upstream)) as host:
        assert text_of(await read_all(host, LONG)) == "Hello there!"
        assert reserved(upstream) == [32768]


async def test_a_caller_is_warned_when_its_host_will_leave_something_out(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(window=4096) as upstream, host_at(spec_of(upstream)) as host:
        notes = [delta for delta in await read_all(host, LONG) if isinstance(delta, Noted)]
    assert [note.code for note in notes] == ["request_cut"]
    assert "scripted-model at lab takes 4096 at once" in notes[0].message


async def test_a_host_says_how_much_its_models_take() -> None:
    asking, clock = Asking(KNOWN, HostAnswer(500, {}, b"")), FakeClock()
    known = windows(asking, clock)
    window = await known.of("first")
    assert window is not None
    assert window.tokens == 65536
    assert await known.of("second") is None


async def test_a_host_that_speaks_of_windows_answers_for_itself(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(window=20000) as upstream, host_at(spec_of(upstream)) as host:
        assert await host.window("scripted-model") == 20000
        await read_all(host)
        assert paths(upstream) == ["/api/show", "/api/chat"]
    async with ScriptedUpstream() as upstream, host_at(spec_at(upstream.base_url)) as host:
        assert await host.window("scripted-model") is None
        assert not upstream.requests
