"""`parlance chat` with pipes: a question in, an answer out, and an exit code that scripts can use."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from parlance.testing.reply import Reply
from parlance.testing.script import Script, saying
from tests.acceptance.chat_command import ask_piped, piped
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED
from tests.acceptance.server_process import ServerProcess, started

KEY = "key-of-the-chat-0123456789"


@pytest.mark.requirement("chat:piped")
async def test_a_piped_question_is_answered_with_the_bare_text(
    lab: ServerProcess, upstream: PlannedUpstream, tmp_path: Path
) -> None:
    upstream.plan(Script(reply=Reply(reasoning=("Hm.",), text=("It is", "\n\x1b[31m**so**."))))
    run = await ask_piped("--url", lab.address, folder=tmp_path, given="Is it so?\n")
    assert run == (0, "It is\n\x1b[31m**so**.\n", "")
    assert upstream.sent(0)["messages"] == [{"role": "user", "content": "Is it so?"}]
    assert not list(tmp_path.iterdir())


@pytest.mark.requirement("chat:piped")
async def test_words_and_a_pipe_make_one_question(
    lab: ServerProcess, upstream: PlannedUpstream, tmp_path: Path
) -> None:
    upstream.plan(saying("Yes."))
    settings = {"PARLANCE_URL": f"{lab.address}/"}
    run = await ask_piped(
        "Shorten", "this:", "-", "--system", "Be brief.", folder=tmp_path, given="A text.\n", settings=settings
    )
    assert run == (0, "Yes.\n", "")
    assert upstream.sent(0)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Shorten this:\n\nA text."},
    ]


@pytest.mark.requirement("chat:in_process")
async def test_without_an_address_it_brings_its_own_server(tmp_path: Path) -> None:
    (tmp_path / "parlance.yaml").write_text(
        f"access: {{keys: {{web: {{key: {KEY}}}}}}}\nserver: {{port: 1, root_path: /x}}\n"
    )
    run = await ask_piped("/words 3", "--usage", folder=tmp_path)
    assert run[:2] == (0, "Parlance tells the\n")
    assert run[2].startswith("demo · about 2 tokens in, 3 out · ")
    assert len(run[2].splitlines()) == 1


@pytest.mark.requirement("chat:in_process")
async def test_its_own_server_needs_right_settings(tmp_path: Path) -> None:
    code, out, err = await ask_piped("Hello", "--set", "server.prot=1", folder=tmp_path)
    assert (code, out) == (2, "")
    assert "server.prot" in err
    assert "Traceback" not in err


@pytest.mark.requirement("chat:json")
async def test_json_tells_the_answer_line_by_line(demo: ServerProcess, tmp_path: Path) -> None:
    question = '/reason\n/call get_current_time {"format": "%H"}'
    code, out, err = await ask_piped("--json", "--url", demo.address, folder=tmp_path, given=question)
    lines = [json.loads(line) for line in out.splitlines()]
    kinds = [line["kind"] for line in lines]
    assert (code, err) == (0, "")
    assert (kinds[0], kinds[-1]) == ("started", "ended")
    assert set(kinds) == {"started", "reasoning", "tool_call", "tool_result", "text", "ended"}
    assert next(line for line in lines if line["kind"] == "tool_result")["output"].isdigit()
    ended = lines[-1]
    assert (ended["status"], ended["finish"], ended["model"]) == ("completed", "stop", "demo")
    assert ended["usage"]["output"] > 0
    assert ended["request_id"] == lines[0]["request_id"]
    assert ended["turn_id"] == lines[0]["turn_id"]
    assert ended["cursor"]
    bare = await ask_piped("--json", "--no-reasoning", "/reason", "--url", demo.address, folder=tmp_path)
    assert '"reasoning"' not in bare[1]


@pytest.mark.parametrize(
    ("question", "out", "word", "code"),
    [
        ("/fail quota", "", "exhausted", 1),
        ("/cut 2", "I am\n", "broke off", 1),
        ("/words 2 /length", "Parlance tells\n", "limit of the output", 0),
    ],
)
@pytest.mark.requirement("chat:failures")
async def test_what_is_wrong_with_an_answer_is_said_beside_it(
    demo: ServerProcess, tmp_path: Path, question: str, out: str, word: str, code: int
) -> None:
    run = await ask_piped(question, "--url", demo.address, folder=tmp_path)
    assert run[:2] == (code, out)
    assert word in run[2]


@pytest.mark.requirement("chat:failures")
async def test_an_unknown_model_is_said_to_be_unknown(demo: ServerProcess, tmp_path: Path) -> None:
    code, out, err = await ask_piped("--model", "demo/none", "Hello", "--url", demo.address, folder=tmp_path)
    assert (code, out) == (1, "")
    assert "no model 'none'" in err
    assert "--model" in err


@pytest.mark.requirement("chat:failures")
async def test_a_server_that_is_not_there_is_said_to_be_unreachable(tmp_path: Path, unused_tcp_port: int) -> None:
    address = f"http://127.0.0.1:{unused_tcp_port}"
    code, out, err = await ask_piped("Hello", "--json", "--url", address, folder=tmp_path)
    (ended,) = [json.loads(line) for line in out.splitlines()]
    assert (code, ended["status"], ended["code"]) == (1, "failed", "unreachable")
    assert err == f"No server listens at {address}. Start it with `parlance serve`, or check --url.\n"


@pytest.mark.requirement("chat:failures")
@pytest.mark.parametrize(
    "arguments", [("--url", "127.0.0.1:8000", "Hi"), (" ",), ("Hi", "--url", "http://x", "--set", "a=b")]
)
async def test_what_makes_no_sense_is_refused_with_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, out, err = await ask_piped(*arguments, folder=tmp_path)
    assert (code, out) == (2, "")
    assert "Error: " in err


@pytest.mark.requirement("chat:keys")
async def test_a_key_is_shown_to_the_server_and_to_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "parlance.yaml").write_text(f"access: {{keys: {{web: {{key: {KEY}}}}}}}\n")
    async with started(tmp_path) as server:
        right = await ask_piped("/words 1", "--url", server.address, folder=tmp_path, settings={"PARLANCE_KEY": KEY})
        wrong = await ask_piped("/words 1", "--url", server.address, "--key", f"{KEY}x", folder=tmp_path)
        none = await ask_piped("/words 1", "--url", server.address, folder=tmp_path)
    assert right == (0, "Parlance\n", "")
    assert wrong[:2] == none[:2] == (1, "")
    assert "Check the key" in wrong[2]
    assert "needs a key" in none[2]
    assert KEY not in wrong[2]


@pytest.mark.requirement("chat:cancel")
async def test_an_interrupt_cancels_the_answer_at_the_model(
    lab: ServerProcess, upstream: PlannedUpstream, tmp_path: Path
) -> None:
    upstream.plan(PAUSED)
    async with piped("--json", "Hello", "--url", lab.address, folder=tmp_path) as chat:
        assert (await chat.until("text"))["text"] == "one"
        chat.interrupt()
        ended = await chat.until("ended")
        assert await chat.rest() == (130, "", "")
    assert ended["status"] == "cancelled"
    await upstream.hung_up()


@pytest.mark.requirement("chat:cancel")
async def test_who_reads_no_further_ends_the_answer(
    lab: ServerProcess, upstream: PlannedUpstream, tmp_path: Path
) -> None:
    upstream.plan(Script(reply=Reply(text=("one", *(" more" for _ in range(1000)))), hold_after=2, event_delay=0.005))
    reading, writing = os.pipe()
    async with piped("Hello", "--url", lab.address, folder=tmp_path, stdout=writing) as chat:
        os.close(writing)
        assert await asyncio.to_thread(os.read, reading, 3) == b"one"
        os.close(reading)
        upstream.requests[0].go()
        code, _, err = await chat.rest()
    assert (code, err) == (1, "")
    await upstream.hung_up()
