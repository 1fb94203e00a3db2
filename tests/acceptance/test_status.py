"""`GET /`, `/health` and `/ready`, and what every answer bears."""

import httpx
import pytest

from parlance import __version__
from tests.acceptance.chat_socket import ChatSocket


@pytest.mark.requirement("server:status:about")
async def test_the_root_names_the_server_and_its_doors(client: httpx.AsyncClient) -> None:
    about = (await client.get("/")).json()
    assert about.items() >= {"name": "Parlance", "version": __version__, "status": "running"}.items()
    assert about["doors"]["ws_chat"] == "/ws/chat"
    assert about["doors"]["ndjson_chat"] == "/chat"


@pytest.mark.requirement("server:status:health")
async def test_health_says_that_it_lives(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health")).json() == {"status": "healthy", "version": __version__}


@pytest.mark.requirement("server:status:ready")
async def test_ready_says_how_many_turns_run(client: httpx.AsyncClient, chat: ChatSocket) -> None:
    before = (await client.get("/ready")).json()
    assert before["status"] == "ready"
    request_id = await chat.chat("/hang")
    await chat.frame_of(request_id)
    assert (await client.get("/ready")).json()["running_turns"] == before["running_turns"] + 1
    await chat.cancel(request_id)
    await chat.answer(request_id)


@pytest.mark.requirement("server:status:head")
@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/models"])
async def test_head_answers_as_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.head(path)
    assert answer.status_code == 200
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.requirement("server:status:request_id")
@pytest.mark.parametrize("path", ["/", "/models", "/nowhere", "/chat/none"])
async def test_every_answer_bears_the_id_of_its_request(client: httpx.AsyncClient, path: str) -> None:
    first, second = await client.get(path), await client.get(path)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert (await client.get(path, headers={"x-request-id": "mine"})).headers["x-request-id"] == "mine"


@pytest.mark.requirement("server:status:method")
async def test_a_method_that_is_not_taken_is_told_with_those_that_are(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/chat")
    assert answer.status_code == 405
    assert "POST" in answer.json()["detail"]
    assert answer.headers["allow"] == "POST"
