"""A chat as it goes on: over server-sent events and over a WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from parlance.core.ids import new_chat_id
from parlance.doors.rest import chat_tale
from parlance.testing.provider import Act, ScriptedProvider, answering
from tests.unit.doors.rest.rest_house import (
    ANN,
    BOB,
    KEYED,
    PATIENCE,
    ROOT,
    Event,
    Json,
    RestHouse,
    done,
    open_rest,
    problem_of,
    text_of,
)


@asynccontextmanager
async def open_chat(*answers: list[Act]) -> AsyncIterator[tuple[RestHouse, httpx.AsyncClient, str]]:
    async with open_rest(provider=ScriptedProvider(*answers)) as house, house.client() as client:
        chat = done(await client.post("/subtenants/ann/chats", json={}))
        yield house, client, f"/chats/{chat['id']}"


class Following:
    """A client of a chat's events."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def until(self, name: str) -> list[Event]:
        """The events up to the first of this name."""
        events: list[Event] = []
        text: list[str] = []
        async with asyncio.timeout(PATIENCE):
            async for line in self._lines:
                if line and line != ":":
                    text.append(line)
                elif text:
                    events.append(Event("\n".join(text)))
                    text = []
                    if events[-1].name == name:
                        return events
        raise AssertionError(f"no {name!r} came: {events}")


@asynccontextmanager
async def follow(client: httpx.AsyncClient, path: str) -> AsyncIterator[Following]:
    async with client.stream("GET", path) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield Following(answer)


@asynccontextmanager
async def open_socket(house: RestHouse, path: str, **headers: str) -> AsyncIterator[ClientConnection]:
    address = f"ws://127.0.0.1:{house.port}/api/v1{path}"
    async with connect(address, additional_headers=headers, proxy=None) as socket:
        yield socket


async def frames_until(socket: ClientConnection, event: str) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        while not frames or frames[-1]["event"] != event:
            frames.append(json.loads(await socket.recv()))
    return frames


async def send(client: httpx.AsyncClient, chat: str, content: str = "Hi") -> Json:
    return done(await client.post(f"{chat}/messages", json={"content": content}))


@pytest.mark.requirement("rest:live:events")
async def test_a_follower_of_a_chat_is_told_each_of_its_turns() -> None:
    async with (
        open_chat(answering("One"), answering("Two")) as (_, client, chat),
        follow(client, f"{chat}/events") as told,
    ):
        first = await send(client, chat, "1")
        events = await told.until("end")
        assert (events[0].name, events[0]["turn_id"], events[0]["content"]) == ("start", first["turn_id"], "1")
        assert text_of(events) == "One"
        second = await send(client, chat, "2")
        events = await told.until("end")
        assert (events[0]["turn_id"], text_of(events)) == (second["turn_id"], "Two")


@pytest.mark.requirement("rest:live:present")
async def test_who_comes_in_the_middle_is_told_the_turn_that_runs_from_its_start() -> None:
    go_on = asyncio.Event()
    answers = answering("Old"), [*answering("New", " one")[:2], go_on, *answering("New", " one")[2:]]
    async with open_chat(*answers) as (_, client, chat):
        await send(client, chat)
        sending = asyncio.create_task(send(client, chat))
        async with client.stream("GET", f"{chat}/events") as answer:
            told = Following(answer)
            go_on.set()
            assert text_of(await told.until("end")) == "New one"
        await sending


@pytest.mark.requirement("rest:live:resume")
async def test_behind_any_cursor_a_chat_goes_on_through_its_turns() -> None:
    async with open_chat(answering("One"), answering("Two")) as (_, client, chat):
        first, second = await send(client, chat, "1"), await send(client, chat, "2")
        whole: list[tuple[str | None, str, str]] = []
        for sent in (first, second):
            async with follow(client, f"/turns/{sent['turn_id']}/events") as told:
                whole += [(event.id, event.name, event.raw) for event in await told.until("end")]
        for seen, (cursor, _, _) in enumerate(whole[:-1], 1):
            async with follow(client, f"{chat}/events?after={cursor}") as told:
                events = await told.until("end")
                if seen < len(whole) / 2:
                    events += await told.until("end")
            assert [(event.id, event.name, event.raw) for event in events] == whole[seen:]


