"""Stored chats at the doors that have none of their own: begun at one, gone on with and read at the others."""

import hashlib
from pathlib import Path

import httpx
import pytest

from tests.acceptance.chat_lines import ask, begun, open_client, problem_of, resume
from tests.acceptance.chat_socket import open_chat, text_of
from tests.acceptance.rpc_session import create_session, join
from tests.acceptance.server_process import ServerProcess, started
from tests.acceptance.two_subtenants import ANN, BOB, KEYS, bearer

TOOL = {"name": "stock", "parameters": {"type": "object"}}


async def messages_of(client: httpx.AsyncClient, chat_id: str) -> list[tuple[str, str, str]]:
    answer = await client.get(f"/api/v1/chats/{chat_id}/messages")
    assert answer.status_code == 200, answer.text
    return [(one["role"], one["content"], one["status"]) for one in answer.json()]


async def new_chat(client: httpx.AsyncClient, message: str = "/words 2") -> str:
    chat_id: str = (await ask(client, message, chat_id="new")).lines[0]["meta"]["chat_id"]
    return chat_id


@pytest.mark.requirement("chats:doors")
async def test_a_chat_is_one_at_every_door(demo: ServerProcess) -> None:
    async with open_client(demo) as client, open_chat(demo) as socket:
        chat_id = await new_chat(client)
        frames = await socket.ask("/words 3", chat_id=chat_id)
        assert frames[0]["chunk"]["metadata"] == {"user_message": "/words 3", "chat_id": chat_id}
        async with join(demo, await create_session(demo, body={"chat_id": chat_id})) as session:
            assert (await session.ask("/words 4"))[-1]["params"]["final_text"] == "Parlance tells the same"
        sent = await client.post(f"/api/v1/chats/{chat_id}/messages", json={"content": "/words 1"})
        assert sent.json()["message"]["content"] == "Parlance"
        assert await messages_of(client, chat_id) == [
            ("user", "/words 2", "completed"),
            ("assistant", "Parlance tells", "completed"),
            ("user", "/words 3", "completed"),
            ("assistant", text_of(frames), "completed"),
            ("user", "/words 4", "completed"),
            ("assistant", "Parlance tells the same", "completed"),
            ("user", "/words 1", "completed"),
            ("assistant", "Parlance", "completed"),
        ]


@pytest.mark.requirement("chats:bad_ids")
async def test_a_chat_that_is_not_there_is_refused_at_every_door(demo: ServerProcess) -> None:
    missing = "01234567-89ab-7def-8123-456789abcdef"
    async with open_client(demo) as client, open_chat(demo) as socket:
        refused = await client.post("/chat", json={"message": "Hello", "chat_id": missing})
        problem_of(refused, 404, "chat_not_found")
        malformed = await client.post("/chat", json={"message": "Hello", "chat_id": "mine"})
        assert problem_of(malformed, 422, "invalid_request")["errors"][0]["path"] == "$.chat_id"
        assert (await socket.ask("Hello", chat_id=missing))[-1]["code"] == "chat_not_found"
        refused_frame = await socket.ask("Hello", chat_id="new", history=[])
        assert refused_frame[-1]["code"] == "invalid_request"
        problem_of(await client.post("/create_session", json={"chat_id": missing}), 404, "chat_not_found")


@pytest.mark.requirement("chats:bad_ids")
async def test_a_chat_of_another_subtenant_is_refused_as_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "parlance.yaml").write_text(KEYS)
    missing = "01234567-89ab-7def-8123-456789abcdef"
    async with started(tmp_path) as server, open_client(server, bearer(ANN)) as ann:
        foreign = await new_chat(ann)
        before = await messages_of(ann, foreign)
        async with open_client(server, bearer(BOB)) as bob, open_chat(server, headers=bearer(BOB)) as socket:
            for path, body in (("/chat", {"message": "Hello"}), ("/create_session", {})):
                told = []
                for chat_id in (foreign, missing):
                    answer = await bob.post(path, json={**body, "chat_id": chat_id})
                    problem = problem_of(answer, 404, "chat_not_found")
                    told.append(problem["detail"].replace(chat_id, "?"))
                assert told[0] == told[1]
            frames = [(await socket.ask("Hello", chat_id=chat_id))[-1] for chat_id in (foreign, missing)]
            assert [frame["code"] for frame in frames] == ["chat_not_found", "chat_not_found"]
        assert await messages_of(ann, foreign) == before


