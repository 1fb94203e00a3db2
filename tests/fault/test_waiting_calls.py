"""Calls of stored turns that wait for their callers: answered once, at any door, by whom they are for; and when nobody
answers in time the model is told so, also by a process that did not ask.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.chat_lines import Answer, open_client, problem_of
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import create_session, join
from tests.acceptance.scripts import WEATHER, calling
from tests.acceptance.server_process import ServerProcess
from tests.acceptance.two_subtenants import ANN, BOB, KEYS, bearer
from tests.fault.several import PATIENCE, servers_on, settings_of
from tests.probes.polling import until

CALLING = calling(("get_weather", '{"city":"Oslo"}'), ("get_weather", '{"city":"Rome"}'))
DOORS = ("ws_chat", "ndjson_chat", "json_rpc", "rest")

WAIT = 4.0
"""Seconds in which a call must be answered, where nobody does."""


@asynccontextmanager
async def guarded(
    folder: Path, name: str, url: str, upstream: PlannedUpstream, **more: str
) -> AsyncIterator[ServerProcess]:
    """A process in which everybody needs a key. It may be killed before the block ends."""
    own = folder / name
    own.mkdir()
    (own / "parlance.yaml").write_text(KEYS)
    server = ServerProcess(own, {**settings_of(folder, url, upstream), **more})
    await asyncio.to_thread(server.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


async def asking(client: httpx.AsyncClient, calls: int) -> tuple[str, list[str]]:
    """A turn whose calls wait, and their ids."""
    body = {"message": "How is it?", "chat_id": "new", "tools": [WEATHER]}
    async with client.stream("POST", "/chat", json=body) as response:
        answer = Answer(response)
        found = [(await answer.until("tool_call"))["tool_call"]["id"] for _ in range(calls)]
        return answer.turn_id, found


async def give(server: ServerProcess, door: str, turn: str, calls: Sequence[str], who: str = ANN) -> str | None:
    """The code of the refusal, as that door says it; None where the results were taken."""
    results = [{"tool_call_id": call, "output": f"rain at {call}"} for call in calls]
    match door:
        case "ws_chat":
            return await _give_at_a(server, turn, results, who)
        case "json_rpc":
            return await _give_at_d(server, turn, results, who)
        case _:
            path = f"/api/v1/turns/{turn}/tool_results" if door == "rest" else f"/chat/{turn}/tool_results"
            said = [{"tool_call_id": one["tool_call_id"], "result": one["output"]} for one in results]
            async with open_client(server, bearer(who)) as client:
                given = await client.post(path, json={"results": said if door == "rest" else results})
            if given.status_code == 200:
                return None
            code: str = given.json()["code"]
            problem_of(given, 404 if code == "turn_not_found" else 409, code)
            return code


async def _give_at_a(server: ServerProcess, turn: str, results: Sequence[Mapping[str, str]], who: str) -> str | None:
    """Results that are taken are not acknowledged there: what comes back to the next word says that they were."""
    async with open_chat(server, headers=bearer(who)) as socket:
        await socket.give(*results, turn_id=turn)
        await socket.send({"action": "nonsense", "request_id": "behind"})
        frame = await socket.frame()
        code: str = frame["code"]
        return None if frame["request_id"] == "behind" else code


async def _give_at_d(server: ServerProcess, turn: str, results: Sequence[Mapping[str, str]], who: str) -> str | None:
    said = [{"tool_call_id": one["tool_call_id"], "result": one["output"]} for one in results]
    session_id = await create_session(server, headers=bearer(who))
    async with join(server, session_id, headers=bearer(who)) as session:
        response = await session.call("tool_result", task_id=turn, results=said)
    if "result" in response:
        return None
    error = response["error"]
    code: str = error["data"]["code"]
    assert error["code"] == {"call_not_waiting": -32002, "turn_not_found": -32004}[code]
    return code


async def rest_of(client: httpx.AsyncClient, turn: str) -> list[dict[str, Any]]:
    """All that the turn has told, at its end."""
    async with client.stream("GET", f"/chat/{turn}") as response:
        assert response.status_code == 200, await response.aread()
        return (await Answer(response).rest()).lines


async def kept(client: httpx.AsyncClient, turn: str) -> None:
    """Returns when the first result, and that the turn waits for another, are in the database."""
    async with client.stream("GET", f"/chat/{turn}") as response:
        cursor = (await Answer(response).until("tool_result"))["cursor"]

    async def seen() -> bool:
        found = (await client.get(f"/api/v1/turns/{turn}")).json()
        return bool(found["status"] == "waiting" and found["cursor"] == cursor)

    await until(seen, within=PATIENCE)


async def waits(client: httpx.AsyncClient, turn: str) -> bool:
    """As the database has it."""
    return bool((await client.get(f"/api/v1/turns/{turn}")).json()["status"] == "waiting")


async def is_over(client: httpx.AsyncClient, turn: str) -> bool:
    found: str = (await client.get(f"/api/v1/turns/{turn}")).json()["status"]
    assert found in ("waiting", "running", "completed"), found
    return found == "completed"


@pytest.mark.requirement("durability:calls:once")
async def test_a_waiting_call_is_answered_once_and_by_whom_it_is_for_at_every_door(
    database_url: str, tmp_path: Path
) -> None:
    async with PlannedUpstream() as upstream, AsyncExitStack() as stack:
        names = [f"server {number}" for number in range(servers_on(database_url))]
        servers = [await stack.enter_async_context(guarded(tmp_path, one, database_url, upstream)) for one in names]
        here, there = servers[0], servers[-1]
        ann = await stack.enter_async_context(open_client(here, bearer(ANN)))
        for door in DOORS:
            upstream.begin()
            upstream.plan(CALLING)
            turn, (first, second) = await asking(ann, 2)
            for server in (here, there):
                assert await give(server, door, turn, [first], BOB) == "turn_not_found"
                assert await give(server, door, "01234567-89ab-7def-8123-456789abcdef", [first]) == "turn_not_found"
                # Of a message with one that is not waited for nothing is taken.
                assert await give(server, door, turn, ["call_of_nobody"]) == "call_not_waiting"
                assert await give(server, door, turn, [first, "call_of_nobody"]) == "call_not_waiting"
                assert await give(server, door, turn, [first, first]) == "call_not_waiting"
            assert await give(there, door, turn, [first]) is None
            assert await give(here, door, turn, [first, second]) == "call_not_waiting"
            assert await give(here, door, turn, [second]) is None
            lines = await rest_of(ann, turn)
            assert [line["tool_result"]["output"] for line in lines if "tool_result" in line] == [
                f"rain at {call}" for call in (first, second)
            ]
            assert lines[-1]["finish_reason"] == "stop"
            for server in (here, there):
                assert await give(server, door, turn, [second]) == "call_not_waiting"
            assert len(upstream.requests) == 2


@pytest.mark.requirement("durability:calls:expiry")
async def test_a_call_that_nobody_answers_is_an_error_for_the_model_though_its_process_died(
    database_url: str, tmp_path: Path, long_run: bool
) -> None:
    """Where another process can't be there already, the next one is started. Who is killed is missed after a while."""
    wait = {"PARLANCE_TOOLS__WAIT": str(WAIT)}
    async with PlannedUpstream(CALLING) as upstream, AsyncExitStack() as stack:
        another = guarded(tmp_path, "other", database_url, upstream)
        early = await stack.enter_async_context(another) if database_url else None
        async with guarded(tmp_path, "first", database_url, upstream, **wait) as first:
            async with open_client(first, bearer(ANN)) as ann:
                turn, calls = await asking(ann, 2)
                assert await give(first, "rest", turn, calls[:1]) is None
                await kept(ann, turn)
            if long_run or not database_url:
                first.kill()
        other = await stack.enter_async_context(another) if early is None else early
        ann = await stack.enter_async_context(open_client(other, bearer(ANN)))
        ann.timeout = httpx.Timeout(PATIENCE)

        await until(partial(is_over, ann, turn), within=PATIENCE)
        lines = await rest_of(ann, turn)
        results = [line["tool_result"] for line in lines if "tool_result" in line]
        assert [(one["tool_call_id"], one["output"]) for one in results] == [
            (calls[0], f"rain at {calls[0]}"),
            (calls[1], None),
        ]
        assert lines[-1]["finish_reason"] == "stop"
        for door in DOORS:
            assert await give(other, door, turn, calls[1:]) == "call_not_waiting"
        told = [message for message in upstream.sent(1)["messages"] if message["role"] == "tool"]
        assert [message["content"] for message in told] == [f"rain at {calls[0]}", results[1]["error"]]


@pytest.mark.requirement("durability:calls:acknowledged")
@pytest.mark.parametrize("door", ["rest", "ndjson_chat", "json_rpc"])
async def test_a_result_that_was_acknowledged_is_not_lost_with_its_process(door: str, tmp_path: Path) -> None:
    """Killed at once behind the acknowledgement: what turns say is kept a moment after it is shown."""
    async with PlannedUpstream(CALLING) as upstream:
        async with guarded(tmp_path, "first", "", upstream) as first, open_client(first, bearer(ANN)) as ann:
            turn, (one, two) = await asking(ann, 2)
            await until(partial(waits, ann, turn), within=PATIENCE)
            assert await give(first, door, turn, [one]) is None
            first.kill()
        async with guarded(tmp_path, "next", "", upstream) as following, open_client(following, bearer(ANN)) as ann:
            assert await give(following, door, turn, [one]) == "call_not_waiting"
            assert await give(following, door, turn, [two]) is None
            lines = await rest_of(ann, turn)
        outputs = [line["tool_result"]["output"] for line in lines if "tool_result" in line]
        assert outputs == [f"rain at {one}", f"rain at {two}"]
        assert lines[-1]["finish_reason"] == "stop"
