"""`parlance doctor`, `parlance serve` where it can't serve, and how a server stops."""

import asyncio
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.chat_lines import begun, open_client
from tests.acceptance.chat_socket import open_chat
from tests.acceptance.conftest import UPSTREAM_KEY
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.scripts import PAUSED
from tests.acceptance.server_process import ServerProcess, clean_environment, run_command, started

STOP_SECONDS = 2.0


@pytest.mark.requirement("server:doctor:sources")
@pytest.mark.requirement("server:doctor:secrets")
def test_doctor_tells_each_setting_with_its_source_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "parlance.yaml").write_text('access: {keys: {web: {key: "canary-key-0123456789"}}}\n')
    (tmp_path / ".env").write_text(f"LLM__HOST=http://localhost:1234\nOPENAI_API_KEY={UPSTREAM_KEY}\n")
    run = run_command("doctor", "--offline", "--set", "logging.level=DEBUG", folder=tmp_path, settings={"PORT": "9001"})
    assert run.returncode == 0, run.stderr
    rows = {name: (value, source) for name, value, source in map(columns, run.stdout.splitlines()) if source}
    assert rows["server.port"] == ("9001", "(environment PORT)")
    assert rows["logging.level"] == ("DEBUG", "(argument logging.level)")
    assert rows["providers.llm.base_url"] == ("http://localhost:1234/v1", "(.env: LLM__HOST)")
    assert rows["providers.openai.api_key"][1] == "(.env: OPENAI_API_KEY)"
    assert "parlance.yaml" in rows["access.keys.web.key"][1]
    assert "canary" not in run.stdout + run.stderr


def columns(line: str) -> tuple[str, str, str]:
    first, second, third, *_ = [*re.split(r"\s{2,}", line.strip()), "", "", ""]
    return first, second, third


@pytest.mark.requirement("server:doctor:hosts")
async def test_doctor_asks_the_hosts_for_their_models(upstream: PlannedUpstream, tmp_path: Path) -> None:
    settings = {"OPENAI_API_KEY": UPSTREAM_KEY, "OPENAI_API_BASE_URL": upstream.base_url}
    run = await in_thread(tmp_path, settings)
    assert run.returncode == 0, run.stdout
    assert "scripted-model" in run.stdout
    assert [request.path for request in upstream.requests] == ["/v1/models"]


@pytest.mark.requirement("server:doctor:hosts")
async def test_doctor_says_which_host_can_not_be_used(
    upstream: PlannedUpstream, tmp_path: Path, unused_tcp_port: int
) -> None:
    settings = {
        "OPENAI_API_KEY": UPSTREAM_KEY,
        "OPENAI_API_BASE_URL": upstream.base_url,
        "LLM__HOST": f"http://127.0.0.1:{unused_tcp_port}",
    }
    run = await in_thread(tmp_path, settings)
    assert run.returncode == 1
    assert "refuses connections" in run.stdout
    assert "scripted-model" in run.stdout
    assert UPSTREAM_KEY not in run.stdout + run.stderr


async def in_thread(folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(run_command, "doctor", folder=folder, settings=settings)


@pytest.mark.requirement("server:doctor:bad_settings")
@pytest.mark.requirement("server:serve:bad_settings")
@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_wrong_settings_are_all_told_at_once_and_end_the_command_with_2(tmp_path: Path, command: str) -> None:
    (tmp_path / "parlance.yaml").write_text("server: {prot: 1}\nlimits: {turns: none}\n")
    run = run_command(command, folder=tmp_path, settings={"LOG_LEVEL": "LOUD", "PORT": "99999"})
    assert run.returncode == 2
    for word in ("server.prot", "server.port", "limits.turns", "LOG_LEVEL", "PORT"):
        assert word in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / ".parlance").exists()


@pytest.mark.requirement("server:serve:bad_settings")
def test_an_assignment_that_is_none_ends_the_command_with_2(tmp_path: Path) -> None:
    run = run_command("serve", "--set", "nonsense", folder=tmp_path)
    assert run.returncode == 2
    assert "path=value" in run.stderr


