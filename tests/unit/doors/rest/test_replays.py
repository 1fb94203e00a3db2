"""The same request of the REST service twice is one."""

import asyncio

import pytest

from parlance.testing.provider import ScriptedProvider
from tests.unit.doors.rest.rest_chat import open_chat
from tests.unit.doors.rest.rest_house import Json, done, open_rest, problem_of


@pytest.mark.requirement("rest:idempotency:sends")
async def test_the_same_send_twice_is_one_turn() -> None:
    async with open_chat() as (house, client, chat):
        keyed = {"idempotency-key": '"one"'}
        first = await client.post(f"{chat}/messages", json={"content": "Hi"}, headers=keyed)
        second = await client.post(f"{chat}/messages", json={"content": "Hi"}, headers=keyed)
        assert done(first) == done(second)
        assert ("idempotent-replayed" in first.headers, second.headers["idempotent-replayed"]) == (False, "true")
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
        calls = [
            ("POST", "/subtenants", {"name": "a"}, {"name": "b"}),
            ("POST", "/subtenants/ann/chats", {"title": "a"}, {"title": "b"}),
            ("POST", "/subtenants/ann/memories", {"key": "k", "value": 1}, {"key": "k", "value": 2}),
            ("PUT", "/subtenants/ann/memories/k", {"value": 2}, {"value": 3}),
            ("DELETE", "/subtenants/ann/memories/k", None, None),
            ("POST", "/assistants", {"name": "a"}, {"name": "b"}),
            ("DELETE", "/subtenants/bob", None, None),
        ]
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


@pytest.mark.requirement("rest:idempotency:in_flight")
async def test_a_key_in_flight_is_409_with_a_time_to_come_back() -> None:
    async with open_rest() as house, house.client() as client:
        begun, go_on = asyncio.Event(), asyncio.Event()
        create = house.stores.chats.create

        async def slow(*given: Json) -> Json:
            begun.set()
            await go_on.wait()
            return await create(*given)

        house.stores.chats.create = slow  # type: ignore[method-assign,assignment] # the test holds it up
        keyed = {"idempotency-key": "one"}
        first = asyncio.create_task(client.post("/subtenants/ann/chats", json={}, headers=keyed))
        await begun.wait()
        refused = await client.post("/subtenants/ann/chats", json={}, headers=keyed)
        problem_of(refused, 409, "request_in_flight")
        assert refused.headers["retry-after"] == "1"
        go_on.set()
        made = done(await first)
        assert done(await client.post("/subtenants/ann/chats", json={}, headers=keyed)) == made
