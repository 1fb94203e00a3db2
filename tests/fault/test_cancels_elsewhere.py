"""Stored turns that one process runs are cancelled at the other, at any door and at any moment: the host is left, what
was shown stays and nothing is added, twice is once, and a stale cancel touches no other turn. With one process on
SQLite the other is the same.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from pathlib import Path

import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script, refusing, saying
from tests.acceptance.chat_lines import DEADLINE, Answer
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import join
from tests.acceptance.scripts import PAUSED, WEATHER, calling
from tests.acceptance.server_process import SOURCE, started
from tests.fault.resuming import ALL_DOORS, Doors
from tests.fault.several import doors_of, new_chat, servers_on, settings_of
from tests.fault.test_random_cancels import Site, check_figures, passed
from tests.fault.test_two_processes import told_to_end, turn_of
from tests.probes.leaks import LeakProbe, settled

SEED = 12
WORKERS = 4
MANY = 1_000

MOMENTS = ("queued", "no_head", "no_text", "between", "streaming", "tool", "waiting", "retry", "behind_the_end", "any")
RUNNING = ("queued", "no_head", "no_text", "between", "tool", "waiting", "retry")
"""Those at which the turn can't have ended by itself."""

LONG = Reply(text=tuple(f"{number} " for number in range(60)))
MUST_NOT = saying("This must not come.")
FULL = refusing(503, "Come back later.", headers=(("retry-after", "8"),))


class Worker:
    """Has a host of its own, and begins at one process what it cancels at the other."""

    def __init__(self, number: int, processes: list[Doors], upstream: PlannedUpstream) -> None:
        self.done: Counter[str] = Counter()
        self.waits: list[float] = []
        self.upstream = upstream
        self.site = Site()
        self._model = f"lab{number}/scripted-model"
        self._dice = random.Random(f"{SEED}/{number}")
        self._processes = processes
        self._chat = ""

    async def work(self, cases: Sequence[tuple[str, str]]) -> None:
        async with self.site.open():
            for number, (moment, door) in enumerate(cases):
                try:
                    async with asyncio.timeout(DEADLINE):
                        await self._cancel_once(moment, door)
                except BaseException as error:
                    error.add_note(f"seed {SEED}, {self._model}, number {number}: {moment} at {door}")
                    raise
                self.done[moment] += 1

    async def _cancel_once(self, moment: str, door: str) -> None:
        dice, upstream = self._dice, self.upstream
        near, far = dice.sample(self._processes, 2) if len(self._processes) > 1 else self._processes * 2
        upstream.begin()
        self._chat = await new_chat(near.client)
        first = await self._begun_first(near) if moment == "queued" else None
        upstream.plan(_script(moment, dice, self.site.port), MUST_NOT)
        turn = await self._send(near, "Go on")
        await self._reach(moment, near, turn)
        shown, acknowledged = await cancel(far, door, turn)
        await cancel(dice.choice((near, far)), dice.choice(ALL_DOORS), turn)
        ended = [await turn_of(doors, turn) for doors in (near, far)]
        assert ended[0] == ended[1]
        status = ended[0]["status"]
        assert status == "cancelled" or (status == "completed" and moment not in RUNNING), ended
        if status == "cancelled":
            # What was shown when the cancel was acknowledged is all that there ever is.
            assert [await text_of(doors, turn) for doors in (near, far)] == [shown] * 2
            assert "must not" not in shown
            assert len(upstream.requests) <= 1
        if moment == "tool":
            await self.site.gone.acquire()
        if first is not None:
            upstream.requests[0].go()
            assert await text_of(far, first) == "one two"
        await settled(lambda: upstream.open_connections == 0)
        self.waits += [one.gone_at - acknowledged for one in upstream.requests if one.gone_at is not None]
        await self._cancel_stale(near, far, door, turn)

    async def _cancel_stale(self, near: Doors, far: Doors, door: str, stale: str) -> None:
        """One that names the turn before does not touch the one that runs in the same chat."""
        self.upstream.begin()
        self.upstream.plan(Script(reply=PAUSED.reply, hold_after=2, keep_alive=False))
        turn = await self._send(near, "And now?")
        await (await self.upstream.arrival()).held.wait()
        await cancel(far, door, stale)
        self.upstream.requests[0].go()
        assert await text_of(far, turn) == "one two"
        assert (await turn_of(near, turn))["status"] == "completed"

    async def _begun_first(self, near: Doors) -> str:
        self.upstream.plan(Script(reply=PAUSED.reply, hold_after=2, keep_alive=False))
        first = await self._send(near, "First")
        await (await self.upstream.arrival()).held.wait()
        return first

    async def _send(self, doors: Doors, text: str) -> str:
        body = {"content": text, "model": self._model, "tools": [{"type": "function", "function": WEATHER}]}
        path = f"/api/v1/chats/{self._chat}/messages"
        sent = await doors.client.post(path, json=body, headers={"prefer": "respond-async"})
        assert sent.status_code == 202, sent.text
        turn: str = sent.json()["id"]
        return turn

    async def _reach(self, moment: str, near: Doors, turn: str) -> None:
        """Returns at the moment to cancel."""
        match moment:
            case "no_head" | "no_text" | "between":
                await (await self.upstream.arrival()).held.wait()
            case "streaming":
                await self._until_text(near, turn, self._dice.randint(1, 40))
            case "tool":
                await self.site.come.acquire()
            case "waiting":
                async with near.client.stream("GET", f"/chat/{turn}") as response:
                    await Answer(response).until("tool_call")
            case "retry":
                refused = await self.upstream.arrival()
                await settled(lambda: refused.sent_events == 1)
            case "behind_the_end":
                await told_to_end(near, "ndjson_chat", turn)
            case "any":
                await passed(self._dice.uniform(0, 0.1))
            case _:
                pass

    async def _until_text(self, near: Doors, turn: str, pieces: int) -> None:
        async with near.resumed("ndjson_chat", turn, None) as telling:
            for _ in range(pieces):
                if (await anext(telling)).last:
                    return


