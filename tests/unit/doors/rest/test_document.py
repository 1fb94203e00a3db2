"""The OpenAPI document is true, and its page needs nothing from elsewhere."""

import asyncio
import queue
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.unit.doors.rest.rest_house import API, KEYED, PATIENCE, ROOT, Json, RestHouse, done, open_rest

PAGE = Path(__file__).parents[4] / "docs/doors/rest.md"
ROW = re.compile(
    r"^\| `(?P<method>[A-Z]+) (?P<path>/\S*)` \| .* \| `(?P<test>tests/\S+)::(?P<name>\w+)` \|$", re.MULTILINE
)
TREE = Path(__file__).parents[4]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.mark.requirement("rest:openapi")
async def test_the_document_names_every_operation_with_an_example() -> None:
    async with open_rest() as house, house.client() as client:
        document = (await client.get("/openapi.json")).json()
        for operation in house.operations:
            told = document["paths"][operation.path][operation.method.lower()]
            assert told["summary"] == operation.summary
            if operation.takes is not None:
                assert operation.takes.__name__ in told["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            assert "application/problem+json" in told["responses"]["404"]["content"]
        schemas = document["components"]["schemas"]
        bodies = [operation.takes.__name__ for operation in house.operations if operation.takes is not None]
        assert all("examples" in schemas[name] for name in bodies)
        assert {"bearer", "key"} == set(document["components"]["securitySchemes"])


@pytest.mark.requirement("rest:openapi:page")
async def test_the_page_asks_nobody_else_for_anything() -> None:
    async with open_rest(keys=KEYED) as house, house.client() as client:
        page = await client.get("/docs")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        addresses = re.findall(r'(?:href|src|url)(?:=|: )"([^"]+)"', page.text)
        assert len(addresses) == 4
        for address in addresses:
            assert address.startswith("/api/v1/")
            assert (await client.get(f"{house.address}{address}")).status_code == 200
        assert (await client.get("/docs/nothing.js")).status_code == 404
        for path in ("/docs", "/openapi.json"):
            refused = await client.post(path)
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.requirement("rest:documented")
async def test_the_table_of_paths_has_every_path_and_a_test_of_it() -> None:
    rows = [match.groupdict() for match in ROW.finditer(PAGE.read_text())]
    async with open_rest() as house:
        operations = {(operation.method, operation.path) for operation in house.operations}
    assert {(row["method"], row["path"]) for row in rows} == operations | {("GET", "/chats/{chat_id}/live")}
    for row in rows:
        assert f"async def {row['name']}(" in (TREE / row["test"]).read_text(), row


Case = schemathesis.Case[Json]


@pytest.fixture
def server() -> Iterator[tuple[RestHouse, dict[str, str]]]:
    """One in a thread of its own, since its client here waits as other programs do; and ids of what is there."""
    started: queue.Queue[tuple[RestHouse, dict[str, str], asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        stop = asyncio.Event()
        async with open_rest(keys=KEYED) as house, house.client(ROOT) as client:
            started.put((house, await things(client), asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    house, ids, loop, stop = started.get(timeout=PATIENCE)
    try:
        yield house, ids
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)


async def things(client: httpx.AsyncClient) -> dict[str, str]:
    chat = done(await client.post("/subtenants/ann/chats", json={}))["id"]
    sent = done(await client.post(f"/chats/{chat}/messages", json={"content": "Hi"}))
    done(await client.post("/subtenants/ann/memories", json={"key": "a/b", "value": 1}))
    assistant = done(await client.post("/assistants", json={"name": "x"}))["id"]
    return {"subtenant_id": "ann", "chat_id": chat, "turn_id": sent["turn_id"], "key": "a/b", "assistant_id": assistant}


@pytest.mark.requirement("rest:openapi:fuzz")
def test_no_request_finds_an_answer_that_is_our_fault_or_not_documented(
    server: tuple[RestHouse, dict[str, str]], long_run: bool
) -> None:
    """Requests as the document allows them, and such as it does not; in short, of the one kind or the other."""
    house, ids = server
    schema = schemathesis.openapi.from_dict(asyncio.run(_document(house)))
    schema.config.update(base_url=house.address + API)
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    for number, result in enumerate(schema.get_all_operations()):
        assert isinstance(result, Ok)
        for mode in modes if long_run else (modes[number % 2],):
            _try(result.ok().as_strategy(generation_mode=mode), ids, most=300 if long_run else 3)


def _try(cases: st.SearchStrategy[Case], ids: dict[str, str], most: int) -> None:
    @settings(
        max_examples=most,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, real=st.booleans())
    def ask(case: Case, real: bool) -> None:
        # A chat that is there is followed without end, and a thing that is deleted is gone for the next one.
        if real and case.method != "DELETE" and not case.path.endswith("}/events"):
            case.path_parameters = {name: ids[name] for name in case.path_parameters or {}}
        case.headers.pop("x-parlance-subtenant", None)
        case.headers["authorization"] = f"Bearer {ROOT}"
        case.validate_response(case.call(timeout=PATIENCE), checks=CHECKS)

    ask()


async def _document(house: RestHouse) -> Json:
    async with house.client() as client:
        return (await client.get("/openapi.json")).json()
