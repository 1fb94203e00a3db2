"""The examples that the documents of the WebSocket chat and of the NDJSON chat print, run as they stand there."""

import json
import shutil
import subprocess
import sys

import httpx
import pytest

from tests.acceptance.chat_lines import ask
from tests.acceptance.chat_socket import ChatSocket
from tests.acceptance.server_process import ServerProcess

CLIENT_FRAME = """\
{
  "action": "chat",
  "payload": {"text": "user message"},
  "request_id": "unique-uuid-v4"
}
"""

CURL = """\
curl -N -X POST http://localhost:8000/chat \\
  -H 'Content-Type: application/json' \\
  -d '{"message":"Hello"}'
"""

PYTHON_CLIENT = """\
import httpx
import json

with httpx.Client(timeout=None) as client:
    with client.stream("POST", "http://localhost:8000/chat", json={"message":"Hello"}) as resp:
        for line in resp.iter_lines():
            if not line: continue
            data = json.loads(line)
            if 'delta' in data:
                print(data['delta'], end='', flush=True)
        print()  # newline after done
"""

ADDITIONS = {"turn_id", "cursor"}


def here(text: str, server: ServerProcess) -> str:
    return text.replace("localhost:8000", f"localhost:{server.port}")


@pytest.mark.requirement("ws_chat:example")
async def test_the_printed_frame_is_answered_by_the_printed_frames(chat: ChatSocket) -> None:
    await chat.send(CLIENT_FRAME)
    processing, *chunks, complete = await chat.answer("unique-uuid-v4")
    assert {key: processing[key] for key in processing.keys() - ADDITIONS} == {
        "request_id": "unique-uuid-v4",
        "status": "processing",
        "chunk": {"metadata": {"user_message": "user message"}},
    }
    for chunk in chunks:
        assert chunk.keys() - ADDITIONS == {"request_id", "status", "chunk"}
        assert chunk["status"] == "chunk"
        assert chunk["chunk"].keys() == {"type", "data"}
        assert chunk["chunk"]["type"] == "text"
        assert isinstance(chunk["chunk"]["data"], str)
    assert complete.keys() - ADDITIONS == {"request_id", "status", "metadata"}
    assert complete["status"] == "complete"
    assert complete["metadata"].keys() == {"status", "model", "provider", "finish_reason", "usage"}
    assert len({frame["cursor"] for frame in (processing, *chunks, complete)}) == len(chunks) + 2


@pytest.mark.requirement("ws_chat:example")
async def test_an_error_frame_has_the_printed_keys(chat: ChatSocket) -> None:
    *_, error = await chat.ask("/fail unreachable")
    assert error.keys() - ADDITIONS == {"request_id", "status", "error", "code", "retryable", "metadata"}
    assert error["status"] == "error"
    assert isinstance(error["error"], str)


@pytest.mark.requirement("ndjson_chat:example")
async def test_the_printed_body_is_answered_by_the_printed_lines(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "Hello")
    meta, *deltas, done = answer.lines
    assert answer.response.headers["content-type"] == "application/x-ndjson"
    assert meta["meta"].items() >= {"model": "demo", "role": "assistant"}.items()
    assert meta["meta"].keys() == {"model", "role", "turn_id"}
    assert all(delta.keys() == {"delta", "cursor"} and delta["delta"] for delta in deltas)
    assert done["done"] is True
    assert "status" not in done
    assert answer.whole


@pytest.mark.requirement("ndjson_chat:example")
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_printed_curl_command_works(demo: ServerProcess) -> None:
    run = subprocess.run(["sh", "-c", here(CURL, demo)], capture_output=True, text=True, timeout=30, check=True)
    first, *_, last = [json.loads(line) for line in run.stdout.splitlines()]
    assert first["meta"]["role"] == "assistant"
    assert last["done"] is True


@pytest.mark.requirement("ndjson_chat:example")
def test_the_printed_python_client_works(demo: ServerProcess) -> None:
    run = subprocess.run(
        [sys.executable, "-c", here(PYTHON_CLIENT, demo)], capture_output=True, text=True, timeout=30, check=True
    )
    assert run.stdout.startswith("You said: Hello")
    assert not run.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_curl_line_that_the_server_prints_works(demo: ServerProcess) -> None:
    command = next(line for line in demo.greeting if line.startswith("Try: ")).removeprefix("Try: ")
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(run.stdout.splitlines()[-1])["done"] is True
