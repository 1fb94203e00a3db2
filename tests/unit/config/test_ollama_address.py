"""Ollama's own variables lead to it, however the address is written in them."""

import pytest

from parlance.config.legacy import ollama_address
from tests.unit.config.reading import Desk


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("box", "http://box:11434"),
        ("10.0.0.7:56789", "http://10.0.0.7:56789"),
        (":56789", "http://127.0.0.1:56789"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:11435", "http://127.0.0.1:11435"),
        ("http://box", "http://box"),
        ("https://ollama.example/", "https://ollama.example/"),
        ("box/behind", "http://box:11434/behind"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:5", "http://[::1]:5"),
    ],
)
def test_an_address_is_what_ollamas_own_programs_make_of_it(given: str, address: str) -> None:
    assert ollama_address(given) == address


@pytest.mark.parametrize(
    ("variable", "value", "address"),
    [
        ("OLLAMA_HOST", "box", "http://box:11434"),
        ("OLLAMA_BASE_URL", "http://box:11434/v1", "http://box:11434/v1"),
        ("OLLAMA_BASE_URL", "box:11434", "http://box:11434"),
    ],
)
def test_its_variables_make_it_a_provider(desk: Desk, variable: str, value: str, address: str) -> None:
    settings = desk.settings({variable: value})
    assert (settings.providers["ollama"].host, settings.providers["ollama"].base_url) == ("ollama", address)
    assert "ollama" in settings.usable_providers


def test_an_empty_one_says_nothing(desk: Desk) -> None:
    assert "ollama" not in desk.settings({"OLLAMA_HOST": ""}).providers
