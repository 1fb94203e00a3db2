"""Each example of the four systems' documents, as printed, gives the settings that it means."""

from dataclasses import dataclass

import pytest

from parlance.config import choose_default
from tests.unit.config import printed_examples as printed
from tests.unit.config.reading import Desk, codes, secret, source


def test_a_placeholder_key_is_a_key_like_any_other(desk: Desk) -> None:
    settings = desk.settings(dotenv=printed.WEBSOCKET_DOTENV)
    provider = settings.providers["openai"]
    assert (provider.host, secret(provider.api_key), provider.off) == ("openai", "sk-placeholder-key", None)
    assert choose_default(settings, []).provider == "openai"


def test_the_tool_server_of_the_websocket_document_is_kept_with_its_printed_name(desk: Desk) -> None:
    server = desk.settings(config=printed.WEBSOCKET_TOOL_SERVER).mcp.servers["my_tool_server"]
    assert (server.name, server.url, server.transport, server.timeout) == (
        "my-tool-server",
        "http://localhost:3000",
        "http",
        30.0,
    )


def test_the_configuration_file_of_the_websocket_document_gives_its_settings(desk: Desk) -> None:
    loaded = desk.load({"OPENAI_API_KEY": "sk-live"}, config=printed.WEBSOCKET_YAML)
    settings = loaded.settings
    provider = settings.providers["openai"]
    assert loaded.warnings == ()
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 8000)
    assert (provider.model, provider.temperature, provider.top_p, provider.max_tokens) == (
        "gpt-4o-mini",
        0.7,
        1.0,
        4096,
    )
    assert provider.system_prompt == "You are a helpful assistant."
    assert provider.stream
    assert secret(provider.api_key) == "sk-live"
    assert [server.name for server in settings.mcp.servers.values()] == ["example-server"]
    assert settings.mcp.enabled
    assert (settings.logging.level, settings.logging.format) == ("INFO", "json")


def test_the_environment_of_the_rest_service_names_its_four_providers_and_stores(desk: Desk) -> None:
    loaded = desk.load(dotenv=printed.REST_DOTENV)
    settings = loaded.settings
    shown = {name: (one.host, one.base_url, secret(one.api_key)) for name, one in settings.providers.items()}
    assert shown == {
        "openai": ("openai", None, "sk-one"),
        "anthropic": ("anthropic", None, "sk-two"),
        "local": ("local", "http://localhost:11434", None),
        "private": ("private", "https://llm.cloud.example/api", "sk-three"),
    }
    assert loaded.warnings == ()
    assert secret(settings.database_url) == "postgresql://wrapper:wrapper-secret@localhost:5432/wrapper"
    assert secret(settings.redis_url) == "redis://localhost:6379/0"
    assert choose_default(settings, []).provider == "anthropic"


@pytest.mark.parametrize("files", [{"dotenv": printed.NDJSON_DOTENV}, {"local": printed.NDJSON_YAML}])
def test_the_samples_of_the_ndjson_document_give_the_same_settings(desk: Desk, files: dict[str, str]) -> None:
    desk.put(**files)
    loaded = desk.load()
    settings = loaded.settings
    provider = settings.providers["llm"]
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 8000)
    assert (provider.host, provider.base_url) == ("openai_compatible", "http://localhost:1234/v1")
    assert (provider.model, provider.max_tokens) == ("TheBloke/MyLocalModel", 512)
    assert (provider.deadlines.idle, provider.deadlines.total) == (120.0, 600.0)
    assert provider.log_level is None
    assert settings.doors.ndjson_chat.provider == "llm"
    assert settings.doors.ndjson_chat.model == "TheBloke/MyLocalModel"
    assert choose_default(settings, []).provider == "llm"


@dataclass(frozen=True)
class SessionCase:
    dotenv: str
    host: str
    base_url: str | None
    key: str
    model: str


@pytest.mark.parametrize(
    "case",
    [
        SessionCase(
            printed.JSON_RPC_DEEPSEEK_DOTENV,
            "deepseek",
            "https://api.deepseek.com/v1",
            "your_deepseek_api_key",
            "deepseek-chat",
        ),
        SessionCase(printed.JSON_RPC_OPENAI_DOTENV, "openai", None, "your_openai_api_key", "gpt-4o"),
    ],
    ids=["deepseek", "openai"],
)
def test_the_examples_of_the_json_rpc_document_describe_the_provider_session(desk: Desk, case: SessionCase) -> None:
    loaded = desk.load(dotenv=case.dotenv)
    provider = loaded.settings.providers["session"]
    assert (provider.host, provider.base_url) == (case.host, case.base_url)
    assert (secret(provider.api_key), provider.model) == (case.key, case.model)
    door = loaded.settings.doors.json_rpc
    assert (door.provider, door.model) == ("session", case.model)
    assert loaded.warnings == ()


def test_the_tree_of_parlance_itself_reads_as_printed(desk: Desk) -> None:
    loaded = desk.load({"ANTHROPIC_API_KEY": "sk-two"}, parlance=printed.PARLANCE_YAML)
    settings = loaded.settings
    lab = settings.providers["lab"]
    assert secret(settings.providers["claude"].api_key) == "sk-two"
    assert (lab.api_key, lab.models, lab.deadlines.first) == (None, ("qwen3-32b",), 60.0)
    assert settings.models.default == "claude/claude-sonnet-4-5"
    assert [one.model for one in settings.models.routes["fast"].route] == ["lab/qwen3-32b", "claude/claude-haiku-4-5"]
    assert settings.prices["lab/qwen3-32b"].output == 0.4
    assert settings.access.keys["web"].models == ("fast",)
    assert settings.logging.file is None
    assert source(loaded, "models.default") == "parlance.yaml: models.default"
    assert choose_default(settings, []).provider == "claude"


def test_the_examples_of_all_four_systems_stand_side_by_side(desk: Desk) -> None:
    loaded = desk.load(
        dotenv=printed.REST_DOTENV + printed.NDJSON_DOTENV + printed.JSON_RPC_DEEPSEEK_DOTENV,
        config=printed.WEBSOCKET_YAML,
    )
    names = {"openai", "anthropic", "local", "private", "llm", "session"}
    assert set(loaded.settings.usable_providers) == names
    assert loaded.settings.providers["openai"].model == "gpt-4o-mini"
    assert codes(loaded) == ["sign_in_off"]
