"""Who may come in at both doors: keys and their scopes, pages and their origins, names of the server."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from tests.acceptance.chat_lines import ask, open_client, problem_of
from tests.acceptance.chat_socket import ChatSocket, open_chat
from tests.acceptance.conftest import lab_server
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.server_process import ServerProcess, started

PLAIN, HASHED, LIMITED, ANN, BOB = (f"key-of-{name}-0123456789" for name in ("web", "app", "small", "ann", "bob"))

SETTINGS = f"""\
models: {{small: openai/small-model}}
access:
  keys:
    web: {{key: {PLAIN}}}
    app: {{key: "sha256:{hashlib.sha256(HASHED.encode()).hexdigest()}", scope: admin}}
    small: {{key: {LIMITED}, models: [small]}}
    ann: {{key: {ANN}, scope: "subtenant:ann"}}
    bob: {{key: {BOB}, scope: "subtenant:bob"}}
"""


@pytest.fixture(scope="module")
def shared_keyed(shared_upstream: PlannedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with lab_server(tmp_path_factory.mktemp("keyed"), shared_upstream, SETTINGS) as server:
        yield server


@pytest.fixture
def keyed(shared_keyed: ServerProcess, upstream: PlannedUpstream) -> ServerProcess:
    """A server that needs a key."""
    return shared_keyed


@pytest_asyncio.fixture(loop_scope="session")
async def stranger(keyed: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with open_client(keyed) as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def refused_handshake(server: ServerProcess, **options: object) -> httpx.Response:
    """The answer to a handshake that is refused."""
    with pytest.raises(InvalidStatus) as refusal:
        async with open_chat(server, **options):  # type: ignore[arg-type] # the options are open_chat's own
            pass
    answer = refusal.value.response
    headers = [pair for pair in answer.headers.raw_items() if pair[0].lower() != "content-length"]
    return httpx.Response(answer.status_code, headers=headers, content=bytes(answer.body or b""))


@pytest.mark.requirement("ndjson_chat:access:headers")
@pytest.mark.parametrize("name", ["authorization", "x-api-key", "x-goog-api-key", "api-key"])
@pytest.mark.parametrize("key", [PLAIN, HASHED])
async def test_a_key_may_come_in_any_of_its_headers(stranger: httpx.AsyncClient, name: str, key: str) -> None:
    headers = {name: f"Bearer {key}" if name == "authorization" else key}
    answer = await stranger.post("/chat", json={"message": "Hello"}, headers=headers)
    assert answer.status_code == 200


@pytest.mark.requirement("ndjson_chat:access:refused")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/chat"),
        ("GET", "/chat/x"),
        ("POST", "/chat/x/cancel"),
        ("POST", "/chat/x/tool_results"),
        ("GET", "/models"),
    ],
)
async def test_every_path_needs_the_key(stranger: httpx.AsyncClient, method: str, path: str) -> None:
    missing = await stranger.request(method, path, json={"message": "Hello"})
    problem_of(missing, 401, "key_missing")
    assert missing.headers["www-authenticate"] == "Bearer"
    wrong = await stranger.request(method, path, json={"message": "Hello"}, headers=bearer("wrong-key-0123456789"))
    problem_of(wrong, 401, "key_invalid")
    assert "wrong-key" not in wrong.text


@pytest.mark.requirement("ndjson_chat:access:query")
@pytest.mark.requirement("ws_chat:access:query")
async def test_a_key_in_a_query_string_is_ignored(keyed: ServerProcess, stranger: httpx.AsyncClient) -> None:
    for name in ("key", "api_key", "access_token", "token"):
        answer = await stranger.post(f"/chat?{name}={PLAIN}", json={"message": "Hello"})
        problem_of(answer, 401, "key_missing")
    assert PLAIN not in keyed.log


@pytest.mark.requirement("ndjson_chat:access:open_paths")
@pytest.mark.parametrize("path", ["/", "/health", "/ready"])
async def test_what_only_says_that_the_server_lives_needs_no_key(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 200


@pytest.mark.requirement("ws_chat:access:headers")
@pytest.mark.parametrize("name", ["authorization", "x-api-key", "x-goog-api-key", "api-key"])
async def test_a_socket_may_bring_its_key_in_a_header(keyed: ServerProcess, name: str) -> None:
    headers = {name: f"Bearer {PLAIN}" if name == "authorization" else PLAIN}
    async with open_chat(keyed, headers=headers) as chat:
        assert (await chat.ask("Hello"))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:access:subprotocol")
async def test_a_socket_may_bring_its_key_as_a_subprotocol(keyed: ServerProcess) -> None:
    async with open_chat(keyed, subprotocols=["parlance", f"parlance.key.{PLAIN}"]) as chat:
        assert chat.connection.subprotocol == "parlance"
        assert (await chat.ask("Hello"))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:access:refused")
async def test_a_wrong_key_is_refused_in_the_handshake(keyed: ServerProcess) -> None:
    refusal = await refused_handshake(keyed, headers=bearer("wrong-key-0123456789"))
    problem_of(refusal, 401, "key_invalid")
    refusal = await refused_handshake(keyed, subprotocols=["parlance", "parlance.key.wrong-key-0123456789"])
    problem_of(refusal, 401, "key_invalid")


async def sign_in(chat: ChatSocket, key: str) -> None:
    await chat.send({"action": "auth", "payload": {"key": key}, "request_id": "in"})


@pytest.mark.requirement("ws_chat:access:first_frame")
async def test_a_socket_may_bring_its_key_in_its_first_frame(keyed: ServerProcess) -> None:
    async with open_chat(keyed) as chat:
        await sign_in(chat, PLAIN)
        assert await chat.frame() == {"request_id": "in", "status": "authenticated"}
        assert (await chat.ask("Hello"))[-1]["status"] == "complete"


@pytest.mark.requirement("ws_chat:access:first_frame")
@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"action": "auth", "payload": {"key": "wrong-key-0123456789"}, "request_id": "r"}, "key_invalid"),
        ({"action": "chat", "payload": {"text": "Hello"}, "request_id": "r"}, "key_missing"),
        ({"action": "auth", "request_id": "r"}, "invalid_request"),
        ("nonsense", "invalid_json"),
    ],
)
async def test_any_other_first_frame_ends_the_connection(
    keyed: ServerProcess, upstream: PlannedUpstream, frame: str | dict[str, object], code: str
) -> None:
    async with open_chat(keyed) as chat:
        await chat.send(frame)
        refusal = await chat.frame()
        assert (refusal["status"], refusal["code"]) == ("error", code)
        assert refusal["request_id"] == (frame["request_id"] if isinstance(frame, dict) else None)
        assert await chat.closed() == 1008
    assert not upstream.requests


@pytest.mark.requirement("ws_chat:access:models")
@pytest.mark.requirement("ndjson_chat:access:models")
async def test_a_key_with_a_list_of_models_may_use_no_other(keyed: ServerProcess, upstream: PlannedUpstream) -> None:
    async with open_client(keyed, bearer(LIMITED)) as client, open_chat(keyed, headers=bearer(LIMITED)) as chat:
        refusal = await client.post("/chat", json={"message": "Hello", "model": "openai/scripted-model"})
        problem_of(refusal, 403, "model_forbidden")
        assert (await chat.ask("Hello", model="openai/scripted-model"))[-1]["code"] == "model_forbidden"
        assert not upstream.requests
        assert (await ask(client, "Hello", model="small")).whole
        assert (await ask(client, "Hello")).whole
        listed = (await client.get("/models")).json()
    assert [request.json["model"] for request in upstream.requests if request.method == "POST"] == ["small-model"] * 2
    assert listed == {"models": [{"id": "small", "provider": "openai", "default": True}], "default": "small"}


@pytest.mark.requirement("ws_chat:access:owner")
@pytest.mark.requirement("ndjson_chat:access:owner")
async def test_a_turn_of_another_subtenant_is_not_there(keyed: ServerProcess) -> None:
    async with open_client(keyed, bearer(ANN)) as ann, open_client(keyed, bearer(BOB)) as bob:
        turn_id = (await ask(ann, "Hello")).turn_id
        results = {"results": [{"tool_call_id": "c", "output": 1}]}
        for method, rest, body in (("GET", "", None), ("POST", "/cancel", None), ("POST", "/tool_results", results)):
            refusal = await bob.request(method, f"/chat/{turn_id}{rest}", json=body)
            unknown = await bob.request(method, f"/chat/none{rest}", json=body)
            problem = problem_of(refusal, 404, "turn_not_found")
            assert problem["detail"].replace(turn_id, "none") == unknown.json()["detail"]
        async with open_client(keyed, bearer(PLAIN)) as service:
            assert (await service.get(f"/chat/{turn_id}")).status_code == 200
    async with open_chat(keyed, headers=bearer(BOB)) as chat:
        for frame in ({"action": "resume", "turn_id": turn_id}, {"action": "cancel", "turn_id": turn_id}):
            await chat.send(frame)
            assert (await chat.frame())["code"] == "turn_not_found"


@pytest.mark.requirement("ws_chat:access:owner")
async def test_a_request_id_finds_only_turns_of_its_own_subtenant(keyed: ServerProcess) -> None:
    async with open_chat(keyed, headers=bearer(ANN)) as ann, open_chat(keyed, headers=bearer(BOB)) as bob:
        frames = await ann.ask("Hello", request_id="shared-name")
        await bob.resume(request_id="shared-name")
        assert (await bob.frame())["code"] == "turn_not_found"
        assert frames[-1]["status"] == "complete"


FOREIGN = (
    "https://evil.example",
    "null",
    "http://localhost:3001",
    "http://127.0.0.1.evil.example",
    "https://localhost:3000",
)


@pytest.mark.requirement("ndjson_chat:access:origin")
@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/chat"), ("GET", "/models"), ("OPTIONS", "/chat"), ("GET", "/health"), ("PUT", "/nowhere")],
)
async def test_a_foreign_page_is_refused_at_every_path_and_method(
    client: httpx.AsyncClient, origin: str, method: str, path: str
) -> None:
    headers = {"origin": origin, "access-control-request-method": "POST"}
    answer = await client.request(method, path, json={"message": "Hello"}, headers=headers)
    problem_of(answer, 403, "origin_refused")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.requirement("ws_chat:access:origin")
@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_foreign_page_gets_no_socket(demo: ServerProcess, origin: str) -> None:
    problem_of(await refused_handshake(demo, origin=origin), 403, "origin_refused")


@pytest.mark.requirement("ws_chat:access:origin")
@pytest.mark.requirement("ndjson_chat:access:origin")
@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:5173", "own"])
async def test_known_pages_may_use_both_doors(demo: ServerProcess, client: httpx.AsyncClient, origin: str) -> None:
    origin = demo.address if origin == "own" else origin
    answer = await client.post("/chat", json={"message": "Hello"}, headers={"origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    async with open_chat(demo, origin=origin) as chat:
        assert (await chat.ask("Hello"))[-1]["status"] == "complete"


@pytest.mark.requirement("ndjson_chat:access:preflight")
async def test_a_known_page_is_told_what_it_may_send(client: httpx.AsyncClient) -> None:
    asked = {
        "origin": "http://localhost:5173",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-own-header",
    }
    answer = await client.options("/chat", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "x-own-header" in answer.headers["access-control-allow-headers"]
    refused = await client.post("/chat", content=b"{", headers={"origin": "http://localhost:5173"})
    assert refused.headers["access-control-allow-origin"] == "http://localhost:5173"


@pytest.mark.requirement("ws_chat:access:host")
@pytest.mark.requirement("ndjson_chat:access:host")
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "10.0.0.7"])
async def test_a_name_that_is_not_the_servers_is_refused_while_no_key_is_needed(
    demo: ServerProcess, client: httpx.AsyncClient, host: str
) -> None:
    problem_of(await client.get("/models", headers={"host": host}), 421, "host_refused")
    problem_of(await client.post("/chat", json={"message": "Hi"}, headers={"host": host}), 421, "host_refused")
    reader, writer = await asyncio.open_connection("127.0.0.1", demo.port)
    writer.write(
        f"GET /ws/chat HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert b" 421 " in await reader.readline()
    writer.close()


@pytest.mark.requirement("server:access:first_start")
async def test_the_first_start_beyond_loopback_makes_a_key_and_shows_it_once(tmp_path: Path) -> None:
    settings = {"HOST": "0.0.0.0", "DEFAULT_LLM_PROVIDER": "demo"}
    async with started(tmp_path, settings) as server:
        (shown,) = [line for line in server.greeting if line.startswith("Key, shown this once: ")]
        key = shown.rpartition(" ")[2]
        async with open_client(server) as client:
            problem_of(await client.get("/models"), 401, "key_missing")
            assert (await client.get("/models", headers=bearer(key))).status_code == 200
        assert key not in server.log
    kept = (tmp_path / ".parlance" / "first_key").read_text()
    assert key not in kept
    assert hashlib.sha256(key.encode()).hexdigest() in kept
    async with started(tmp_path, settings) as server:
        assert "shown this once" not in server.output
        async with open_client(server, bearer(key)) as client:
            assert (await client.get("/models")).status_code == 200
