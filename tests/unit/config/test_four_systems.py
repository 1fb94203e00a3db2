"""The names of the four systems, beyond their printed examples, and what follows from them."""

import pytest

from parlance.config.legacy import ENVIRONMENT, FILE_KEYS
from parlance.config.schema import is_known
from tests.unit.config.reading import Desk, codes, secret, source, texts


def test_every_name_in_the_table_leads_into_the_tree() -> None:
    assert [row.variable for row in ENVIRONMENT if not is_known(row.path)] == []
    assert [key for key, (path, _) in FILE_KEYS.items() if not is_known(path)] == []


def test_the_websocket_services_variables_hold_over_its_file(desk: Desk) -> None:
    text = "server: {host: a, port: 1, cors_origins: ['http://localhost:3000/']}\nlogging: {level: ERROR}\n"
    names = {"SERVER_HOST": "localhost", "SERVER_PORT": "2", "LOG_LEVEL": "warn"}
    loaded = desk.load(names, config=text)
    assert (loaded.settings.server.host, loaded.settings.server.port) == ("localhost", 2)
    assert loaded.settings.server.cors_origins == ("http://localhost:3000",)
    assert loaded.settings.logging.level == "WARNING"
    assert source(loaded, "server.host") == "environment SERVER_HOST"


@pytest.mark.parametrize("section", ["openai", "anthropic", "gemini"])
def test_the_vendors_sections_take_the_same_keys(desk: Desk, section: str) -> None:
    text = f"{section}: {{api_key: sk-one, model: m, temperature: 0.1, top_p: 0.2, max_tokens: 3, stream: false}}\n"
    loaded = desk.load(config=text)
    provider = loaded.settings.providers[section]
    assert (provider.host, provider.model, provider.temperature, provider.top_p) == (section, "m", 0.1, 0.2)
    assert (provider.max_tokens, provider.stream, secret(provider.api_key)) == (3, False, "sk-one")
    assert source(loaded, f"providers.{section}.model") == f"config.yaml: {section}.model"


def test_the_request_section_holds_for_every_provider_that_says_nothing_itself(desk: Desk) -> None:
    settings = desk.settings(
        {"OPENAI_API_KEY": "sk-one"},
        config="request: {timeout: 45, max_retries: 4, retry_delay: 1.5}\n",
        parlance="providers: {lab: {base_url: 'http://lab.example', max_retries: 0}}\n",
    )
    one, lab = settings.providers["openai"], settings.providers["lab"]
    assert (one.deadlines.total, one.max_retries, one.retry_delay) == (45.0, 4, 1.5)
    assert (lab.deadlines.total, lab.max_retries, lab.retry_delay) == (45.0, 0, 1.5)


@pytest.mark.parametrize(
    ("written", "transport"),
    [("http", "http"), ("streamable-http", "http"), ("sse", "sse"), ("websocket", "websocket"), ("ws", "websocket")],
)
def test_tool_servers_are_reached_over_these_transports(desk: Desk, written: str, transport: str) -> None:
    text = f"mcp: {{servers: [{{name: a, url: 'http://a.example', transport: {written}}}]}}\n"
    assert desk.settings(config=text).mcp.servers["a"].transport == transport


def test_a_tool_server_may_be_a_program(desk: Desk) -> None:
    text = "mcp: {servers: [{name: Files, transport: stdio, command: serve, args: ['--root', /srv], auth_token: t}]}\n"
    server = desk.settings(config=text).mcp.servers["files"]
    assert (server.name, server.command, server.args) == ("Files", "serve", ("--root", "/srv"))


def test_tool_servers_are_refused_without_a_way_to_reach_them_or_with_one_name(desk: Desk) -> None:
    assert "needs url" in desk.refuse(config="mcp: {servers: [{name: a}]}\n")
    assert "needs command" in desk.refuse(config="mcp: {servers: [{name: a, transport: stdio}]}\n")
    assert "two servers are named B-1" in desk.refuse(config="mcp: {servers: [{name: b_1}, {name: B-1}]}\n")
    assert "number 1 has no name" in desk.refuse(config="mcp: {servers: [{url: 'http://a'}]}\n")


def test_the_database_may_be_given_in_parts(desk: Desk) -> None:
    parts = {"DB_HOST": "db", "DB_PORT": "5433", "DB_USER": "app", "DB_PASSWORD": "p@/:w", "DB_NAME": "chats"}
    assert secret(desk.settings(parts).database_url) == "postgresql://app:p%40%2F%3Aw@db:5433/chats"
    whole = {**parts, "DATABASE_URL": "postgres://other/db"}
    assert secret(desk.settings(whole).database_url) == "postgres://other/db"
    assert desk.settings({"DB_USER": "app"}).database_url is None


