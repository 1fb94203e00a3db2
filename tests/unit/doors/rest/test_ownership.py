"""Whose things are whose: every operation of the REST service, for every kind of caller. What is not yours is 404."""

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import httpx
import pytest
import pytest_asyncio

from tests.unit.doors.rest.rest_house import ANN, BOB, GONE, KEYED, ROOT, Json, RestHouse, done, open_rest, problem_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = {"messages": [{"role": "user", "content": "Hi"}]}


class Rule(NamedTuple):
    """What an operation on a thing of Ann's is to others. `body`: a good one. `own`: it shows each caller their own,
    and refuses nobody; `service`: it is for keys of all subtenants.
    """

    body: Json = None
    owner: int = 200
    stranger: str = ""
    own: bool = False
    service: bool = False


CHAT, MEMORY, TURN = "chat_not_found", "memory_not_found", "turn_not_found"
SUBTENANT, ASSISTANT = "subtenant_not_found", "assistant_not_found"

RULES: Mapping[str, Rule] = {
    "POST /subtenants": Rule({}, service=True),
    "GET /subtenants": Rule(own=True),
    "GET /subtenants/{subtenant_id}": Rule(stranger=SUBTENANT),
    "PUT /subtenants/{subtenant_id}": Rule({"name": "x"}, stranger=SUBTENANT),
    "DELETE /subtenants/{subtenant_id}": Rule(stranger=SUBTENANT),
    "POST /subtenants/{subtenant_id}/chats": Rule({}, stranger=SUBTENANT),
    "GET /subtenants/{subtenant_id}/chats": Rule(stranger=SUBTENANT),
    "GET /chats/{chat_id}": Rule(stranger=CHAT),
    "PUT /chats/{chat_id}": Rule({"title": "x"}, stranger=CHAT),
    "DELETE /chats/{chat_id}": Rule(stranger=CHAT),
    "GET /chats/{chat_id}/messages": Rule(stranger=CHAT),
    "POST /chats/{chat_id}/messages": Rule({"content": "Hi"}, stranger=CHAT),
    "POST /chats/{chat_id}/messages/stream": Rule({"content": "Hi"}, stranger=CHAT),
    "GET /chats/{chat_id}/events": Rule(stranger=CHAT),
    "GET /turns/{turn_id}": Rule(stranger=TURN),
    "GET /turns/{turn_id}/events": Rule(stranger=TURN),
    "POST /turns/{turn_id}/cancel": Rule(stranger=TURN),
    "POST /turns/{turn_id}/tool_results": Rule({"results": [{"tool_call_id": "c"}]}, owner=409, stranger=TURN),
    "POST /subtenants/{subtenant_id}/memories": Rule({"key": "new", "value": 1}, stranger=SUBTENANT),
    "GET /subtenants/{subtenant_id}/memories": Rule(stranger=SUBTENANT),
    "GET /subtenants/{subtenant_id}/memories/{key}": Rule(stranger=SUBTENANT),
    "PUT /subtenants/{subtenant_id}/memories/{key}": Rule({"value": 2}, stranger=SUBTENANT),
    "DELETE /subtenants/{subtenant_id}/memories/{key}": Rule(stranger=SUBTENANT),
    "POST /assistants": Rule({"name": "x", "subtenant_id": "ann"}, stranger=SUBTENANT),
    "GET /assistants": Rule(own=True),
    "GET /assistants/{assistant_id}": Rule(stranger=ASSISTANT),
    "PUT /assistants/{assistant_id}": Rule({"name": "y"}, stranger=ASSISTANT),
    "DELETE /assistants/{assistant_id}": Rule(stranger=ASSISTANT),
    "POST /llm/complete": Rule(ASK, own=True),
    "POST /llm/stream": Rule(ASK, own=True),
    "POST /subtenants/{subtenant_id}/llm/complete": Rule(ASK, stranger=SUBTENANT),
    "POST /subtenants/{subtenant_id}/llm/stream": Rule(ASK, stranger=SUBTENANT),
    "GET /requests": Rule(own=True),
    "GET /usage": Rule(own=True),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[RestHouse]:
    async with open_rest(keys=KEYED) as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(house: RestHouse) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


def bearer(key: str, **headers: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}", **headers}


async def names_of_anns(house: RestHouse, client: httpx.AsyncClient) -> dict[str, str]:
    """One of each kind of thing, made anew for Ann."""
    await house.stores.subtenants.ensure(frozenset({"ann"}))
    ann = bearer(ANN)
    chat = done(await client.post("/subtenants/ann/chats", json={}, headers=ann))["id"]
    sent = done(await client.post(f"/chats/{chat}/messages", json={"content": "Hi"}, headers=ann))
    memory = await client.post("/subtenants/ann/memories", json={"key": "k", "value": 1}, headers=ann)
    assert memory.status_code in (200, 400)
    for key in ("new",):
        await client.delete(f"/subtenants/ann/memories/{key}", headers=ann)
    assistant = done(await client.post("/assistants", json={"name": "x"}, headers=ann))["id"]
    return {"subtenant_id": "ann", "chat_id": chat, "turn_id": sent["turn_id"], "key": "k", "assistant_id": assistant}


async def status_of(
    client: httpx.AsyncClient, act: str, names: Mapping[str, str], headers: dict[str, str]
) -> httpx.Response:
    """The answer; of a stream that never ends, its head."""
    method, path = act.split(" ")
    async with client.stream(method, path.format(**names), json=RULES[act].body, headers=headers) as answer:
        if not (path.endswith("/events") and answer.status_code == 200):
            await answer.aread()
    return answer


@pytest.mark.requirement("rest:ownership")
async def test_every_operation_has_its_rule(house: RestHouse) -> None:
    assert {f"{operation.method} {operation.path}" for operation in house.operations} == set(RULES)


@pytest.mark.requirement("rest:ownership")
@pytest.mark.parametrize("act", RULES)
async def test_what_is_not_yours_is_not_there(house: RestHouse, client: httpx.AsyncClient, act: str) -> None:
    rule, names = RULES[act], await names_of_anns(house, client)
    for key, code in ((None, "key_missing"), (GONE, "key_invalid")):
        problem_of(await status_of(client, act, names, bearer(key) if key else {}), 401, code)
    # Whoever acts for Bob is Bob, and for a subtenant that is not there is nobody.
    for headers in (bearer(BOB), bearer(ROOT, **{"x-parlance-subtenant": "bob"})):
        answer = await status_of(client, act, names, headers)
        if rule.service:
            problem_of(answer, 403, "forbidden")
        elif rule.own:
            assert answer.status_code == 200
            assert "ann" not in answer.text
        else:
            problem_of(answer, 404, rule.stranger)
    for headers in (
        bearer(ROOT, **{"x-parlance-subtenant": "nobody"}),
        bearer(BOB, **{"x-parlance-subtenant": "ann"}),
    ):
        problem_of(await status_of(client, act, names, headers), 404, SUBTENANT)
    answer = await status_of(client, act, names, bearer(ANN))
    assert answer.status_code == (403 if rule.service else rule.owner), answer


@pytest.mark.requirement("rest:ownership:acting")
@pytest.mark.parametrize("act", RULES)
async def test_a_key_of_all_subtenants_may_act_for_one(house: RestHouse, client: httpx.AsyncClient, act: str) -> None:
    rule = RULES[act]
    for headers in (bearer(ROOT), bearer(ROOT, **{"x-parlance-subtenant": "ann"})):
        answer = await status_of(client, act, await names_of_anns(house, client), headers)
        refused = rule.service and "x-parlance-subtenant" in headers
        assert answer.status_code == (403 if refused else rule.owner), answer


@pytest.mark.requirement("rest:ownership:service")
async def test_what_is_the_whole_services_is_seen_by_all_and_changed_by_none_of_them(client: httpx.AsyncClient) -> None:
    made = done(await client.post("/assistants", json={"name": "Clerk"}, headers=bearer(ROOT)))
    one = f"/assistants/{made['id']}"
    assert done(await client.get(one, headers=bearer(ANN)))["subtenant_id"] is None
    problem_of(await client.put(one, json={"name": "x"}, headers=bearer(ANN)), 404, ASSISTANT)
    problem_of(await client.delete(one, headers=bearer(ANN)), 404, ASSISTANT)
    whole = {"name": "x", "subtenant_id": None}
    problem_of(await client.post("/assistants", json=whole, headers=bearer(ANN)), 404, SUBTENANT)
    done(await client.post("/subtenants/ann/chats", json={"assistant_id": made["id"]}, headers=bearer(ANN)))
