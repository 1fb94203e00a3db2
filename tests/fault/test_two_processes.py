"""Two servers on one database: a turn that one of them runs is followed, cancelled, answered and waited for at the
other; when one is killed, the other one says how its turns ended, and goes on with those that wait for their callers.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from msgspec import Struct

from parlance.testing.reply import Reply
from parlance.testing.script import Script
from tests.acceptance.chat_lines import DEADLINE, Answer, begun, problem_of, resume
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import join
from tests.acceptance.scripts import PAUSED, WEATHER, calling
from tests.fault.resuming import ALL_DOORS, Doors, ServerEvent, Told, digest, events_of
from tests.fault.several import killable, new_chat, settings_of, several
from tests.probes.postgres import PostgresServer

ENDED_WITHIN = 30.0
CALLING = calling(("get_weather", '{"city":"Oslo"}'))


pytestmark = pytest.mark.asyncio(loop_scope="module")


class Shared(Struct, frozen=True):
    here: Doors
    there: Doors
    upstream: PlannedUpstream


@pytest.fixture(scope="module")
def shared_url(postgres: PostgresServer) -> Iterator[str]:
    name = postgres.new_database()
    yield postgres.address(name)
    postgres.drop_database(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    folder = tmp_path_factory.mktemp("pair")
    async with PlannedUpstream() as upstream, several(folder, shared_url, upstream) as (here, there):
        yield Shared(here, there, upstream)


@pytest.fixture
def pair(shared: Shared) -> Shared:
    """Two servers, and their host, which has forgotten what the test before had planned."""
    shared.upstream.begin()
    return shared


async def cancel(doors: Doors, door: str, turn_id: str) -> None:
    match door:
        case "ws_chat":
            async with open_chat(doors.server) as chat:
                await chat.send({"action": "cancel", "turn_id": turn_id})
                await told_to_end(doors, "ndjson_chat", turn_id)
        case "json_rpc":
            async with join(doors.server, doors.session_id) as session:
                await session.done("cancel", task_id=turn_id)
        case "rest":
            assert (await doors.client.post(f"/api/v1/turns/{turn_id}/cancel")).json()["status"] == "cancelled"
        case _:
            assert (await doors.client.post(f"/chat/{turn_id}/cancel")).json()["status"] == "cancelled"


async def told_to_end(doors: Doors, door: str, turn_id: str, within: float = DEADLINE) -> list[Told]:
    told: list[Told] = []
    async with asyncio.timeout(within), doors.resumed(door, turn_id, None) as telling:
        while not told or not told[-1].last:
            told.append(await anext(telling))
    return told


async def turn_of(doors: Doors, turn_id: str) -> dict[str, Any]:
    found = await doors.client.get(f"/api/v1/turns/{turn_id}")
    assert found.status_code == 200, found.text
    turn: dict[str, Any] = found.json()
    return turn


async def send(doors: Doors, chat: str, text: str = "Hello", **body: object) -> str:
    """The id of the turn, which goes on by itself."""
    sent = await doors.client.post(
        f"/api/v1/chats/{chat}/messages", json={"content": text, **body}, headers={"prefer": "respond-async"}
    )
    assert sent.status_code == 202, sent.text
    turn_id: str = sent.json()["id"]
    return turn_id


@pytest.mark.requirement("durability:processes:follow")
async def test_a_turn_of_one_process_is_followed_and_cancelled_at_each_door_of_the_other(pair: Shared) -> None:
    here, there, upstream = pair.here, pair.there, pair.upstream
    upstream.plan(*[PAUSED] * len(ALL_DOORS))
    for number, door in enumerate(ALL_DOORS):
        async with begun(here.client, "Hello", chat_id="new") as answer:
            await answer.until("delta")
            following = [
                asyncio.create_task(told_to_end(doors, way, answer.turn_id))
                for doors in (here, there)
                for way in ALL_DOORS
            ]
            await cancel(there, door, answer.turn_id)
            await upstream.hung_up(number)
            await answer.rest()
        assert (answer.lines[-1]["status"], answer.text) == ("cancelled", "one")
        assert {digest(await told) for told in following} == {digest(await following[0])}
        assert [(one.text, one.last) for one in await following[0]] == [("one", False), ("", True)]
        await cancel(there, "rest", answer.turn_id)
        assert (await turn_of(there, answer.turn_id))["message"]["content"] == "one"


@pytest.mark.requirement("durability:processes:answer")
async def test_a_call_that_waits_in_one_process_is_answered_once_and_from_the_other(pair: Shared) -> None:
    here, there, upstream = pair.here, pair.there, pair.upstream
    upstream.plan(CALLING)
    async with begun(here.client, "How is it?", chat_id="new", tools=[WEATHER]) as answer:
        call = (await answer.until("tool_call"))["tool_call"]
        path = f"/chat/{answer.turn_id}/tool_results"

        async def give(doors: Doors, output: str) -> httpx.Response:
            results = {"results": [{"tool_call_id": call["id"], "output": output}]}
            return await doors.client.post(path, json=results)

        outputs = {"rain": there, "snow": there, "sun": there, "fog": here, "hail": here}
        given = await asyncio.gather(*(give(doors, output) for output, doors in outputs.items()))
        await answer.rest()
        assert answer.lines[-1] == {**answer.lines[-1], "done": True, "finish_reason": "stop"}
        assert (await resume(there.client, answer.turn_id)).lines == answer.lines
        returned = [line["tool_result"]["output"] for line in answer.lines if "tool_result" in line]
        assert returned == [output for output, one in zip(outputs, given, strict=True) if one.status_code == 200]
        for refused in [one for one in given if one.status_code != 200] + [await give(there, returned[0])]:
            problem_of(refused, 409, "call_not_waiting")
        assert [message["role"] for message in upstream.sent(-1)["messages"]] == ["user", "assistant", "tool"]


@pytest.mark.requirement("durability:processes:queue")
async def test_a_message_waits_in_one_process_for_the_answer_that_the_other_gives(pair: Shared) -> None:
    here, there, upstream = pair.here, pair.there, pair.upstream
    upstream.plan(PAUSED)
    chat = await new_chat(here.client)
    first = await send(here, chat, "first")
    await upstream.arrival()
    second = await send(there, chat, "second")
    assert (await turn_of(here, second))["status"] == "queued"
    assert len(upstream.requests) == 1
    upstream.requests[0].go()
    assert "".join(one.text for one in await told_to_end(here, "rest", second)) == "Hello there!"
    assert (await turn_of(there, first))["status"] == "completed"
    said = [(message["role"], message["content"]) for message in upstream.sent(1)["messages"]]
    assert said == [("user", "first"), ("assistant", "one two"), ("user", "second")]


@pytest.mark.requirement("durability:processes:queue")
async def test_a_new_message_in_one_process_ends_the_wait_for_a_caller_in_the_other(pair: Shared) -> None:
    here, there, upstream = pair.here, pair.there, pair.upstream
    upstream.plan(CALLING)
    chat = await new_chat(here.client)
    async with begun(here.client, "How is it?", chat_id=chat, tools=[WEATHER]) as answer:
        await answer.until("tool_call")
        second = await send(there, chat, "Never mind")
        await told_to_end(there, "rest", second)
        await answer.rest()
    assert answer.lines[-2]["error"]["code"] == "superseded"
    assert (await turn_of(here, answer.turn_id))["status"] == "incomplete"
    roles = [message["role"] for message in upstream.sent(1)["messages"]]
    assert roles == ["user", "assistant", "tool", "user"]


@pytest.mark.requirement("durability:processes:killed")
async def test_turns_of_a_process_that_was_killed_end_once_and_the_other_one_says_so(
    empty_postgres: str, tmp_path: Path
) -> None:
    words = tuple(f"word {number} " for number in range(40))
    script = Script(reply=Reply(text=words), hold_after=21)
    async with (
        PlannedUpstream(*[script] * len(ALL_DOORS), CALLING) as upstream,
        several(tmp_path / "there", empty_postgres, upstream) as (there, other),
    ):
        settings = settings_of(tmp_path, empty_postgres, upstream)
        async with killable(tmp_path / "here", settings) as here:
            chats = [await new_chat(here.client) for _ in ALL_DOORS]
            turns = [await send(here, chat) for chat in chats]
            queued = [await send(here, chats[0]), await send(there, chats[0])]
            asking = await new_chat(here.client)
            calling = await send(here, asking, tools=[{"type": "function", "function": WEATHER}])
            following = [
                asyncio.create_task(told_to_end(there, door, turn, ENDED_WITHIN))
                for door, turn in zip(ALL_DOORS, turns, strict=True)
            ]
            shown = [await told_until(here, turn, 20) for turn in turns]
            called = await call_of(there, calling)
            here.server.kill()
        told = [await one for one in following]
        for turn, seen, heard in zip(turns, shown, told, strict=True):
            # All of it had been kept: what came before the kill, and then the end.
            assert digest(heard[: len(seen)]) == digest(seen)
            assert "".join(one.text for one in heard) == "".join(words[:20])
            ended = await turn_of(there, turn)
            assert (ended["status"], ended["message"]["content"]) == ("incomplete", "".join(words[:20]))
            await check_ending_once(there, other, turn)
        assert (await turn_of(there, queued[0]))["status"] == "incomplete"
        assert "".join(one.text for one in await told_to_end(there, "rest", queued[1])) == "Hello there!"
        await check_adopted(there, other, calling, called["tool_call"])
        await check_goes_on(there, other, asking, called["cursor"])


async def told_until(doors: Doors, turn_id: str, words: int) -> list[Told]:
    async with asyncio.timeout(DEADLINE), doors.resumed("rest", turn_id, None) as telling:
        return [await anext(telling) for _ in range(words)]


async def call_of(doors: Doors, turn_id: str) -> dict[str, Any]:
    """The line that tells it, with its cursor."""
    async with asyncio.timeout(DEADLINE), doors.client.stream("GET", f"/chat/{turn_id}") as response:
        return await Answer(response).until("tool_call")


async def check_ending_once(there: Doors, other: Doors, turn_id: str) -> None:
    """At every door of every process, and in the same words."""
    told = [await told_to_end(doors, door, turn_id) for doors in (there, other) for door in ALL_DOORS]
    assert {digest(one) for one in told} == {digest(told[0])}
    events = (await there.client.get(f"/api/v1/turns/{turn_id}/events")).text
    assert events.count('"status":"incomplete"') == events.count("[DONE]") == 1


async def check_adopted(there: Doors, other: Doors, turn_id: str, call: dict[str, Any]) -> None:
    """The turn that waited for its caller goes on at one of those who are left, whoever of them is told the answer."""
    assert (await call_of(other, turn_id))["tool_call"] == call
    results = {"results": [{"tool_call_id": call["id"], "result": "rain"}]}
    given = await other.client.post(f"/api/v1/turns/{turn_id}/tool_results", json=results)
    assert given.status_code == 200, given.text
    assert "".join(one.text for one in await told_to_end(there, "ndjson_chat", turn_id)) == "Hello there!"
    assert (await turn_of(other, turn_id))["status"] == "completed"
    problem_of(await there.client.post(f"/api/v1/turns/{turn_id}/tool_results", json=results), 409, "call_not_waiting")


async def check_goes_on(there: Doors, other: Doors, chat: str, cursor: str) -> None:
    """Behind a cursor of the dead one the chat's stream goes on, through what its turn said elsewhere."""
    told: list[str] = []
    for doors in (there, other):
        stream = doors.client.stream("GET", f"/api/v1/chats/{chat}/events", params={"after": cursor})
        async with asyncio.timeout(DEADLINE), stream as response:
            assert response.status_code == 200
            events = [event async for event in until_end(events_of(response.aiter_lines()))]
        told.append("".join(json.loads(event.data)["content"] for event in events if not event.name))
        assert [event.name for event in events if event.name in ("tool_result", "end")] == ["tool_result", "end"]
        numbers = [int(event.cursor.rpartition("-")[2]) for event in events]
        assert numbers[0] == int(cursor.rpartition("-")[2]) + 1
        assert numbers == sorted(numbers)
    assert told == ["Hello there!"] * 2


async def until_end(events: AsyncIterator[ServerEvent]) -> AsyncIterator[ServerEvent]:
    async for event in events:
        yield event
        if event.name == "end":
            return