@pytest.mark.parametrize(
    ("endpoint", "host", "address"),
    [
        ("http://localhost:11434", "local", "http://localhost:11434"),
        ("http://localhost:1234/v1", "openai_compatible", "http://localhost:1234/v1"),
        ("localhost:1234/v1/", "openai_compatible", "http://localhost:1234/v1"),
    ],
)
def test_the_local_endpoint_says_its_language_by_its_version(
    desk: Desk, endpoint: str, host: str, address: str
) -> None:
    provider = desk.settings({"LOCAL_LLM_ENDPOINT": endpoint}).providers["local"]
    assert (provider.host, provider.base_url) == (host, address)


def test_the_rest_services_other_variables_are_known(desk: Desk) -> None:
    settings = desk.settings(
        {
            "OPENAI_API_KEY": "sk-one",
            "OPENAI_API_BASE_URL": "https://proxy.example/v1",
            "DEFAULT_MODEL": "gpt-4o",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
            "OTEL_SERVICE_NAME": "wrapper",
            "RELOAD": "true",
        }
    )
    assert settings.providers["openai"].base_url == "https://proxy.example/v1"
    assert settings.providers["openai"].host == "openai"
    assert settings.models.default == "gpt-4o"
    assert (settings.telemetry.otlp_endpoint, settings.telemetry.service_name) == ("http://collector:4318", "wrapper")


@pytest.mark.parametrize(("written", "level"), [("true", "DEBUG"), ("1", "DEBUG"), ("false", None)])
def test_debug_of_the_ndjson_service_is_that_providers_log_level(desk: Desk, written: str, level: str | None) -> None:
    names = {"LLM__HOST": "http://localhost:1", "LLM__DEBUG": written}
    assert desk.settings(names).providers["llm"].log_level == level


def test_debug_must_be_true_or_false(desk: Desk) -> None:
    assert "environment LLM__DEBUG: must be true or false" in desk.refuse({"LLM__DEBUG": "loud"})


@pytest.mark.parametrize("text", ["USERNAME=admin\nPASSWORD=long-enough\n"])
def test_the_sign_in_counts_in_dotenv_and_yaml_and_not_in_the_environment(desk: Desk, text: str) -> None:
    names = {"USERNAME": "system", "PASSWORD": "word"}
    assert desk.load(names).settings.console is None
    assert codes(desk.load(names)) == []
    console = desk.load(names, dotenv=text).settings.console
    assert console is not None
    assert (console.username, secret(console.password)) == ("admin", "long-enough")


def test_half_a_sign_in_is_none(desk: Desk) -> None:
    loaded = desk.load(local="username: admin\n")
    assert loaded.settings.console is None
    assert "stands without its password" in texts(loaded)


def test_a_password_of_digits_stays_as_it_was_written(desk: Desk) -> None:
    console = desk.settings(local="username: admin\npassword: 0123456789\n").console
    assert console is not None
    assert secret(console.password) == "0123456789"


def test_a_provider_without_key_or_address_is_off_and_says_what_to_set(desk: Desk) -> None:
    loaded = desk.load({"LLM__MODEL": "m"}, config="openai: {model: m}\n")
    assert loaded.settings.usable_providers == {}
    assert "set OPENAI_API_KEY or providers.openai.api_key" in str(loaded.settings.providers["openai"].off)
    assert "set LLM__HOST or providers.llm.base_url" in str(loaded.settings.providers["llm"].off)
    assert codes(loaded) == ["provider_off", "provider_off"]


def test_a_provider_takes_its_key_from_its_hosts_variable_unless_it_has_an_address_of_its_own(desk: Desk) -> None:
    text = "providers: {claude: {host: anthropic}, proxied: {host: anthropic, base_url: 'https://other.example'}}\n"
    providers = desk.settings({"ANTHROPIC_API_KEY": "sk-two"}, parlance=text).providers
    assert secret(providers["claude"].api_key) == "sk-two"
    assert providers["proxied"].api_key is None


def test_a_provider_may_be_named_and_nothing_more(desk: Desk) -> None:
    assert desk.settings(parlance="providers: {ollama: }\n").providers["ollama"].host == "ollama"
