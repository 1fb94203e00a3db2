"""Names lead to models."""

from collections.abc import Mapping

import pytest

from parlance.core.errors import HostUnreachable, ModelForbidden, ModelNotFound, NoProvider
from parlance.core.ids import KeyId
from parlance.core.principal import LOCAL_ADMIN, Principal
from parlance.core.provider import ModelInfo
from parlance.routing.models import ConfiguredModels, NamedModel, NamedRoute, RoutingOptions
from parlance.testing.provider import ScriptedProvider
from tests.unit.routing.surroundings import Surroundings


class Away(ScriptedProvider):
    """A provider whose host can't be asked for its models."""

    async def list_models(self) -> tuple[str, ...]:
        raise HostUnreachable("The host away can't be reached.", host="away")


LAB = ScriptedProvider(name="lab", models=("qwen3-32b", "meta/llama-4"))
CLOUD = ScriptedProvider(name="cloud", models=("large",))
SILENT = ScriptedProvider(name="silent", models=())
AWAY = Away(name="away")
OPTIONS = RoutingOptions(
    default_provider="lab",
    aliases={"default": "fast", "fast": "lab/qwen3-32b", "big": "cloud/large", "plain": "qwen3-32b", "gone": "paid/x"},
    door_models={"lines": "cloud/large", "bare": "cloud/"},
    provider_models={"cloud": "large"},
    unusable={"paid": "PAID_API_KEY is not set."},
)


def models(options: RoutingOptions = OPTIONS, *more: ScriptedProvider) -> ConfiguredModels:
    return ConfiguredModels(
        {provider.name: provider for provider in (LAB, CLOUD, SILENT, *more)}, options, Surroundings().parts
    )


def may(*names: str) -> Principal:
    return Principal("service", KeyId("key"), models=names)


async def target(
    name: str | None, principal: Principal = LOCAL_ADMIN, *, door: str = "socket", options: RoutingOptions = OPTIONS
) -> str:
    found = await models(options, AWAY).resolve(name, principal, door=door)
    return f"{found.provider.name}: {found.model}"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("fast", "lab: qwen3-32b"),
        ("big", "cloud: large"),
        ("plain", "lab: qwen3-32b"),
        ("cloud/large", "cloud: large"),
        ("cloud/not-listed", "cloud: not-listed"),
        ("lab/meta/llama-4", "lab: meta/llama-4"),
        ("meta/llama-4", "lab: meta/llama-4"),
        ("anything:7b", "lab: anything:7b"),
        ("cloud/", "cloud: large"),
        ("lab/", "lab: qwen3-32b"),
        ("cloud", "lab: cloud"),
        ("default", "lab: qwen3-32b"),
        ("", "lab: qwen3-32b"),
        (None, "lab: qwen3-32b"),
    ],
)
async def test_a_name_leads_to_a_provider_and_its_models_name(name: str | None, found: str) -> None:
    assert await target(name) == found


@pytest.mark.parametrize(
    ("door", "found"), [("lines", "cloud: large"), ("bare", "cloud: large"), ("socket", "lab: qwen3-32b")]
)
async def test_a_door_may_have_a_default_of_its_own(door: str, found: str) -> None:
    assert await target(None, door=door) == found
    assert await target("big", door=door) == "cloud: large"


async def test_without_any_default_the_default_providers_first_model_answers() -> None:
    assert await target(None, options=RoutingOptions("lab")) == "lab: qwen3-32b"
    assert await target(None, options=RoutingOptions("lab", provider_models={"lab": "set"})) == "lab: set"
    assert await target("default", options=RoutingOptions("lab")) == "lab: default"


async def test_a_provider_whose_host_lists_nothing_needs_a_name() -> None:
    assert await target("silent/any") == "silent: any"
    with pytest.raises(ModelNotFound, match=r"providers\.silent\.model"):
        await target("silent/")


async def test_a_provider_whose_host_is_away_needs_a_name() -> None:
    assert await target("away/any") == "away: any"
    with pytest.raises(HostUnreachable):
        await target("away/")


@pytest.mark.parametrize("name", ["paid/x", "paid", "gone"])
async def test_a_provider_that_cannot_be_used_says_why(name: str) -> None:
    with pytest.raises(NoProvider, match="PAID_API_KEY is not set"):
        await target(name)


@pytest.mark.parametrize("name", ["lab/other", "other", "shut"])
async def test_a_provider_with_a_closed_list_answers_to_no_other_name(name: str) -> None:
    options = RoutingOptions("lab", closed={"lab": ("qwen3-32b", "fast-one")}, aliases={"shut": "lab/none"})
    with pytest.raises(ModelNotFound, match="has no model"):
        await target(name, options=options)


@pytest.mark.parametrize("name", ["lab/fast-one", "fast-one", "lab/qwen3-32b", "cloud/anything"])
async def test_a_closed_list_closes_only_its_own_provider(name: str) -> None:
    assert await target(name, options=RoutingOptions("lab", closed={"lab": ("qwen3-32b", "fast-one")}))


async def test_without_any_provider_the_caller_is_told_what_to_set() -> None:
    nothing = ConfiguredModels({}, RoutingOptions(None, missing="Set LAB_API_KEY."), Surroundings().parts)
    for name in (None, "", "anything", "some/thing"):
        with pytest.raises(NoProvider, match="Set LAB_API_KEY"):
            await nothing.resolve(name, LOCAL_ADMIN, door="socket")


# Keys with a list of models.


@pytest.mark.parametrize("name", ["fast", "lab/qwen3-32b", "qwen3-32b", None])
async def test_a_key_may_use_what_its_list_names_however_it_is_called(name: str | None) -> None:
    assert await target(name, may("fast", "lab/qwen3-32b")) == "lab: qwen3-32b"


