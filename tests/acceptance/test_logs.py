"""What the process writes down: the ids of every turn, and neither secrets nor anything that anybody said."""

import json
from pathlib import Path

import pytest

from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Script, failing, saying
from parlance.testing.voices.openai_chat import encode_error
from tests.acceptance.chat_lines import ask, begun, open_client, problem_of
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.conftest import LAB, UPSTREAM_KEY
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import WEATHER
from tests.acceptance.server_process import ServerProcess, started

KEY = "canary-client-key-0123456789"
WRONG_KEY = "canary-wrong-key-0123456789"
SECRETS = (KEY, WRONG_KEY, UPSTREAM_KEY, "canary-header-value", "canary-proxy-password")
TEXTS = ("canary-question", "canary-answer", "canary-thought", "canary-argument", "canary-result", "canary-complaint")

SETTINGS = f"""\
access: {{keys: {{web: {{key: {KEY}}}}}}}
providers: {{openai: {{headers: {{X-Canary: canary-header-value}}}}}}
logging: {{level: DEBUG, format: json, file: logs/parlance.log}}
"""


@pytest.mark.requirement("server:logs:canary")
@pytest.mark.requirement("server:logs:ids")
async def test_no_secret_and_no_word_of_anybody_is_written_down(upstream: PlannedUpstream, tmp_path: Path) -> None:
    (tmp_path / "parlance.yaml").write_text(SETTINGS)
    call = ScriptedCall("get_weather", '{"city": "canary-argument"}', "call_1")
    upstream.plan(
        Script(reply=Reply(text=("canary-answer",), reasoning=("canary-thought",), calls=(call,))),
        saying("canary-answer"),
        failing(401, encode_error(f"canary-complaint {UPSTREAM_KEY}", code="invalid_api_key")),
        failing(500, encode_error(f"canary-complaint {UPSTREAM_KEY}")),
        Script(reply=Reply(text=("canary-answer " * 50,)), cut=400, break_by="reset"),
        Script(body=b"<html>canary-answer</html>", content_type="text/html"),
    )
    settings = {**LAB, "OPENAI_API_BASE_URL": upstream.base_url}
    async with started(tmp_path, settings) as server:
        seen = await talk(server)
        async with open_client(server, {"x-api-key": WRONG_KEY}) as client:
            problem_of(
                await client.post(f"/chat?key={WRONG_KEY}", json={"message": "canary-question"}), 401, "key_invalid"
            )
        async with open_client(server, {"authorization": f"Bearer {KEY}"}) as client:
            await client.post("/chat", content=b'{"message": canary-question}', headers={"content-type": "text/plain"})
            await client.get(f"/nowhere?canary-question&key={WRONG_KEY}")
    written = {
        "standard output": server.output,
        "standard error": server.log,
        "the file": (tmp_path / "logs/parlance.log").read_text(),
    }
    for place, text in written.items():
        assert not [line for line in text.splitlines() if any(word in line for word in SECRETS + TEXTS)], place
    told = json.dumps(seen)
    assert not [secret for secret in SECRETS if secret in told]
    lines = [json.loads(line) for line in written["the file"].splitlines()]
    assert [line["event"] for line in lines] == [line["event"] for line in server.log_lines]


async def talk(server: ServerProcess) -> list[object]:
    """All that can be said at both doors; what the client was told."""
    headers = {"authorization": f"Bearer {KEY}"}
    async with open_chat(server, headers=headers) as chat, open_client(server, headers) as client:
        request_id = await chat.chat("canary-question", tools=[WEATHER], params={"reasoning": True})
        told = await chat.frames_until(request_id, "tool_call")
        await chat.give({"tool_call_id": "call_1", "output": "canary-result"}, request_id=request_id)
        told += await chat.answer(request_id)
        told += await chat.ask("canary-question")
        told += await chat.ask("canary-question")
        await chat.send('{"action": "canary-question"')
        told.append(await chat.frame())
        async with begun(client, "canary-question") as answer:
            await answer.rest()
        return [*told, *answer.lines, *(await ask(client, "canary-question")).lines]


@pytest.mark.requirement("server:logs:ids")
@pytest.mark.requirement("ndjson_chat:request_id")
async def test_every_line_of_a_turn_bears_its_ids(upstream: PlannedUpstream, tmp_path: Path) -> None:
    settings = {**LAB, "OPENAI_API_BASE_URL": upstream.base_url}
    async with started(tmp_path, settings) as server:
        async with open_client(server, {"x-request-id": "mine-1"}) as client:
            answer = await ask(client, "Hello")
            assert answer.response.headers["x-request-id"] == "mine-1"
        async with open_client(server, {"x-request-id": "has space"}) as client:
            other = (await client.get("/nowhere")).headers["x-request-id"]
            assert "space" not in other
            assert (await client.get("/")).headers["x-request-id"] != other
        async with open_chat(server) as chat:
            frames = await chat.ask("Hello", request_id="mine-2")
        lines = server.log_lines
    turns = {"mine-1": answer.turn_id, "mine-2": frames[0]["turn_id"]}
    for request_id, turn_id in turns.items():
        own = [line for line in lines if line.get("turn_id") == turn_id and line["logger"] == "parlance.turns"]
        assert (own[0]["event"], own[-1]["event"]) == ("turn started", "turn ended")
        assert {line["request_id"] for line in own} == {request_id}
        assert own[-1].items() >= {"status": "completed", "input_tokens": 5, "output_tokens": 3}.items()


@pytest.mark.requirement("server:logs:failure")
async def test_a_failure_has_one_line_that_names_its_cause(upstream: PlannedUpstream, tmp_path: Path) -> None:
    upstream.plan(failing(500, b"{}"))
    settings = {**LAB, "OPENAI_API_BASE_URL": upstream.base_url}
    async with started(tmp_path, settings) as server:
        async with open_client(server, {"x-request-id": "broken"}) as client:
            await ask(client, "Hello")
        (line,) = [line for line in server.log_lines if line["level"] in ("warning", "error")]
    assert line.items() >= {"request_id": "broken", "status": "failed", "fault": "upstream_failed"}.items()
