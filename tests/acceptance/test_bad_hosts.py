"""What a model's host may do wrong, and how each door tells it: within its deadline, with a code, and no secret."""

from pathlib import Path

import httpx
import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script, failing
from parlance.testing.silent_port import SilentPort
from parlance.testing.voices.openai_chat import encode_error, encode_event, encode_stream
from tests.acceptance.chat_lines import ask, open_client
from tests.acceptance.chat_socket import ChatSocket, open_chat, text_of
from tests.acceptance.conftest import LAB, UPSTREAM_KEY
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED, SILENT
from tests.acceptance.server_process import started

PAGE = b"<html><head><title>Sign in</title></head><body>no API here</body></html>"
BEGINNING = encode_stream(Reply(text=("one",)))[:2]
LIMITED = failing(429, encode_error("slow down", code="rate_limit_exceeded"), headers=(("Retry-After", "7"),))
ECHO = encode_error(f"Incorrect API key provided: {UPSTREAM_KEY}", code="invalid_api_key")

# What the host does; how the turn ends; the code; what of the answer was shown.
CASES = {
    "a page of HTML": (Script(body=PAGE, content_type="text/html"), "failed", "upstream_invalid", ""),
    "401 that echoes the key": (failing(401, ECHO), "failed", "upstream_key_refused", ""),
    "400 that echoes the key": (failing(400, encode_error(f"bad {UPSTREAM_KEY}")), "failed", "upstream_rejected", ""),
    "402": (failing(402, encode_error("pay")), "failed", "upstream_quota_exhausted", ""),
    "404": (failing(404, encode_error("no such model")), "failed", "upstream_rejected", ""),
    "429": (LIMITED, "failed", "upstream_rate_limited", ""),
    "500": (failing(500, PAGE), "failed", "upstream_failed", ""),
    "not HTTP": (Script(raw=b"SSH-2.0-OpenSSH_9.6\r\n"), "failed", "upstream_invalid", ""),
    "closed without an answer": (Script(raw=b""), "failed", "upstream_failed", ""),
    "silence before the head": (SILENT, "failed", "upstream_timeout", ""),
    "silence behind the head": (Script(hold_after=0), "failed", "upstream_timeout", ""),
    "silence in mid-stream": (PAUSED, "incomplete", "upstream_timeout", "one"),
    "cut by FIN": (Script(cut=500, break_by="fin"), "incomplete", "upstream_truncated", None),
    "cut by RST": (Script(cut=500, break_by="reset"), "incomplete", "upstream_truncated", None),
    "cut in a chunk": (Script(cut=500, break_by="chunk"), "incomplete", "upstream_truncated", None),
    "a body that ends early": (Script(finish=False, done=False), "incomplete", "upstream_truncated", "Hello there!"),
    "an error object in the stream": (
        Script(events=(*BEGINNING, encode_event({"error": {"message": "overloaded", "code": 503}}))),
        "failed", "upstream_failed", "one",
    ),
    "an error string in the stream": (
        Script(events=(*BEGINNING, encode_event({"error": "it broke"}))), "failed", "upstream_failed", "one",
    ),
    "an error for a finish reason": (
        Script(reply=Reply(text=("one",), finish="error")), "failed", "upstream_failed", "one",
    ),
    "garbage in the stream": (Script(events=(*BEGINNING, b"data: {not json\n\n")), "failed", "upstream_invalid", "one"),
}  # fmt: skip


@pytest.mark.requirement("ws_chat:bad_host")
@pytest.mark.parametrize("case", CASES)
async def test_the_socket_tells_what_the_host_did_and_lives_on(
    lab_chat: ChatSocket, upstream: PlannedUpstream, case: str
) -> None:
    script, status, code, shown = CASES[case]
    upstream.plan(script)
    frames = await lab_chat.ask("Hello")
    error = frames[-1]
    assert (error["status"], error["code"], error["metadata"]["status"]) == ("error", code, status), error
    assert shown in (None, text_of(frames))
    assert error.get("retry_after") == (7 if case == "429" else None)
    assert UPSTREAM_KEY not in str(frames)
    assert (await lab_chat.ask("Still there?"))[-1]["status"] == "complete"


@pytest.mark.requirement("ndjson_chat:bad_host")
@pytest.mark.parametrize("case", CASES)
async def test_the_lines_tell_what_the_host_did_and_break_off(
    lab_client: httpx.AsyncClient, upstream: PlannedUpstream, case: str
) -> None:
    script, status, code, shown = CASES[case]
    upstream.plan(script)
    answer = await ask(lab_client, "Hello")
    *_, error, done = answer.lines
    assert (error["error"]["code"], done["done"], done["status"]) == (code, True, status), answer.lines
    assert error["error"].get("retry_after") == (7 if case == "429" else None)
    assert shown in (None, answer.text)
    assert answer.whole is False
    assert UPSTREAM_KEY not in str(answer.lines)


@pytest.mark.requirement("ws_chat:slow_host")
async def test_a_host_that_drips_is_waited_for_while_it_says_something(
    lab_chat: ChatSocket, upstream: PlannedUpstream
) -> None:
    upstream.plan(Script(drip=7))
    frames = await lab_chat.ask("Hello")
    assert (text_of(frames), frames[-1]["status"]) == ("Hello there!", "complete")


@pytest.mark.requirement("ws_chat:bad_host")
@pytest.mark.requirement("ndjson_chat:bad_host")
async def test_a_host_that_refuses_connections_is_told_as_unreachable(tmp_path: Path, unused_tcp_port: int) -> None:
    settings = {**LAB, "LLM__HOST": f"http://127.0.0.1:{unused_tcp_port}", "LLM__MODEL": "TheBloke/MyLocalModel"}
    del settings["OPENAI_API_KEY"], settings["DEFAULT_MODEL"]
    async with started(tmp_path, settings) as server, open_chat(server) as chat, open_client(server) as client:
        frames, answer = await chat.ask("Hello"), await ask(client, "Hello")
        assert frames[-1]["code"] == answer.lines[-2]["error"]["code"] == "upstream_unreachable"
        assert frames[-1]["retryable"] is True
        assert "'llm'" in frames[-1]["error"]
        assert answer.lines[0]["meta"]["model"] == "TheBloke/MyLocalModel"


@pytest.mark.requirement("ws_chat:bad_host")
async def test_a_host_that_never_accepts_is_given_up_at_its_deadline(tmp_path: Path) -> None:
    async with SilentPort() as silent:
        settings = {
            "LLM__HOST": silent.base_url,
            "LLM__MODEL": "m",
            "PARLANCE_PROVIDERS__LLM__DEADLINES__CONNECT": "0.3",
        }
        async with started(tmp_path, settings) as server, open_chat(server) as chat:
            last = (await chat.ask("Hello"))[-1]
    assert last["code"] == "upstream_timeout"
    assert "`connect`" in last["error"]


@pytest.mark.requirement("ws_chat:bad_host")
@pytest.mark.requirement("ndjson_chat:bad_host")
async def test_where_no_host_is_set_the_answer_says_what_to_set(tmp_path: Path) -> None:
    settings = {"DEFAULT_LLM_PROVIDER": "openai"}
    async with started(tmp_path, settings) as server, open_chat(server) as chat, open_client(server) as client:
        refusal = (await chat.ask("Hello"))[-1]
        response = await client.post("/chat", json={"message": "Hello"})
    assert refusal["code"] == response.json()["code"] == "no_provider"
    assert response.status_code == 503
    assert "OPENAI_API_KEY" in refusal["error"]
