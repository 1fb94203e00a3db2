"""Which provider answers when nobody names one; and that made-up answers never stand in for a mistake."""

import pytest

from parlance.config import choose_default
from tests.unit.config.reading import Desk

ALL = {
    "OPENAI_API_KEY": "sk-1",
    "ANTHROPIC_API_KEY": "sk-2",
    "GEMINI_API_KEY": "sk-3",
    "LLM__HOST": "http://localhost:1234",
    "DEEPSEEK_API_KEY": "sk-4",
    "LOCAL_LLM_ENDPOINT": "http://localhost:11434",
    "PRIVATE_CLOUD_ENDPOINT": "https://cloud.example",
}
ORDER = ["openai", "anthropic", "gemini", "llm", "session", "local", "private"]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_first_that_is_set_holds_in_the_known_order(desk: Desk, first: int) -> None:
    names = dict(list(ALL.items())[first:])
    choice = choose_default(desk.settings(names), ["ollama"])
    assert (choice.provider, choice.why) == (ORDER[first], "configured")


@pytest.mark.parametrize("variable", ["DEFAULT_LLM_PROVIDER", "LLM_PROVIDER"])
def test_the_one_that_was_asked_for_holds_over_the_order(desk: Desk, variable: str) -> None:
    choice = choose_default(desk.settings({**ALL, variable: "Private"}), [])
    assert (choice.provider, choice.why) == ("private", "asked")


def test_the_default_models_provider_is_the_default(desk: Desk) -> None:
    assert choose_default(desk.settings({**ALL, "DEFAULT_MODEL": "gemini/some-model"}), []).provider == "gemini"
    assert choose_default(desk.settings({**ALL, "DEFAULT_MODEL": "org/some-model"}), []).provider == "openai"


def test_own_providers_come_after_the_known_ones_in_the_order_written(desk: Desk) -> None:
    desk.put(parlance="providers: {b: {base_url: 'http://b'}, a: {base_url: 'http://a'}}\n")
    assert choose_default(desk.settings(), []).provider == "b"
    assert choose_default(desk.settings({"LLM__HOST": "http://localhost:1"}), []).provider == "llm"


def test_one_that_was_asked_for_and_is_not_set_is_not_replaced(desk: Desk) -> None:
    choice = choose_default(desk.settings({"DEFAULT_LLM_PROVIDER": "anthropic", "OPENAI_API_KEY": "sk-1"}), [])
    assert (choice.provider, choice.why) == (None, "none")
    assert "set ANTHROPIC_API_KEY" in choice.text


def test_with_no_provider_set_what_was_found_on_this_machine_holds(desk: Desk) -> None:
    choice = choose_default(desk.settings(), ["ollama", "vllm"])
    assert (choice.provider, choice.why) == ("ollama", "discovered")


def test_with_nothing_at_all_demo_answers_on_loopback_only(desk: Desk) -> None:
    assert choose_default(desk.settings(), []).provider == "demo"
    beyond = choose_default(desk.settings({"HOST": "0.0.0.0"}), [])
    assert (beyond.provider, beyond.why) == (None, "none")


@pytest.mark.parametrize(
    "names", [{"LLM__MODEL": "m"}, {"LLM_MODEL_NAME": "m"}, {"PRIVATE_CLOUD_API_KEY": "sk-1"}, {"LLM_PROVIDER": "groq"}]
)
def test_a_half_set_provider_never_ends_in_made_up_answers(desk: Desk, names: dict[str, str]) -> None:
    choice = choose_default(desk.settings(names), ["ollama"])
    assert (choice.provider, choice.why) == (None, "none")
    assert "set " in choice.text


def test_demo_can_be_asked_for(desk: Desk) -> None:
    choice = choose_default(desk.settings({"DEFAULT_LLM_PROVIDER": "demo", "HOST": "0.0.0.0"}), [])
    assert choice.provider == "demo"


def test_a_host_of_this_machine_needs_only_to_be_named(desk: Desk) -> None:
    settings = desk.settings({"DEFAULT_LLM_PROVIDER": "Ollama"})
    assert settings.providers["ollama"].host == "ollama"
    assert choose_default(settings, []).provider == "ollama"
