"""Streams that come and go for a long time: what is left behind adds up, if anything is."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import linear_regression, mean

import httpx
import pytest
from msgspec import Struct

from tests.acceptance.chat_lines import ask, begun
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.rpc_session import open_session
from tests.acceptance.server_process import ServerProcess, started
from tests.fault.ticking_upstream import TickingUpstream
from tests.probes.leaks import LeakProbe, open_files, resident

HOUR = 3600.0
NO_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=10)
MAX_SLOPE = 0.02
"""Of the memory that is held, an hour."""


class Churn(Struct, frozen=True):
    """So many new streams a second, which say `words` words in `lasts` seconds, for `seconds`. The server is warm after
    a third of them.
    """

    seconds: float
    lasts: float
    words: int = 20
    rate: float = 20.0
    sampled: float = 10.0

    def say(self, _: str, moment: int) -> str:
        return f"word {moment} " if moment < self.words else ""


class Sample(Struct, frozen=True):
    at: float
    memory: int
    files: int


class Client:
    """What a client may do at each door: hear all, leave in the middle, or cancel."""

    def __init__(self, server: ServerProcess, http: httpx.AsyncClient) -> None:
        self._server = server
        self._http = http
        self.ways: tuple[Callable[[], Coroutine[None, None, None]], ...] = (
            self.hear_lines,
            self.hear_frames,
            self.hear_notices,
            self.leave_lines,
            self.leave_frames,
            self.leave_notices,
            self.cancel_lines,
            self.cancel_frames,
            self.cancel_notices,
        )

    async def hear_lines(self) -> None:
        answer = await ask(self._http, "Hello")
        assert answer.whole

    async def hear_frames(self) -> None:
        async with open_chat(self._server) as chat:
            assert (await chat.ask("Hello"))[-1]["status"] == "complete"

    async def hear_notices(self) -> None:
        async with open_session(self._server) as session:
            assert (await session.ask("Hello"))[-1]["params"]["status_message"] == "completed"

    async def leave_lines(self) -> None:
        async with begun(self._http, "Hello") as answer:
            await answer.until("delta")

    async def leave_frames(self) -> None:
        async with open_chat(self._server) as chat:
            await chat.frames_until(await chat.chat("Hello"), "text")
            chat.connection.transport.abort()

    async def leave_notices(self) -> None:
        async with open_session(self._server) as session:
            await session.generate("Hello")
            await session.notices_until("text_chunk")
            session.connection.transport.abort()

    async def cancel_lines(self) -> None:
        async with begun(self._http, "Hello") as answer:
            await answer.until("delta")
            await self._http.post(f"/chat/{answer.turn_id}/cancel")
            assert (await answer.rest()).lines[-1]["status"] == "cancelled"

    async def cancel_frames(self) -> None:
        async with open_chat(self._server) as chat:
            request_id = await chat.chat("Hello")
            await chat.frames_until(request_id, "text")
            await chat.cancel(request_id)
            assert (await chat.answer(request_id))[-1]["metadata"]["status"] == "cancelled"

    async def cancel_notices(self) -> None:
        async with open_session(self._server) as session:
            task_id = await session.generate("Hello")
            await session.notices_until("text_chunk")
            await session.done("cancel", task_id=task_id)
            assert (await session.answer())[-1]["params"]["status_message"] == "cancelled"


@pytest.mark.requirement("server:churn")
async def test_streams_that_come_and_go_leave_nothing_behind(tmp_path: Path, long_run: bool) -> None:
    churn = Churn(1_800, 5) if long_run else Churn(3, 0.4, sampled=0.5)
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(TickingUpstream(churn.lasts / churn.words, churn.say))
        lab = {
            "OPENAI_API_KEY": "sk-lab",
            "OPENAI_API_BASE_URL": upstream.base_url,
            "DEFAULT_MODEL": "openai/scripted-model",
            "LOG_LEVEL": "WARNING",
            # Ended turns fill their room within the warm-up.
            "PARLANCE_JOURNAL__LIVE_RETENTION": "120",
        }
        server = await stack.enter_async_context(started(tmp_path, lab))
        probe = LeakProbe(server.pid)
        # Its pool would make cancels wait for answers to end.
        async with httpx.AsyncClient(
            base_url=server.address, limits=NO_LIMITS, timeout=60, trust_env=False, verify=False
        ) as http:
            samples = await keep_coming(churn, Client(server, http), server.pid)
        await probe.settled()
        if long_run:
            check(samples)


async def keep_coming(churn: Churn, client: Client, pid: int) -> list[Sample]:
    samples: list[Sample] = []
    ways = itertools.cycle(client.ways)
    async with asyncio.timeout(churn.seconds + 60), asyncio.TaskGroup() as group:
        async for at in beats(1 / churn.rate, churn.seconds):
            group.create_task(next(ways)())
            if at >= len(samples) * churn.sampled:
                samples.append(Sample(at, resident(pid), open_files(pid)))
                print(f"{at:.0f} s: {samples[-1].memory / 2**20:.2f} MiB, {samples[-1].files} files", flush=True)
    return samples


async def beats(interval: float, seconds: float) -> AsyncIterator[float]:
    """The seconds since it began, in a steady rhythm."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(int(seconds / interval)):
        beat = loop.create_future()
        loop.call_at(began + number * interval, beat.set_result, None)
        await beat
        yield loop.time() - began


def check(samples: Sequence[Sample]) -> None:
    warm = samples[len(samples) // 3 :]
    slope = linear_regression([one.at for one in warm], [one.memory for one in warm]).slope
    growth = slope * HOUR / mean(one.memory for one in warm)
    files = [mean(one.files for one in half) for half in (warm[: len(warm) // 2], warm[len(warm) // 2 :])]
    print(f"memory: {growth:+.2%} an hour; files: {files[0]:.1f}, then {files[1]:.1f}")
    assert growth < MAX_SLOPE
    assert files[1] < files[0] * 1.05
