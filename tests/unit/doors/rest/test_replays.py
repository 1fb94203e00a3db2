"""The same request of the REST service twice is one."""

import asyncio

import httpx
import pytest

from parlance.testing.provider import ScriptedProvider
from tests.unit.doors.rest.rest_chat import open_chat
from tests.unit.doors.rest.rest_house import Json, done, open_rest, problem_of


@pytest.mark.requirement("rest:idempotency:sends")
async def test_the_same_send_twice_is_one_turn() -> None:
    async with open_chat() as (house, client, chat):
        # What sends a request again sends all of its headers again.
        keyed = {"idempotency-key": '"one"', "x-request-id": "same"}
        first = await client.post(f"{chat}/messages", json={"content": "Hi"}, headers=keyed)
        second = await client.post(f"{chat}/messages", json={"content": "Hi"}, headers=keyed)
        assert done(first) == done(second)
        assert ("idempotent-replayed" in first.headers, second.headers["idempotent-replayed"]) == (False, "true")
        streamed = await client.post(f"{chat}/messages/stream", json={"content": "Hi"}, headers=keyed)
        assert streamed.headers["idempotent-replayed"] == "true"
        other = await client.post(f"{chat}/messages", json={"content": "Ho"}, headers=keyed)
        problem_of(other, 422, "idempotency_key_reused")
        for bad in ("", "k" * 256):
            refused = await client.post(f"{chat}/messages", json={"content": "Hi"}, headers={"idempotency-key": bad})
            problem_of(refused, 400, "idempotency_key_invalid")
        assert len(done(await client.get(f"{chat}/messages"))) == 2
        assert isinstance(house.provider, ScriptedProvider)
        assert house.provider.opened == 1


@pytest.mark.requirement("rest:idempotency")
async def test_any_mutating_call_is_carried_out_once_for_its_key() -> None:
    async with open_rest() as house, house.client() as client:
        chat = f"/chats/{done(await client.post('/subtenants/bob/chats', json={}))['id']}"
        assistant = f"/assistants/{done(await client.post('/assistants', json={'name': 'Ada'}))['id']}"
        calls = [
            ("POST", "/subtenants", {"name": "a"}, {"name": "b"}),
            ("PUT", "/subtenants/bob", {"name": "a"}, {"name": "b"}),
            ("POST", "/subtenants/ann/chats", {"title": "a"}, {"title": "b"}),
            ("POST", "/subtenants/ann/memories", {"key": "k", "value": 1}, {"key": "k", "value": 2}),
            ("PUT", "/subtenants/ann/memories/k", {"value": 2}, {"value": 3}),
            ("DELETE", "/subtenants/ann/memories/k", None, None),
            ("PUT", chat, {"title": "a"}, {"title": "b"}),
            ("DELETE", chat, None, None),
            ("POST", "/assistants", {"name": "a"}, {"name": "b"}),
            ("PUT", assistant, {"name": "a"}, {"name": "b"}),
            ("DELETE", assistant, None, None),
            ("DELETE", "/subtenants/bob", None, None),
        ]
        assert len(calls) == sum(operation.keyed == "by its store" for operation in house.operations)
        for method, path, body, other in calls:
            keyed = {"idempotency-key": f"{method} {path}"}
            first = await client.request(method, path, json=body, headers=keyed)
            second = await client.request(method, path, json=body, headers=keyed)
            assert done(first) == done(second)
            assert second.headers["idempotent-replayed"] == "true"
            if other is not None:
                refused = await client.request(method, path, json=other, headers=keyed)
                problem_of(refused, 422, "idempotency_key_reused")
        assert len(done(await client.get("/subtenants/ann/chats"))) == 1
        keyed = {"idempotency-key": "again"}
        missing = await client.put("/subtenants/carl", json={}, headers=keyed)
        problem_of(missing, 404, "subtenant_not_found")
        done(await client.post("/subtenants", json={"id": "carl"}))
        done(await client.put("/subtenants/carl", json={}, headers=keyed))


@pytest.mark.requirement("rest:idempotency")
async def test_a_change_that_is_sent_again_takes_nothing_back() -> None:
    async with open_chat() as (_, client, chat):
        keyed = {"idempotency-key": "one"}
        first = done(await client.put(chat, json={"title": "first"}, headers=keyed))
        done(await client.put(chat, json={"title": "second"}))
        assert done(await client.put(chat, json={"title": "first"}, headers=keyed)) == first
        assert done(await client.get(chat))["title"] == "second"


