"""Door D: who may make a session, and who may come in to it."""

from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.acceptance.chat_lines import open_client, problem_of
from tests.acceptance.conftest import lab_server
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import create_session, is_lost, join, text_of
from tests.acceptance.server_process import ServerProcess

ANN, BOB, WEB = (f"key-of-{name}-0123456789" for name in ("ann", "bob", "web"))
SETTINGS = f"""\
access:
  keys:
    web: {{key: {WEB}}}
    ann: {{key: {ANN}, scope: "subtenant:ann"}}
    bob: {{key: {BOB}, scope: "subtenant:bob"}}
"""


@pytest.fixture(scope="module")
def shared_keyed(shared_upstream: PlannedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with lab_server(tmp_path_factory.mktemp("keyed_sessions"), shared_upstream, SETTINGS) as server:
        yield server


@pytest.fixture
def keyed(shared_keyed: ServerProcess, upstream: PlannedUpstream) -> ServerProcess:
    """A server that needs a key."""
    return shared_keyed


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.requirement("json_rpc:session:owner")
@pytest.mark.parametrize("key", [BOB, WEB])
async def test_a_session_of_another_principal_is_not_there(keyed: ServerProcess, key: str) -> None:
    session_id = await create_session(keyed, headers=bearer(ANN))
    async with join(keyed, session_id, headers=bearer(ANN)) as ann:
        task_id = (await ann.ask("Hello"))[0]["params"]["task_id"]
    async with join(keyed, session_id, headers=bearer(key)) as other:
        assert is_lost(await other.notice(), session_id)
        assert await other.closed() == 1008
    async with join(keyed, await create_session(keyed, headers=bearer(BOB)), headers=bearer(BOB)) as bob:
        for method, params in {"resume": {}, "cancel": {}, "tool_result": {"results": [{"tool_call_id": "c"}]}}.items():
            assert (await bob.refusal(method, task_id=task_id, **params))["code"] == -32004


@pytest.mark.requirement("json_rpc:auth:header")
@pytest.mark.requirement("json_rpc:auth:subprotocol")
async def test_a_key_may_come_in_a_header_or_a_subprotocol(keyed: ServerProcess) -> None:
    session_id = await create_session(keyed, headers=bearer(ANN))
    for name in ("authorization", "x-api-key"):
        async with join(keyed, session_id, headers={name: f"Bearer {ANN}" if "auth" in name else ANN}) as session:
            assert (await session.ask("Hello"))[-1]["method"] == "end"
    async with join(keyed, session_id, subprotocols=["parlance", f"parlance.key.{ANN}"]) as session:
        assert session.connection.subprotocol == "parlance"
        assert (await session.ask("Hello"))[-1]["method"] == "end"


@pytest.mark.requirement("json_rpc:auth:missing")
async def test_a_session_needs_the_key(keyed: ServerProcess) -> None:
    async with open_client(keyed) as client:
        problem_of(await client.post("/create_session"), 401, "key_missing")
        problem_of(await client.post("/create_session", headers=bearer("wrong-key-0123456789")), 401, "key_invalid")


@pytest.mark.requirement("json_rpc:auth:first_frame")
async def test_a_key_may_come_in_the_first_frame(keyed: ServerProcess) -> None:
    session_id = await create_session(keyed, headers=bearer(ANN))
    async with join(keyed, session_id) as session:
        assert await session.done("auth", key=ANN) == {"status": "authenticated"}
        assert (await session.ask("Hello"))[-1]["method"] == "end"
        assert (await session.refusal("auth", key="wrong-key-0123456789"))["code"] == -32005
        assert (await session.refusal("auth", key=BOB))["code"] == -32000
        assert (await session.ask("Hello"))[-1]["method"] == "end"
    async with join(keyed, session_id) as session:
        await session.send({"jsonrpc": "2.0", "method": "auth", "params": {"key": ANN}})
        assert (await session.ask("Hello"))[-1]["method"] == "end"
    async with join(keyed, session_id) as session:
        generate = {"jsonrpc": "2.0", "id": 2, "method": "generate", "params": {"message": "Hello"}}
        await session.send([{"jsonrpc": "2.0", "id": 1, "method": "auth", "params": {"key": ANN}}, generate])
        assert ["result" in response for response in await session.response()] == [True, True]
        assert text_of(await session.answer()) == "Hello there!"


@pytest.mark.requirement("json_rpc:auth:first_frame")
async def test_a_key_of_another_principal_in_the_first_frame_finds_no_session(keyed: ServerProcess) -> None:
    session_id = await create_session(keyed, headers=bearer(ANN))
    async with join(keyed, session_id) as session:
        await session.done("auth", key=BOB)
        assert is_lost(await session.notice(), session_id)
        assert await session.closed() == 1008


@pytest.mark.requirement("json_rpc:auth:first_frame")
@pytest.mark.parametrize(
    ("frame", "number"),
    [
        ({"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"message": "Hello"}}, -32005),
        ({"jsonrpc": "2.0", "id": 1, "method": "auth", "params": {"key": "wrong-key-0123456789"}}, -32005),
        ({"jsonrpc": "2.0", "id": 1, "method": "auth"}, -32602),
        ("nonsense", -32700),
    ],
)
async def test_any_other_first_frame_ends_the_connection(
    keyed: ServerProcess, upstream: PlannedUpstream, frame: str | dict[str, object], number: int
) -> None:
    async with join(keyed, await create_session(keyed, headers=bearer(ANN))) as session:
        await session.send(frame)
        assert (await session.response())["error"]["code"] == number
        assert await session.closed() == 1008
    assert not upstream.requests


@pytest.mark.requirement("json_rpc:access:origin")
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3001"])
async def test_a_foreign_page_makes_no_session_and_gets_no_socket(
    demo: ServerProcess, client: httpx.AsyncClient, origin: str
) -> None:
    problem_of(await client.post("/create_session", headers={"origin": origin}), 403, "origin_refused")
    session_id = await create_session(demo)
    with pytest.raises(InvalidStatus) as refusal:
        async with join(demo, session_id, headers={"origin": origin}):
            pass
    assert refusal.value.response.status_code == 403
