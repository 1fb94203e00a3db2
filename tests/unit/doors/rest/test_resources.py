"""The REST service's resources: subtenants, chats, memories, assistants."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from parlance.core.ids import new_chat_id
from tests.unit.doors.rest.rest_house import RestHouse, done, open_rest, problem_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[RestHouse]:
    async with open_rest() as house:
        yield house


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(house: RestHouse) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def desk(client: httpx.AsyncClient) -> str:
    """The path of a subtenant that holds nothing yet."""
    return f"/subtenants/{done(await client.post('/subtenants', json={}))['id']}"


@pytest.mark.requirement("rest:subtenants")
async def test_a_subtenant_is_made_read_changed_and_deleted(client: httpx.AsyncClient) -> None:
    made = done(await client.post("/subtenants", json={}))
    assert set(made) == {"id", "name", "metadata", "created_at", "updated_at"}
    assert (made["name"], made["metadata"]) == (None, {})
    one = f"/subtenants/{made['id']}"
    changed = done(await client.put(one, json={"name": "Desk", "metadata": {"a": [1.5, None]}}))
    assert (changed["name"], changed["metadata"]) == ("Desk", {"a": [1.5, None]})
    assert done(await client.put(one, json={}))["name"] == "Desk"
    assert done(await client.put(one, json={"name": None}))["name"] is None
    assert done(await client.get(one))["metadata"] == {"a": [1.5, None]}
    gone = done(await client.delete(one))
    assert gone["id"] == made["id"]
    assert isinstance(gone["message"], str)
    problem_of(await client.get(one), 404, "subtenant_not_found")


@pytest.mark.requirement("rest:subtenants")
async def test_a_subtenant_may_be_given_the_name_that_a_key_is_bound_to(client: httpx.AsyncClient) -> None:
    assert done(await client.post("/subtenants", json={"id": "carl@example.org"}))["id"] == "carl@example.org"
    assert done(await client.get("/subtenants/carl@example.org"))["id"] == "carl@example.org"
    problem_of(await client.post("/subtenants", json={"id": "carl@example.org"}), 400, "already_exists")
    for bad in ("a b", "", "x" * 256, "a\n"):
        problem_of(await client.post("/subtenants", json={"id": bad}), 422, "invalid_request")


@pytest.mark.requirement("rest:subtenants:default")
async def test_the_default_subtenant_stays(client: httpx.AsyncClient) -> None:
    problem_of(await client.delete("/subtenants/default"), 400, "bad_request")
    done(await client.get("/subtenants/default"))


@pytest.mark.requirement("rest:lists")
async def test_lists_are_bare_arrays_in_the_order_of_creation(client: httpx.AsyncClient, desk: str) -> None:
    made = [done(await client.post(f"{desk}/chats", json={"title": str(n)}))["id"] for n in range(5)]
    listed = done(await client.get(f"{desk}/chats"))
    assert [chat["id"] for chat in listed] == made
    page = done(await client.get(f"{desk}/chats", params={"skip": 1, "limit": 2}))
    assert [chat["title"] for chat in page] == ["1", "2"]
    assert done(await client.get(f"{desk}/chats", params={"skip": 9})) == []


@pytest.mark.requirement("rest:lists:limit")
@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "skip=-1", "limit=", "limit=1.5"])
@pytest.mark.parametrize(
    "path", ["/subtenants", "/subtenants/ann/chats", "/subtenants/ann/memories", "/assistants", "/requests"]
)
async def test_a_page_has_its_bounds(client: httpx.AsyncClient, path: str, query: str) -> None:
    problem = problem_of(await client.get(f"{path}?{query}"), 422, "invalid_request")
    assert problem["errors"][0]["path"] in ("limit", "skip")


@pytest.mark.requirement("rest:chats")
async def test_a_chat_is_made_read_changed_and_deleted(client: httpx.AsyncClient, desk: str) -> None:
    body = {"title": "One", "system_message": "Be brief.", "enabled_functions": ["a"], "enabled_mcp_tools": []}
    made = done(await client.post(f"{desk}/chats", json=body))
    assert {key: made[key] for key in body} == body
    assert (f"/subtenants/{made['subtenant_id']}", made["assistant_id"]) == (desk, None)
    one = f"/chats/{made['id']}"
    assert done(await client.get(one)) == {**made, "messages": []}
    changed = done(await client.put(one, json={"title": None, "enabled_mcp_tools": None}))
    assert (changed["title"], changed["enabled_mcp_tools"], changed["enabled_functions"]) == (None, None, ["a"])
    assert changed["system_message"] == "Be brief."
    assert done(await client.delete(one))["message"]
    problem_of(await client.get(one), 404, "chat_not_found")
    problem_of(await client.delete(one), 404, "chat_not_found")


@pytest.mark.requirement("rest:chats:assistant")
async def test_a_chat_keeps_its_assistant(client: httpx.AsyncClient, desk: str) -> None:
    assistant = done(await client.post("/assistants", json={"name": "Clerk"}))["id"]
    made = done(await client.post(f"{desk}/chats", json={"assistant_id": assistant}))
    changed = done(await client.put(f"/chats/{made['id']}", json={"assistant_id": None, "title": "x"}))
    assert changed["assistant_id"] == assistant
    elsewhere = {"assistant_id": str(new_chat_id())}
    problem_of(await client.post(f"{desk}/chats", json=elsewhere), 404, "assistant_not_found")
    problem_of(await client.post(f"{desk}/chats", json={"assistant_id": "x"}), 422, "invalid_request")
    problem_of(await client.post("/subtenants/nobody/chats", json={}), 404, "subtenant_not_found")


KEYS = {
    "plain": ("city", "city"),
    "slash": ("home/city", "home%2Fcity"),
    "slash as it is": ("home/city", "home/city"),
    "slash at the end": ("home/", "home%2F"),
    "percent": ("100%25", "100%2525"),
    "space": ("a b", "a%20b"),
    "letters": ("Ærøskøbing", "%C3%86r%C3%B8sk%C3%B8bing"),
    "question mark": ("what?", "what%3F"),
    "dots": ("..x", "..x"),
    "like a path": ("memories/chats", "memories/chats"),
    "255 characters": ("k" * 255, "k" * 255),
}


@pytest.mark.requirement("rest:memories:keys")
@pytest.mark.parametrize("name", KEYS)
async def test_any_key_is_matched_after_one_decoding(
    client: httpx.AsyncClient, desk: str, house: RestHouse, name: str
) -> None:
    key, path = KEYS[name]
    made = done(await client.post(f"{desk}/memories", json={"key": key, "value": 1}))
    assert made["key"] == key
    for slash in ("", "/"):
        found = await client.get(f"{house.address}/api/v1{desk}/memories/{path}{slash}")
        assert done(found)["key"] == key


@pytest.mark.requirement("rest:memories:keys")
@pytest.mark.parametrize("path", ["k" * 256, "a%00b", "a%0Ab", "%ff", "a%7Fb"])
async def test_what_can_be_no_key_is_422(client: httpx.AsyncClient, desk: str, path: str) -> None:
    problem_of(await client.get(f"{desk}/memories/{path}"), 422, "invalid_request")


@pytest.mark.requirement("rest:memories:keys")
@pytest.mark.parametrize("key", ["", "k" * 256, "a\0b", "a\nb"])
async def test_no_memory_is_made_under_what_can_be_no_key(client: httpx.AsyncClient, desk: str, key: str) -> None:
    body = {"key": key, "value": 1}
    problem_of(await client.post(f"{desk}/memories", json=body), 422, "invalid_request")


@pytest.mark.requirement("rest:memories")
async def test_a_memory_is_made_read_changed_and_deleted(client: httpx.AsyncClient, desk: str) -> None:
    all_of = f"{desk}/memories"
    made = done(await client.post(all_of, json={"key": "city", "value": {"name": "Oslo", "at": [1, 2.5, None]}}))
    assert set(made) == {"id", "subtenant_id", "key", "value", "created_at", "updated_at"}
    problem_of(await client.post(all_of, json={"key": "city", "value": 1}), 400, "already_exists")
    assert done(await client.put(f"{all_of}/city", json={"value": None}))["value"] is None
    assert [memory["key"] for memory in done(await client.get(all_of))] == ["city"]
    assert done(await client.get("/subtenants/bob/memories")) == []
    assert done(await client.delete(f"{all_of}/city"))["message"]
    problem_of(await client.put(f"{all_of}/city", json={"value": 1}), 404, "memory_not_found")
    problem_of(await client.get("/subtenants/nobody/memories"), 404, "subtenant_not_found")


@pytest.mark.requirement("rest:assistants")
async def test_an_assistant_is_made_read_changed_and_deleted(client: httpx.AsyncClient) -> None:
    made = done(await client.post("/assistants", json={"name": "Clerk", "system_prompt": "Be kind."}))
    assert (made["subtenant_id"], made["is_active"], made["function_parameters"]) == (None, True, {})
    own = done(await client.post("/assistants", json={"name": "Ann's", "subtenant_id": "ann"}))
    total = done(await client.get("/assistants"))["total"]
    listed = done(await client.get("/assistants", params={"limit": 2, "skip": total - 2}))
    assert ([one["id"] for one in listed["assistants"]], listed["total"]) == ([made["id"], own["id"]], total)
    one = f"/assistants/{own['id']}"
    changed = done(await client.put(one, json={"is_active": False, "function_parameters": {"f": {"x": 1}}}))
    assert (changed["is_active"], changed["function_parameters"], changed["name"]) == (False, {"f": {"x": 1}}, "Ann's")
    problem_of(await client.put(one, json={"name": None}), 422, "invalid_request")
    assert done(await client.delete(one))["message"]
    problem_of(await client.get(one), 404, "assistant_not_found")
    problem_of(await client.post("/assistants", json={}), 422, "invalid_request")


@pytest.mark.requirement("rest:slash")
@pytest.mark.parametrize("path", ["/subtenants", "/subtenants/ann", "/subtenants/ann/chats", "/assistants", "/usage"])
async def test_a_slash_at_the_end_changes_nothing(client: httpx.AsyncClient, path: str) -> None:
    assert done(await client.get(f"{path}/")) == done(await client.get(path))
    made = await client.post("/subtenants/", json={})
    assert (made.status_code, made.history) == (200, [])


@pytest.mark.requirement("rest:bad_input:ids")
@pytest.mark.parametrize(
    "id", ["x", "123", "019f3c2a-0000-7000-8000-00000000000g", "%00", "019f3c2a000070008000000000000001"]
)
@pytest.mark.parametrize(
    "path", ["/chats/{id}", "/chats/{id}/messages", "/assistants/{id}", "/turns/{id}", "/turns/{id}/events"]
)
async def test_what_is_no_uuid_is_422(client: httpx.AsyncClient, path: str, id: str) -> None:
    problem_of(await client.get(path.format(id=id)), 422, "invalid_request")


@pytest.mark.requirement("rest:bad_input:paths")
async def test_what_is_not_there_is_404_and_what_is_not_taken_405(client: httpx.AsyncClient) -> None:
    problem_of(await client.get("/nowhere"), 404, "not_found")
    problem_of(await client.get("/chats"), 404, "not_found")
    problem_of(await client.get(f"/chats/{new_chat_id()}/live"), 426, "upgrade_required")
    refusal = await client.patch("/subtenants")
    problem_of(refusal, 405, "method_not_allowed")
    assert set(refusal.headers["allow"].split(", ")) == {"GET", "POST"}
    head = await client.head("/subtenants/ann")
    assert (head.status_code, head.content) == (200, b"")


# The body, and what its content type is.
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"nonsense",
    "a list": b"[]",
    "NaN": b'{"title":NaN}',
    "not UTF-8": b'{"title":"\xff"}',
    "another type": b'{"title":5}',
    "half of a surrogate pair": b'{"title":"\\ud83d"}',
    "NUL": b'{"title":"a\\u0000b"}',
    "a thousand levels": b'{"title":' * 1000 + b"1" + b"}" * 1000,
    "names that are no texts": b'{"enabled_functions":[1]}',
}


@pytest.mark.requirement("rest:bad_input:bodies")
@pytest.mark.parametrize("name", BODIES)
async def test_a_malformed_body_is_422(client: httpx.AsyncClient, desk: str, name: str) -> None:
    headers = {"content-type": "application/json"}
    answer = await client.post(f"{desk}/chats", content=BODIES[name], headers=headers)
    assert len(problem_of(answer, 422, "invalid_request")["detail"]) < 600


@pytest.mark.requirement("rest:bad_input:content_type")
async def test_a_body_that_is_not_said_to_be_json_is_415(client: httpx.AsyncClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await client.post("/subtenants", content=b"{}", headers={"content-type": kind})
        problem_of(answer, 415, "unsupported_media_type")


@pytest.mark.requirement("rest:bad_input:sizes")
async def test_a_text_of_a_mebibyte_is_kept_and_five_are_refused(client: httpx.AsyncClient, desk: str) -> None:
    text = "ø" * 524_288
    made = done(await client.post(f"{desk}/chats", json={"system_message": text}))
    assert done(await client.get(f"/chats/{made['id']}"))["system_message"] == text
    body = {"system_message": "x" * 5 * 1_048_576}
    problem_of(await client.post(f"{desk}/chats", json=body), 413, "body_too_large")


@pytest.mark.requirement("rest:usage")
async def test_calls_of_models_are_listed_and_summed(client: httpx.AsyncClient) -> None:
    assert done(await client.get("/requests")) == []
    assert done(await client.get("/usage", params={"since": "2026-01-01T00:00:00Z"})) == []
    for query in (
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "until=2030",
        "since=0001-01-01T00:00:00%2B01:00",
        "until=9999-12-31T23:59:59-01:00",
        "chat_id=x",
        "model=%00",
    ):
        problem_of(await client.get(f"/usage?{query}"), 422, "invalid_request")