@pytest.mark.requirement("server:serve:warnings")
def test_an_unknown_variable_of_ours_is_warned_about(tmp_path: Path) -> None:
    run = run_command("doctor", "--offline", folder=tmp_path, settings={"PARLANCE_SERVER__PROT": "1"})
    assert run.returncode == 0
    assert "PARLANCE_SERVER__PORT" in run.stdout


@pytest.mark.requirement("server:serve:port_taken")
def test_a_port_that_is_taken_ends_the_command_with_a_word_about_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        run = run_command("serve", "--port", str(port), folder=tmp_path)
    assert run.returncode == 1
    assert f"127.0.0.1:{port}" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.requirement("server:serve:unwritable")
def test_a_log_file_that_can_not_be_written_ends_the_command_with_a_word_about_it(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where a folder should be")
    run = run_command("serve", "--port", "0", "--set", "logging.file=logs/parlance.log", folder=tmp_path)
    assert run.returncode == 1
    assert "logs" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.requirement("server:serve:bad_first_key")
def test_a_first_key_that_is_none_ends_the_command_with_a_word_about_it(tmp_path: Path) -> None:
    (tmp_path / ".parlance").mkdir()
    (tmp_path / ".parlance" / "first_key").write_text("not a hash")
    run = run_command("serve", "--host", "0.0.0.0", "--port", "0", folder=tmp_path)
    assert run.returncode == 2
    assert "first_key" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.requirement("server:serve:greeting")
def test_the_greeting_says_where_to_look_and_who_answers(demo: ServerProcess) -> None:
    listens, answers, attempt, *_ = demo.greeting
    assert listens == f"Parlance listens on {demo.address}"
    assert answers.startswith("Answers come from: demo")
    assert f"{demo.address}/chat" in attempt


@pytest.mark.requirement("server:serve:version")
def test_the_version_is_told(tmp_path: Path) -> None:
    assert run_command("--version", folder=tmp_path).stdout.startswith("parlance, version ")


@pytest.mark.requirement("server:serve:stop")
def test_a_server_with_nothing_to_do_stops_at_once(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        server.terminate()
        server.wait(STOP_SECONDS)


@pytest.mark.requirement("server:serve:stop")
async def test_idle_connections_do_not_hold_a_server_up(tmp_path: Path) -> None:
    async with started(tmp_path) as server, open_chat(server) as chat, open_client(server) as client:
        await chat.ask("Hello")
        await client.get("/health")
        server.terminate()
        assert await chat.closed() == 1012
        await in_time(server)


@pytest.mark.requirement("server:serve:stop")
async def test_what_runs_when_its_grace_is_over_ends_incomplete(upstream: PlannedUpstream, tmp_path: Path) -> None:
    upstream.plan(PAUSED)
    settings = {
        "OPENAI_API_BASE_URL": upstream.base_url,
        "OPENAI_API_KEY": UPSTREAM_KEY,
        "DEFAULT_MODEL": "scripted-model",
        "PARLANCE_SERVER__STOP_GRACE": "0.2",
    }
    async with started(tmp_path, settings) as server, open_client(server) as client:
        async with begun(client, "Hello") as answer:
            await answer.until("delta")
            server.terminate()
            await answer.rest()
            assert answer.whole is False
        await in_time(server)
        (ended,) = [line for line in server.log_lines if line["event"] == "turn ended"]
    assert ended.items() >= {"status": "incomplete", "fault": "interrupted"}.items()
    await upstream.hung_up()


async def in_time(server: ServerProcess) -> None:
    await asyncio.to_thread(server.wait, STOP_SECONDS)


@pytest.mark.requirement("server:serve:command")
def test_the_command_and_the_module_are_the_same(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("parlance")
    if not command.exists():
        pytest.skip("the package is not installed")
    run = subprocess.run(
        [command, "--version"],
        cwd=tmp_path,
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == run_command("--version", folder=tmp_path).stdout
