"""The catalogue: every row is usable, and joins with what an operator says."""

import pytest
from yarl import URL

from parlance.core.errors import NoProvider
from parlance.core.provider import Deadlines
from parlance.core.usage import Usage
from parlance.providers.catalog import (
    HOSTS,
    LOADING,
    WITHOUT_ADDRESS,
    HostRow,
    HostSetup,
    find_host,
    host_of_key_variable,
    join_host,
)
from parlance.providers.languages import LANGUAGES
from parlance.routing.prices import ListPrices


@pytest.mark.parametrize("row", HOSTS, ids=lambda row: row.id)
def test_each_row_is_sound(row: HostRow) -> None:
    assert find_host(row.id) is row
    assert row.id.replace("_", "").isalnum()
    assert row.id == row.id.lower()
    if row.base_url is not None:
        url = URL(row.base_url)
        assert url.scheme == ("http" if row.local else "https")
        assert not row.base_url.endswith("/")
    language = LANGUAGES.get(row.family)
    assert language is not None or row.family in WITHOUT_ADDRESS
    assert language is None or row.quirks <= language.quirks


def test_ids_name_one_row_each_and_a_key_variable_one_address() -> None:
    assert len({row.id for row in HOSTS}) == len(HOSTS)
    for row in HOSTS:
        for name in row.key_variables:
            meant = host_of_key_variable(name)
            assert meant is not None
            assert meant.base_url == row.base_url, "a key goes to one address only"
    assert host_of_key_variable("SOMEBODY_ELSES_KEY") is None
    assert find_host("nobody") is None


def test_what_the_operator_says_goes_before_the_row() -> None:
    row = HostRow(id="x", title="X", base_url="https://x.example/v1", default_model="x-1", headers=(("a", "1"),))
    plain = join_host("mine", row, HostSetup())
    assert (plain.name, plain.base_url, plain.default_model) == ("mine", "https://x.example/v1", "x-1")
    assert plain.deadlines == Deadlines()
    setup = HostSetup(base_url="http://y/v1", models=("m", "n"), headers=(("b", "2"),), first=3, total=9)
    spec = join_host("mine", row, setup)
    assert (spec.base_url, spec.models, spec.default_model) == ("http://y/v1", ("m", "n"), "m")
    assert spec.headers == (("a", "1"), ("b", "2"))
    assert spec.deadlines == Deadlines(connect=5, first=3, idle=60, total=9)
    assert join_host("mine", row, HostSetup(model="z", models=("m",))).default_model == "z"


def test_a_local_host_may_take_its_time_to_load_a_model() -> None:
    row = HostRow(id="x", title="X", base_url="http://127.0.0.1:1/v1", local=True)
    assert join_host("x", row, HostSetup()).deadlines.first == 600
    assert join_host("x", row, HostSetup(first=5)).deadlines.first == 5


@pytest.mark.parametrize(
    ("address", "seconds"),
    [
        ("http://127.0.0.1:1234/v1", LOADING),
        ("http://localhost:1234/v1", LOADING),
        ("http://[::1]:1234/v1", LOADING),
        ("https://llm.lab.example/v1", 60.0),
        ("http://10.0.0.7:8000/v1", 60.0),
    ],
)
def test_a_server_on_this_machine_may_take_its_time_whatever_its_row(address: str, seconds: float) -> None:
    row = find_host("openai_compatible")
    assert row is not None
    spec = join_host("llm", row, HostSetup(base_url=address))
    assert (spec.deadlines.first, spec.local) == (seconds, seconds == LOADING)


def test_a_row_without_an_address_needs_one() -> None:
    row = find_host("openai_compatible")
    assert row is not None
    with pytest.raises(NoProvider, match="'lab' has no address"):
        join_host("lab", row, HostSetup())
    assert join_host("lab", row, HostSetup(base_url="http://lab/v1")).base_url == "http://lab/v1"


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/api", "/api/"])
def test_a_host_with_several_apis_is_found_by_the_address_of_any_of_them(ending: str) -> None:
    row = find_host("ollama")
    assert row is not None
    spec = join_host("box", row, HostSetup(base_url=f"http://box:11434/behind{ending}"))
    assert spec.base_url.rstrip("/") == "http://box:11434/behind"
    assert (spec.family, spec.exact, join_host("box", row, HostSetup()).exact) == ("ollama", True, True)


ANYONE = frozenset({"openrouter/auto"})
"""Names that stand for whatever model the host chooses: their price is not known before."""


def test_every_default_model_has_a_public_price() -> None:
    priced = [row for row in HOSTS if row.price_list and row.default_model and row.default_model not in ANYONE]
    prices = ListPrices({}, {row.id: row.price_list for row in priced if row.price_list})
    unknown = [row.id for row in priced if prices.cost(row.id, row.default_model or "", Usage(1, 1)) is None]
    assert unknown == []