@pytest.mark.requirement("rest:live:deleted")
async def test_a_chat_that_is_deleted_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_tale, "LOOK", 0.05)
    async with open_chat() as (house, client, chat):
        async with follow(client, f"{chat}/events") as told, open_socket(house, f"{chat}/live") as socket:
            await send(client, chat)
            await told.until("end")
            await frames_until(socket, "end")
            done(await client.delete(chat))
            await told.until("deleted")
            await frames_until(socket, "deleted")
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        problem_of(await client.get(f"{chat}/events"), 404, "chat_not_found")


@pytest.mark.requirement("rest:live:socket")
async def test_a_socket_is_told_the_same_as_an_event_stream() -> None:
    async with open_chat(answering("One", " two")) as (house, client, chat):
        async with open_socket(house, f"{chat}/live") as socket, follow(client, f"{chat}/events") as told:
            await send(client, chat)
            frames, events = await frames_until(socket, "end"), await told.until("end")
        assert [(frame["cursor"], frame["event"], frame["data"]) for frame in frames] == [
            (event.id, event.name or "text", event.data) for event in events
        ]
        async with open_socket(house, f"{chat}/live?after={frames[1]['cursor']}") as socket:
            assert await frames_until(socket, "end") == frames[2:]
        for after in ("elsewhere-2", "x"):
            async with open_socket(house, f"{chat}/live?after={after}") as socket:
                lost = (await frames_until(socket, "snapshot"))[0]
                assert (lost["cursor"], lost["data"]["status"]) == (frames[-1]["cursor"], "completed")
                assert lost["data"]["parts"] == [{"kind": "text", "text": "One two"}]
        with pytest.raises(InvalidStatus) as refusal:
            async with open_socket(house, f"{chat}/live?after={frames[1]['cursor']}&reasoning=maybe"):
                pass
        assert refusal.value.response.status_code == 422


@pytest.mark.requirement("rest:live:access")
async def test_a_socket_is_for_who_may_see_the_chat() -> None:
    async with open_rest(keys=KEYED) as house, house.client(ANN) as client:
        chat = done(await client.post("/subtenants/ann/chats", json={}))["id"]
        cases = [
            ({"authorization": f"Bearer {BOB}"}, chat, 404),
            ({"authorization": "Bearer wrong-key-0123456"}, chat, 401),
        ]
        cases += [
            ({"authorization": f"Bearer {ANN}"}, str(new_chat_id()), 404),
            ({"authorization": f"Bearer {ANN}"}, "x", 422),
        ]
        acting = {"authorization": f"Bearer {ROOT}", "x-parlance-subtenant": "bob"}
        for headers, id, status in [*cases, (acting, chat, 404)]:
            with pytest.raises(InvalidStatus) as refusal:
                async with open_socket(house, f"/chats/{id}/live", **headers):
                    pass
            assert refusal.value.response.status_code == status
        for key in (ANN, ROOT):
            async with open_socket(house, f"/chats/{chat}/live") as socket:
                await socket.send(json.dumps({"action": "auth", "payload": {"key": key}}))
                done(await client.post(f"/chats/{chat}/messages", json={"content": "Hi"}))
                await frames_until(socket, "end")
        for frame, code in [
            ({"action": "auth", "payload": {"key": BOB}}, "chat_not_found"),
            ({"action": "auth", "payload": {"key": "no-such-key-0123456789"}}, "key_invalid"),
            ({"action": "chat", "payload": {"key": ANN}}, "invalid_request"),
        ]:
            async with open_socket(house, f"/chats/{chat}/live") as socket:
                await socket.send(json.dumps(frame))
                assert (await frames_until(socket, "error"))[0]["data"]["code"] == code
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
