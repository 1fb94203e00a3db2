"""Routes over real sockets: the next model answers, and each door says what became of what it had shown."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from parlance.testing.script import Script, refusing, saying
from tests.acceptance.chat_lines import ask, open_client
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import methods, open_session
from tests.acceptance.server_process import ServerProcess, started

SETTINGS = """
providers:
  first: {{host: openai_compatible, base_url: "{first}", models: [m], max_retries: 1, retry_delay: 0}}
  second: {{host: openai_compatible, base_url: "{second}", models: [m], max_retries: 1, retry_delay: 0}}
models:
  default: both
  both: {{route: [first/m, second/m]}}
  again: {{route: [first/m, second/m], after_content: restart}}
prices:
  first/m: {{input: 1, output: 2}}
"""
CUT = Script(finish=False)


class House:
    """A server in front of two hosts."""

    def __init__(self, server: ServerProcess, first: PlannedUpstream, second: PlannedUpstream) -> None:
        self.server = server
        self.first = first
        self.second = second


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("routes")
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(PlannedUpstream(models=("m",)))
        second = await stack.enter_async_context(PlannedUpstream(models=("m",)))
        text = SETTINGS.format(first=first.base_url, second=second.base_url)
        (Path(folder) / "parlance.yaml").write_text(text)
        server = await stack.enter_async_context(started(folder, {"LOG_LEVEL": "DEBUG"}))
        yield House(server, first, second)


@pytest_asyncio.fixture(loop_scope="session")
async def client(shared_house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(shared_house.server) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def house(shared_house: House, client: httpx.AsyncClient) -> House:
    """Both hosts are well: what a test before had them do is forgotten."""
    for name, upstream in (("first", shared_house.first), ("second", shared_house.second)):
        upstream.begin()
        await ask(client, "Are you well?", model=f"{name}/m")
        upstream.begin()
    return shared_house


async def test_another_host_answers_and_who_asked_for_warnings_is_told(house: House, client: httpx.AsyncClient) -> None:
    house.first.plan(refusing(503, "The engine is overloaded."))
    house.second.plan(saying("Hello", " from two"))
    answer = await ask(client, "Hi", params={"warnings": True})
    assert answer.text == "Hello from two"
    (warning,) = [line["warning"] for line in answer.lines if "warning" in line]
    assert warning["code"] == "upstream_failed_over"
    assert "first" in warning["message"]
    assert (len(house.first.requests), len(house.second.requests)) == (1, 1)


async def test_the_same_host_is_asked_again_when_nobody_else_is_left(house: House, client: httpx.AsyncClient) -> None:
    house.first.plan(refusing(500, "broke"), saying("At last"))
    answer = await ask(client, "Hi", model="first/m")
    assert (answer.text, len(house.first.requests)) == ("At last", 2)


@pytest.mark.parametrize(("status", "code"), [(402, "upstream_quota_exhausted"), (401, "upstream_key_refused")])
async def test_what_a_retry_cannot_mend_is_asked_once(
    house: House, client: httpx.AsyncClient, status: int, code: str
) -> None:
    house.first.plan(refusing(status, "no"))
    answer = await ask(client, "Hi", model="first/m")
    assert answer.lines[-2]["error"]["code"] == code
    assert len(house.first.requests) == 1


async def test_after_content_a_route_that_says_nothing_else_tells_the_error(
    house: House, client: httpx.AsyncClient
) -> None:
    house.first.plan(CUT)
    answer = await ask(client, "Hi", params={"restarts": True})
    assert answer.lines[-2]["error"]["code"] == "upstream_truncated"
    assert house.second.requests == []


async def test_a_client_that_knows_no_restart_is_never_given_one(house: House, client: httpx.AsyncClient) -> None:
    house.first.plan(CUT)
    answer = await ask(client, "Hi", model="again")
    assert answer.lines[-2]["error"]["code"] == "upstream_truncated"
    assert house.second.requests == []


async def test_the_lines_tell_a_restart(house: House, client: httpx.AsyncClient) -> None:
    house.first.plan(CUT)
    house.second.plan(saying("Anew"))
    answer = await ask(client, "Hi", model="again", params={"restarts": True})
    at = next(number for number, line in enumerate(answer.lines) if "restart" in line)
    assert "first" in answer.lines[at]["restart"]["reason"]
    assert "".join(line.get("delta", "") for line in answer.lines[at:]) == "Anew"
    assert answer.lines[-1]["finish_reason"] == "stop"


async def test_the_socket_tells_a_restart_and_remembers_the_answer_that_stands(house: House) -> None:
    house.first.plan(CUT, saying("Yes"))
    house.second.plan(saying("Anew"))
    async with open_chat(house.server) as chat:
        frames = await chat.answer(await chat.chat("Hi", model="again", params={"restarts": True}))
        at = next(n for n, frame in enumerate(frames) if frame.get("chunk", {}).get("type") == "restart")
        assert "first" in json.loads(frames[at]["chunk"]["data"])["reason"]
        told = [frame["chunk"]["data"] for frame in frames[at + 1 :] if frame["status"] == "chunk"]
        assert ("".join(told), frames[-1]["status"]) == ("Anew", "complete")
        await chat.answer(await chat.chat("Sure?", model="again"))
    sent = house.first.sent(-1)["messages"]
    assert [message["content"] for message in sent] == ["Hi", "Anew", "Sure?"]


async def test_a_session_tells_a_restart_and_its_final_text_is_what_stands(house: House) -> None:
    house.first.plan(CUT)
    house.second.plan(saying("Anew"))
    async with open_session(house.server) as session:
        await session.generate("Hi", model="again", restarts=True)
        notices = await session.answer()
    assert methods(notices).count("restart") == 1
    assert notices[-1]["params"]["final_text"] == "Anew"


async def test_a_caller_may_give_a_model_less_time_than_the_host_has(house: House, client: httpx.AsyncClient) -> None:
    house.first.plan(Script(hold_after=1))
    answer = await ask(client, "Hi", model="first/m", params={"timeout": 0.2})
    assert answer.lines[-2]["error"]["code"] == "upstream_timeout"


async def test_attempts_and_their_cost_are_counted(house: House, client: httpx.AsyncClient) -> None:
    house.first.plan(saying("Hello"))
    await ask(client, "Hi", model="first/m")
    figures = (await client.get("/metrics")).text
    assert 'parlance_attempts_total{model="m",outcome="answered",provider="first"}' in figures
    assert 'parlance_cost_dollars_total{model="m",provider="first",source="reported"}' in figures
    assert 'parlance_attempts_without_cost_total{model="m",provider="second"}' in figures
