"""Rows of the catalogue that config does not know by itself: what a provider's id and its host's key mean for them."""

from pathlib import Path

from parlance.app.providers import HOST_IDS, KEY_VARIABLES
from parlance.config import Settings, Surroundings, load
from tests.unit.config.reading import secret


def settings_of(folder: Path, text: str, environ: dict[str, str]) -> Settings:
    (folder / "parlance.yaml").write_text(text)
    return load(Surroundings(environ, folder, key_variables=KEY_VARIABLES, hosts=HOST_IDS)).settings


def test_several_apis_of_one_host_share_its_key(tmp_path: Path) -> None:
    text = (
        "providers: {openai_responses: {}, new: {host: anthropic_2026_10_21},"
        " foreign: {host: openai_responses, base_url: 'http://x'}}"
    )
    providers = settings_of(tmp_path, text, {"OPENAI_API_KEY": "sk-open", "ANTHROPIC_API_KEY": "sk-ant"}).providers
    assert secret(providers["openai_responses"].api_key) == "sk-open"
    assert secret(providers["new"].api_key) == "sk-ant"
    assert providers["foreign"].api_key is None
    assert (providers["openai"].host, providers["anthropic"].host) == ("openai", "anthropic")


def test_without_its_key_such_a_row_is_off_and_says_what_to_set(tmp_path: Path) -> None:
    off = settings_of(tmp_path, "providers: {openai_responses: {}}\n", {}).providers["openai_responses"].off
    assert "set OPENAI_API_KEY" in str(off)


def test_an_id_that_is_a_row_stays_that_row_with_an_address_of_its_own(tmp_path: Path) -> None:
    text = "providers: {anthropic_compatible: {base_url: 'http://x'}, elsewhere: {base_url: 'http://y'}}\n"
    providers = settings_of(tmp_path, text, {}).providers
    assert providers["anthropic_compatible"].host == "anthropic_compatible"
    assert providers["elsewhere"].host == "openai_compatible"
