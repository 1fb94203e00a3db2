"""What a value may be; each refusal says where it stands, what was found and what to write."""

import pytest

from parlance.config import ConfigError, Settings
from tests.unit.config.reading import Desk


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: {port: http}", "server.port: 'http' was found; it must be a whole number; write it as 8000"),
        ("server: {port: 65536}", "must be at most 65535"),
        ("server: {port: -1}", "must be at least 0"),
        ("server: 5", "must be a group of keys"),
        ("server: {cors_origins: ['http://a.example/path']}", "must be an origin"),
        ("server: {cors_origins: {a: b}}", "there is no such setting"),
        ("server: {tls: {cert: c.pem}}", "server.tls.key): is missing"),
        ("data: [a]", "data: must be a path"),
        ("server: {root_path: chat}", "must begin with a slash"),
        ("server: {ws: {history: some}}", "must be one of 'connection' or 'none'"),
        ("logging: {level: loud}", "must be one of 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'"),
        ("providers: {lab: {base_url: 'ftp://a'}}", "must be an address that begins with http:// or https://"),
        ("providers: {lab: {base_url: 'http://a:99999'}}", "must be an address that begins with"),
        ("providers: {lab: {host: openai, temperature: 3}}", "must be at most 2"),
        ("providers: {lab: {host: openai, top_p: nan}}", "must be a"),
        ("providers: {lab: {host: openai, stream: maybe}}", "'maybe' was found; it must be true or false"),
        ("providers: {lab: {host: openai, deadlines: {idle: 0}}}", "must be more than 0"),
        ("providers: {lab: {host: openai, max_retries: 1.5}}", "must be a whole number"),
        ("providers: {My-Lab: {host: openai}}", "must be lower-case letters, digits and _"),
        ("models: {fast: {route: []}}", "must have at least 1 item"),
        ("prices: {a/b: {input: -1, output: 2}}", "must be at least 0"),
        ("access: {keys: {web: {key: short}}}", "must have at least 8 characters"),
        ("access: {keys: {web: {key: 'sha256:12'}}}", "64 hexadecimal digits"),
        ("access: {keys: {web: {key: long-enough, scope: all}}}", "must be admin, service, or subtenant: and its id"),
        ("access: {keys: {a: {key: long-enough}, b: {key: long-enough}}}", "keys a and b are the same key"),
        ("console: {username: a, password: [b]}", "must be text"),
        ("tools: {rounds: 0}", "must be at least 1"),
        ("limits: {turns: many}", "must be a whole number"),
        ("limits: {bytes: 100000}", "bytes and per_key.bytes must be at least as large as body and message"),
        ("limits: {per_key: {bytes: 2000000}}", "must be at least as large as body and message"),
        ("limits: {stall: 0}", "must be more than 0"),
        ("server: {ws: {ping_interval: 0}}", "must be more than 0"),
    ],
)
def test_a_value_out_of_bounds_is_refused(desk: Desk, text: str, message: str) -> None:
    refusal = desk.refuse(parlance=f"{text}\n")
    assert message in refusal
    assert "- parlance.yaml: " in refusal


def test_all_faults_are_told_at_once_with_their_own_sources(desk: Desk) -> None:
    desk.put(config="openai: {temperature: hot}\n", parlance="servr: {}\nlimits: {turns: 0}\n")
    message = desk.refuse({"PORT": "http", "PARLANCE_TOOLS__ROUNDS": "x"}, dotenv="LLM__TIMEOUT_SECONDS=long\n")
    assert "6 settings are wrong" in message
    for place in (
        "parlance.yaml: servr:",
        "parlance.yaml: limits.turns:",
        "config.yaml: openai.temperature (providers.openai.temperature):",
        "environment PORT (server.port):",
        "environment PARLANCE_TOOLS__ROUNDS (tools.rounds):",
        ".env: LLM__TIMEOUT_SECONDS (providers.llm.deadlines.idle):",
    ):
        assert f"- {place}" in message


def test_an_error_has_a_stable_code_and_its_problems_apart(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="1 setting is wrong") as caught:
        desk.load({"PORT": "http"})
    assert caught.value.code == "config_invalid"
    assert [problem.place for problem in caught.value.problems] == ["environment PORT (server.port)"]


def test_without_any_source_the_defaults_hold(desk: Desk) -> None:
    settings = desk.settings()
    assert settings == Settings()
    assert (settings.server.host, settings.server.port, settings.server.loopback) == ("127.0.0.1", 8000, True)
    assert settings.server.cors_origins == (
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        "http://localhost:5173",
        "http://127.0.0.1:5173",
    )
    assert (settings.tools.rounds, settings.tools.parallel, settings.tools.timeout, settings.tools.wait) == (
        25,
        8,
        60.0,
        600.0,
    )
    assert (settings.journal.live_retention, settings.journal.live_grace) == (900.0, 60.0)
    assert settings.discovery
    assert not settings.access.open


def test_the_deadlines_of_a_provider_hold_unless_others_are_set(desk: Desk) -> None:
    deadlines = desk.settings({"OPENAI_API_KEY": "sk-one"}).providers["openai"].deadlines
    assert (deadlines.connect, deadlines.first, deadlines.idle, deadlines.total) == (5.0, None, 60.0, 600.0)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("LOCALHOST", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_loopback_is_what_only_this_machine_can_reach(desk: Desk, host: str, loopback: bool) -> None:
    assert desk.settings({"HOST": host}).server.loopback is loopback


def test_the_tree_is_frozen(desk: Desk) -> None:
    settings = desk.settings({"OPENAI_API_KEY": "sk-one"})
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1
    with pytest.raises(TypeError):
        settings.providers["other"] = settings.providers["openai"]  # type: ignore[index]  # what the type forbids must fail at run time too