@pytest.mark.parametrize(
    ("names", "asked"),
    [(("fast",), "big"), (("fast",), "lab/meta/llama-4"), (("big",), "fast"), ((), "fast"), ((), None)],
)
async def test_a_key_may_use_nothing_else(names: tuple[str, ...], asked: str | None) -> None:
    with pytest.raises(ModelForbidden):
        await target(asked, may(*names))


async def test_a_name_of_any_length_is_told_by_its_beginning() -> None:
    name = "x" * 5_000
    with pytest.raises(ModelNotFound) as unknown:
        await target(name, options=RoutingOptions("lab", closed={"lab": ("qwen3-32b",)}))
    with pytest.raises(ModelForbidden) as forbidden:
        await target(name, may("fast"))
    for refusal in (unknown, forbidden):
        assert f"'{'x' * 80}'" in refusal.value.message


async def test_a_bare_name_in_a_keys_list_is_the_default_providers() -> None:
    assert await target("lab/qwen3-32b", may("qwen3-32b")) == "lab: qwen3-32b"
    assert ids(await offered(may("qwen3-32b", "large"))) == ["lab/qwen3-32b"]
    with pytest.raises(ModelForbidden):
        await target("cloud/large", may("large"))


async def test_a_key_that_may_not_use_the_default_gets_the_first_that_it_may() -> None:
    assert await target(None, may("big", "plain")) == "cloud: large"
    assert await target(None, may("fast"), door="lines") == "lab: qwen3-32b"


# What is on offer.


async def offered(
    principal: Principal = LOCAL_ADMIN, *, door: str = "socket", options: RoutingOptions = OPTIONS
) -> list[ModelInfo]:
    return list(await models(options, AWAY).offered(principal, door=door))


def ids(offers: list[ModelInfo]) -> list[str]:
    return [offer.id for offer in offers]


async def test_aliases_come_first_then_what_the_hosts_list_and_those_that_fail_are_left_out() -> None:
    assert ids(await offered()) == [
        "fast",
        "big",
        "plain",
        "lab/qwen3-32b",
        "lab/meta/llama-4",
        "cloud/large",
    ]


async def test_one_offer_is_the_doors_default() -> None:
    assert [offer.id for offer in await offered() if offer.default] == ["fast"]
    assert [offer.id for offer in await offered(door="lines") if offer.default] == ["cloud/large"]


async def test_a_default_that_no_host_lists_is_offered_too() -> None:
    hidden = RoutingOptions("lab", provider_models={"lab": "hidden"})
    assert (await offered(options=hidden))[0] == ModelInfo("lab/hidden", "lab", default=True)


@pytest.mark.parametrize(
    "options",
    [
        RoutingOptions("silent"),
        RoutingOptions("away"),
        RoutingOptions("lab", aliases={"default": "paid/x"}, unusable={"paid": "no key"}),
        RoutingOptions("lab", aliases={"default": "gone", "gone": "paid/x"}, unusable={"paid": "no key"}),
        RoutingOptions(None),
    ],
)
async def test_without_a_default_that_works_the_rest_is_offered(options: RoutingOptions) -> None:
    offers = await offered(options=options)
    assert "lab/qwen3-32b" in ids(offers)
    assert not [offer for offer in offers if offer.default]


async def test_a_key_is_offered_what_it_may_use() -> None:
    assert ids(await offered(may("fast", "cloud/large"))) == ["fast", "cloud/large"]
    assert ids(await offered(may())) == []


async def test_every_offer_can_be_asked_for_by_its_id() -> None:
    for offer in await offered():
        found = await models(OPTIONS, AWAY).resolve(offer.id, LOCAL_ADMIN, door="socket")
        assert found.provider.name == offer.provider


async def test_without_providers_nothing_is_offered() -> None:
    none: Mapping[str, ScriptedProvider] = {}
    assert (
        await ConfiguredModels(none, RoutingOptions(None), Surroundings().parts).offered(LOCAL_ADMIN, door="socket")
        == []
    )


# Routes.

ROUTES = RoutingOptions(
    default_provider="lab",
    aliases={"default": "both", "other": "both"},
    routes={
        "both": NamedRoute((NamedModel("paid/x"), NamedModel("cloud/large"), NamedModel("lab/qwen3-32b"))),
        "none": NamedRoute((NamedModel("paid/x"),)),
    },
    unusable={"paid": "PAID_API_KEY is not set."},
)


@pytest.mark.parametrize("name", ["both", "other", None, "default"])
async def test_a_route_begins_with_the_first_of_its_models_that_can_be_asked(name: str | None) -> None:
    assert await target(name, options=ROUTES) == "cloud: large"


async def test_a_route_of_which_nothing_can_be_asked_says_why() -> None:
    with pytest.raises(NoProvider, match="PAID_API_KEY is not set"):
        await target("none", options=ROUTES)


async def test_a_key_that_may_use_one_model_of_a_route_gets_that_one() -> None:
    assert await target("both", may("both"), options=ROUTES) == "cloud: large"
    assert await target("both", may("lab/qwen3-32b"), options=ROUTES) == "lab: qwen3-32b"
    with pytest.raises(ModelForbidden):
        await target("both", may("cloud/small"), options=ROUTES)


async def test_routes_are_offered_by_their_names() -> None:
    offers = await models(ROUTES).offered(LOCAL_ADMIN, door="socket")
    assert [(offer.id, offer.provider) for offer in offers[:2]] == [("both", "cloud"), ("other", "cloud")]
    assert [offer.id for offer in offers if offer.default] == ["both"]


@pytest.mark.parametrize("name", ["default", "other", "both"])
async def test_a_key_that_may_use_a_route_may_use_it_by_its_other_names(name: str) -> None:
    assert await target(name, may("both"), options=ROUTES) == "cloud: large"