async def cancel(doors: Doors, door: str, turn: str) -> tuple[str, float]:
    """The text when the cancel was acknowledged, or the turn had ended before, and the time of that."""
    match door:
        case "ws_chat":
            async with open_chat(doors.server) as chat:
                await chat.resume(turn_id=turn, request_id="again")
                await chat.send({"action": "cancel", "turn_id": turn})
                await chat.answer("again")
        case "json_rpc":
            return await _cancel_at_d(doors, turn)
        case _:
            path = f"/api/v1/turns/{turn}/cancel" if door == "rest" else f"/chat/{turn}/cancel"
            answer = await doors.client.post(path, json={})
            assert answer.status_code == 200, answer.text
            assert answer.json()["status"] in ("cancelled", "completed"), answer.text
    acknowledged = asyncio.get_running_loop().time()
    return await text_of(doors, turn), acknowledged


async def _cancel_at_d(doors: Doors, turn: str) -> tuple[str, float]:
    """Who follows the turn there is told nothing behind the acknowledgement but its end."""
    async with join(doors.server, doors.session_id) as session:
        await session.done("resume", task_id=turn, after=None)
        response = await session.call("cancel", task_id=turn)
        acknowledged = asyncio.get_running_loop().time()
        assert "result" in response or response["error"]["code"] == -32003, response
        told = list(session._kept)
        notices = [await session.notice()]
        while notices[-1]["method"] != "end":
            notices.append(await session.notice())
        behind = [notice["method"] for notice in notices[len(told) :]]
        assert behind in ([], ["end"]), behind
    return "".join(one["params"]["chunk"] for one in notices if one["method"] == "text_chunk"), acknowledged


async def text_of(doors: Doors, turn: str) -> str:
    return "".join(one.text for one in await told_to_end(doors, "ndjson_chat", turn))


def _script(moment: str, dice: random.Random, site: int) -> Script:
    """What the host does, so that the moment comes. Connections are not kept, so that those left over show."""
    match moment:
        case "no_head":
            return Script(hold_head=True)
        case "no_text":
            return Script(hold_after=dice.randint(0, 1))
        case "between":
            return Script(reply=LONG, hold_after=dice.randint(2, 50))
        case "retry":
            return Script(status=FULL.status, refusal=FULL.refusal, headers=FULL.headers, keep_alive=False)
        case "tool":
            return Script(reply=calling(("dig", f'{{"site":{site}}}')).reply, keep_alive=False)
        case "waiting":
            return Script(reply=calling(("get_weather", "{}")).reply, keep_alive=False)
        case "streaming" | "any":
            return Script(reply=LONG, event_delay=0.002, keep_alive=False)
        case _:
            return Script(keep_alive=False)


@asynccontextmanager
async def open_workers(url: str, folder: Path) -> AsyncIterator[tuple[list[Doors], list[Worker]]]:
    """Processes with one provider for each worker, and the tool that digs."""
    async with AsyncExitStack() as held:
        upstreams = [await held.enter_async_context(PlannedUpstream()) for _ in range(WORKERS)]
        hosts = [
            f"  lab{n}: {{host: openai_compatible, base_url: '{one.base_url}'}}" for n, one in enumerate(upstreams)
        ]
        path = os.pathsep.join((str(Path(__file__).parent / "digging"), str(SOURCE)))
        processes = []
        for number in range(servers_on(url)):
            own = folder / f"server {number}"
            own.mkdir()
            (own / "parlance.yaml").write_text("providers:\n" + "\n".join(hosts) + "\n")
            settings = {**settings_of(folder, url), "PYTHONPATH": path}
            server = await held.enter_async_context(started(own, settings))
            processes.append(await held.enter_async_context(doors_of(server)))
        yield processes, [Worker(number, processes, upstream) for number, upstream in enumerate(upstreams)]


@pytest.mark.requirement("durability:cancel")
async def test_a_stored_turn_is_cancelled_from_anywhere_and_nothing_else_is(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    own = LeakProbe()
    async with open_workers(database_url, tmp_path) as (processes, workers):
        cases = list(product(MOMENTS, ALL_DOORS))
        if long_run:
            cases = random.Random(SEED).choices(cases, k=MANY)
        else:
            # Each moment at two doors.
            cases = [case for number, case in enumerate(cases) if number % 2 == number // len(ALL_DOORS) % 2]
        await asyncio.gather(*(worker.work(cases[place::WORKERS]) for place, worker in enumerate(workers)))
        for doors in processes:
            await check_figures(doors.server)
    await own.settled()
    print(report(workers))


def report(workers: list[Worker]) -> str:
    """How many at which moment, and from the acknowledgement to the host's end of the connection."""
    waits = sorted(wait for worker in workers for wait in worker.waits)
    p50, p99 = (1000 * waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
    done = sum((worker.done for worker in workers), Counter[str]())
    return f"{dict(done)}; host left {p50:.1f} ms (p50), {p99:.1f} ms (p99) after the acknowledgement"