@pytest.mark.requirement("rest:idempotency:at_once")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/subtenants", {"id": "carl"}),
        ("POST", "/subtenants/ann/chats", {"title": "One"}),
        ("POST", "/subtenants/ann/memories", {"key": "k", "value": 1}),
        ("POST", "/assistants", {"name": "One"}),
        ("DELETE", "/subtenants/bob", None),
    ],
)
async def test_many_with_one_key_are_told_of_one_thing(method: str, path: str, body: Json) -> None:
    async with open_rest() as house, house.client() as client:
        before = await _how_many(client, path)
        keyed = {"idempotency-key": "one"}
        asked = [client.request(method, path, json=body, headers=keyed) for _ in range(50)]
        answers = await asyncio.gather(*asked)
        assert len({str(done(answer)) for answer in answers}) == 1
        assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
        assert await _how_many(client, path) == before + (1 if method == "POST" else -1)


@pytest.mark.requirement("rest:idempotency:at_once")
async def test_who_comes_second_while_the_first_is_carried_out_is_told_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_rest() as house, house.client() as client:
        both = asyncio.Barrier(2)
        delete = house.stores.chats.delete

        async def at_once(*given: Json) -> Json:
            await both.wait()
            return await delete(*given)

        chat = f"/chats/{done(await client.post('/subtenants/ann/chats', json={}))['id']}"
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(house.stores.chats, "delete", at_once)
            asked = [client.delete(chat, headers={"idempotency-key": "one"}) for _ in range(2)]
            first, second = await asyncio.gather(*asked)
        assert done(first) == done(second)
        assert {"idempotent-replayed" in answer.headers for answer in (first, second)} == {True, False}
        problem_of(await client.delete(chat, headers={"idempotency-key": "two"}), 404, "chat_not_found")


@pytest.mark.requirement("rest:idempotency:in_flight")
async def test_a_key_in_flight_is_409_with_a_time_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_chat() as (house, client, chat):
        turn = done(await client.post(f"{chat}/messages", json={"content": "Hi"}))["turn_id"]
        begun, go_on = asyncio.Event(), asyncio.Event()
        find = house.engine.find

        async def slow(*given: Json) -> Json:
            begun.set()
            await go_on.wait()
            return await find(*given)

        monkeypatch.setattr(house.engine, "find", slow)
        keyed = {"idempotency-key": "one"}
        first = asyncio.create_task(client.post(f"/turns/{turn}/cancel", headers=keyed))
        await begun.wait()
        refused = await client.post(f"/turns/{turn}/cancel", headers=keyed)
        problem_of(refused, 409, "request_in_flight")
        assert refused.headers["retry-after"] == "1"
        go_on.set()
        told = done(await first)
        again = await client.post(f"/turns/{turn}/cancel", headers=keyed)
        assert (done(again), again.headers["idempotent-replayed"]) == (told, "true")


@pytest.mark.requirement("rest:idempotency:gone")
async def test_answers_go_with_their_subtenant_and_its_deletion_is_told_again() -> None:
    async with open_rest() as house, house.client() as client:
        keyed = {"idempotency-key": "one"}
        done(await client.post("/subtenants", json={"id": "carl", "name": "first"}, headers=keyed))
        chat = done(await client.post("/subtenants/carl/chats", json={"title": "secret"}, headers=keyed))
        turn = done(await client.post(f"/chats/{chat['id']}/messages", json={"content": "Hi"}))["turn_id"]
        done(await client.post(f"/turns/{turn}/cancel", headers=keyed))
        deleted = await client.delete("/subtenants/carl", headers=keyed)
        again = await client.delete("/subtenants/carl", headers=keyed)
        assert done(again) == done(deleted)
        assert again.headers["idempotent-replayed"] == "true"
        missing = await client.post("/subtenants/carl/chats", json={"title": "secret"}, headers=keyed)
        problem_of(missing, 404, "subtenant_not_found")
        problem_of(await client.post(f"/turns/{turn}/cancel", headers=keyed), 404, "turn_not_found")
        made = await client.post("/subtenants", json={"id": "carl", "name": "second"}, headers={"idempotency-key": "2"})
        assert done(made)["name"] == "second"
        assert done(await client.get("/subtenants/carl/chats")) == []


async def _how_many(client: httpx.AsyncClient, path: str) -> int:
    """Of what is made there, or of subtenants where one is deleted."""
    listed = done(await client.get("/subtenants" if path == "/subtenants/bob" else path))
    return len(listed["assistants"] if isinstance(listed, dict) else listed)