@pytest.mark.requirement("chats:resume")
async def test_an_answer_is_resumed_at_another_door_and_in_another_process(tmp_path: Path) -> None:
    settings = {"PARLANCE_DATA": str(tmp_path / "data")}
    async with started(tmp_path / "first", settings) as server, open_client(server) as client:
        async with begun(client, "/words 40", chat_id="new") as begin:
            await begin.until("delta")
            turn_id, cursor = begin.turn_id, begin.cursors[-1]
        whole = await resume(client, turn_id)
        chat_id = whole.lines[0]["meta"]["chat_id"]
        async with open_chat(server) as socket:
            await socket.resume(turn_id=turn_id, after=cursor, request_id="again")
            frames = await socket.answer("again")
        assert digest(begin.text + text_of(frames)) == digest(whole.text)
        assert [frame["cursor"] for frame in frames] == whole.cursors[whole.cursors.index(cursor) + 1 :]
    async with started(tmp_path / "second", settings) as server, open_client(server) as client:
        assert (await resume(client, turn_id)).lines == whole.lines
        rest = await resume(client, turn_id, after=cursor)
        assert rest.lines == whole.lines[whole.cursors.index(cursor) + 1 :]
        expired = await client.get(f"/chat/{turn_id}", params={"after": "0123456789ab-3"})
        assert problem_of(expired, 410, "cursor_expired")["snapshot"]["parts"][0]["text"] == whole.text
        assert [text for _, text, _ in await messages_of(client, chat_id)] == ["/words 40", whole.text]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.requirement("chats:waiting_calls")
async def test_a_call_that_waits_survives_the_server_and_any_device_answers_it(tmp_path: Path) -> None:
    settings = {"PARLANCE_DATA": str(tmp_path / "data")}
    async with started(tmp_path / "first", settings) as server:
        async with open_client(server) as client:
            made = (await client.post("/create_session", json={"chat_id": "new", "tools": [TOOL]})).json()
        async with join(server, made["session_id"]) as session:
            task_id = await session.generate('/call stock {"of":"pens"}')
            asked = (await session.notices_until("function_call_request"))[-1]["params"]
    async with started(tmp_path / "second", settings) as server:
        async with join(server, await create_session(server, body={"chat_id": made["chat_id"]})) as session:
            again = (await session.notices_until("function_call_request"))[-1]["params"]
            assert (again["task_id"], again["request_id"]) == (task_id, asked["request_id"])
            await session.give(task_id, {"tool_call_id": asked["request_id"], "result": 12})
            end = (await session.answer())[-1]
            assert (end["method"], end["params"]["status_message"]) == ("end", "completed")
            refused = await session.refusal(
                "tool_result", task_id=task_id, results=[{"tool_call_id": asked["request_id"], "result": 13}]
            )
            assert refused["data"]["code"] == "call_not_waiting"
        async with open_client(server) as client:
            roles = [role for role, _, _ in await messages_of(client, made["chat_id"])]
    assert roles == ["user", "assistant", "tool", "assistant"]


@pytest.mark.requirement("chats:store_always")
async def test_every_conversation_is_kept_where_the_operator_says_so(tmp_path: Path) -> None:
    async with started(tmp_path, {"PARLANCE_CHATS__STORE": "always"}) as server, open_client(server) as client:
        async with open_chat(server) as socket:
            first = await socket.ask("/words 1")
            second = await socket.ask("/words 2")
        chats = {frames[0]["chunk"]["metadata"]["chat_id"] for frames in (first, second)}
        assert len(chats) == 1
        assert len(await messages_of(client, chats.pop())) == 4
        alone = await ask(client, "/words 1")
        assert len(await messages_of(client, alone.lines[0]["meta"]["chat_id"])) == 2
        made = (await client.post("/create_session")).json()
        async with join(server, made["session_id"]) as session:
            await session.ask("/words 1")
        assert len(await messages_of(client, made["chat_id"])) == 2
