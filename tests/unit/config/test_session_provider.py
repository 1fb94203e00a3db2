"""The provider that the JSON-RPC service's variables describe: a key goes only to the host it was set for."""

from tests.unit.config.reading import Desk, codes, secret, texts


def test_nothing_set_means_no_such_provider(desk: Desk) -> None:
    assert "session" not in desk.settings({"OPENAI_API_KEY": "sk-open"}).providers


def test_a_model_alone_leaves_the_provider_off_and_says_which_key_it_lacks(desk: Desk) -> None:
    loaded = desk.load({"LLM_MODEL_NAME": "deepseek-reasoner"})
    assert "set DEEPSEEK_API_KEY" in str(loaded.settings.providers["session"].off)
    assert codes(loaded) == ["provider_off"]


def test_an_unknown_key_variable_without_an_address_is_refused(desk: Desk) -> None:
    message = desk.refuse({"API_KEY_ENV_VAR": "MY_KEY", "MY_KEY": "sk-mine"})
    assert "environment API_KEY_ENV_VAR: names MY_KEY" in message
    assert "set LLM_BASE_URL" in message
    assert "sk-mine" not in message


def test_an_unknown_key_variable_with_an_address_goes_there(desk: Desk) -> None:
    names = {"API_KEY_ENV_VAR": "MY_KEY", "MY_KEY": "sk-mine", "LLM_BASE_URL": "https://llm.example/v1"}
    provider = desk.settings(names).providers["session"]
    assert (provider.host, provider.base_url) == ("openai_compatible", "https://llm.example/v1")
    assert secret(provider.api_key) == "sk-mine"


def test_an_address_without_a_key_is_a_server_that_needs_none(desk: Desk) -> None:
    provider = desk.settings({"LLM_BASE_URL": "http://localhost:1234/v1"}).providers["session"]
    assert (provider.host, provider.api_key, provider.off) == ("openai_compatible", None, None)


def test_a_known_hosts_address_takes_that_hosts_key_and_no_other(desk: Desk) -> None:
    names = {
        "LLM_BASE_URL": "https://api.openai.com/v1",
        "DEEPSEEK_API_KEY": "sk-deep",
        "OPENAI_API_KEY": "sk-open",
    }
    provider = desk.settings(names).providers["session"]
    assert (provider.host, secret(provider.api_key)) == ("openai", "sk-open")
    del names["OPENAI_API_KEY"]
    assert desk.settings(names).providers["session"].api_key is None


def test_a_key_that_was_set_for_another_host_never_goes_to_the_one_it_is_named_after(desk: Desk) -> None:
    names = {
        "API_KEY_ENV_VAR": "OPENAI_API_KEY",
        "OPENAI_API_KEY": "sk-lab",
        "LLM_BASE_URL": "https://llm.lab.example/v1",
    }
    loaded = desk.load(names, parlance="providers: {mine: {host: openai}}\n")
    holders = [name for name, provider in loaded.settings.providers.items() if provider.api_key is not None]
    assert holders == ["session"]
    assert "OPENAI_API_KEY is the key for LLM_BASE_URL" in texts(loaded)


def test_the_chosen_name_may_be_that_of_the_sessions_host(desk: Desk) -> None:
    settings = desk.settings({"LLM_PROVIDER": "DeepSeek", "DEEPSEEK_API_KEY": "sk-deep"})
    assert settings.models.default_provider == "session"


def test_the_models_name_may_hold_slashes(desk: Desk) -> None:
    names = {"LLM_BASE_URL": "http://localhost:1234/v1", "LLM_MODEL_NAME": "org/model/2"}
    assert desk.settings(names).doors.json_rpc.model == "org/model/2"


def test_google_and_either_of_its_variables_mean_gemini(desk: Desk) -> None:
    for variable in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        settings = desk.settings({"LLM_PROVIDER": "Google", variable: "sk-gem"})
        provider = settings.providers["session"]
        assert (provider.host, secret(provider.api_key)) == ("gemini", "sk-gem")
        assert settings.models.default_provider == "session" or "gemini" in settings.providers


def test_an_address_speaks_the_own_language_of_the_vendor_that_was_named(desk: Desk) -> None:
    names = {"LLM_PROVIDER": "anthropic", "ANTHROPIC_API_KEY": "sk-ant", "LLM_BASE_URL": "http://proxy.example/v1"}
    provider = desk.settings(names).providers["session"]
    assert (provider.host, secret(provider.api_key)) == ("anthropic", "sk-ant")
    names["LLM_PROVIDER"] = "openai"
    assert desk.settings(names).providers["session"].host == "openai_compatible"
