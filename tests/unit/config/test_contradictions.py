"""Where a document says two things, one of them holds; each test names the two and shows the one."""

import pytest

from parlance.config import choose_default
from tests.unit.config import printed_examples as printed
from tests.unit.config.reading import Desk, codes, secret, texts


def test_without_an_address_the_key_goes_to_the_host_of_its_variable_and_not_to_the_default_one(desk: Desk) -> None:
    """`LLM_BASE_URL` "is optional for OpenAI (defaults work)", and "defaults to https://api.deepseek.com/v1"."""
    provider = desk.settings(dotenv=printed.JSON_RPC_OPENAI_DOTENV).providers["session"]
    assert (provider.host, provider.base_url, secret(provider.api_key)) == ("openai", None, "your_openai_api_key")


def test_the_default_model_deepseek_chat_holds_at_its_own_host_only(desk: Desk) -> None:
    """`LLM_MODEL_NAME` "defaults to deepseek-chat", and "default models are specified … for a provider"."""
    assert desk.settings({"DEEPSEEK_API_KEY": "sk-deep"}).providers["session"].model == "deepseek-chat"
    other = desk.settings({"API_KEY_ENV_VAR": "OPENAI_API_KEY", "OPENAI_API_KEY": "sk-open"})
    assert other.providers["session"].model is None


def test_the_chosen_provider_finds_its_key_with_or_without_the_variable_that_names_it(desk: Desk) -> None:
    """The key's variable is named by `API_KEY_ENV_VAR`, and "set the LLM_PROVIDER and its API key"."""
    provider = desk.settings({"LLM_PROVIDER": "Groq", "GROQ_API_KEY": "sk-groq"}).providers["session"]
    assert (provider.host, secret(provider.api_key)) == ("groq", "sk-groq")
    both = {"LLM_PROVIDER": "groq", "API_KEY_ENV_VAR": "XAI_API_KEY", "XAI_API_KEY": "sk-x", "GROQ_API_KEY": "sk-groq"}
    assert desk.settings(both).providers["session"].host == "xai"


def test_the_file_of_the_chosen_environment_holds_over_the_general_one(desk: Desk) -> None:
    """Sources are listed from the strongest to the weakest, and the two files "config.yaml then config.local.yaml"."""
    loaded = desk.load(local="port: 8001\n", resources="port: 8002\n")
    assert loaded.settings.server.port == 8001
    assert "resources/config.yaml: port and resources/config.local.yaml: port differ" in texts(loaded)


def test_the_printed_sign_in_is_refused_at_the_printed_address_and_the_server_starts(desk: Desk) -> None:
    """The sample binds every address with the password `change-me`."""
    loaded = desk.load(dotenv=printed.NDJSON_DOTENV)
    assert loaded.settings.console is None
    assert codes(loaded) == ["sign_in_off"]
    assert ".env: PASSWORD" in texts(loaded)


def test_the_printed_sign_in_holds_on_loopback(desk: Desk) -> None:
    console = desk.settings(dotenv=printed.NDJSON_DOTENV.replace("0.0.0.0", "127.0.0.1")).console
    assert console is not None
    assert (console.username, secret(console.password)) == ("admin", "change-me")


@pytest.mark.parametrize("address", ["http://localhost:1234", "http://localhost:1234/", "http://localhost:1234/v1"])
def test_the_server_behind_the_ndjson_service_is_named_with_or_without_its_version(desk: Desk, address: str) -> None:
    """`LLM__HOST` is printed without `/v1`, and the server must offer `/v1/chat/completions`."""
    assert desk.settings({"LLM__HOST": address}).providers["llm"].base_url == "http://localhost:1234/v1"


def test_a_variable_said_to_come_from_the_environment_is_found_in_dotenv_too(desk: Desk) -> None:
    """`api_key: "${OPENAI_API_KEY}"  # From environment`, and the key is to be written into `.env`."""
    settings = desk.settings(config=printed.WEBSOCKET_YAML, dotenv=printed.WEBSOCKET_DOTENV)
    assert secret(settings.providers["openai"].api_key) == "sk-placeholder-key"
    assert choose_default(settings, []).provider == "openai"
