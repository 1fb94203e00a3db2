"""Settings into rooms: what each setting comes to where it is used."""

import asyncio
import logging
import socket

import pytest

from parlance.app.access import open_gate
from parlance.app.application import compose
from parlance.app.providers import Providers, defaults_of, open_providers
from parlance.app.routing import open_models, open_prices
from parlance.app.server import _is_news, bind
from parlance.app.telemetry import open_attempt_observers
from parlance.config.errors import ConfigError
from parlance.config.settings import Settings
from parlance.core.errors import NoProvider
from parlance.core.principal import LOCAL_ADMIN
from parlance.doors.limits import LimitOptions
from parlance.net.egress import Egress
from parlance.routing.models import ConfiguredModels

LAB = {"host": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "models": ["m-1", "m-2"]}


def settings_of(**tree: object) -> Settings:
    return Settings.model_validate({"discovery": False, **tree})


async def providers_of(settings: Settings) -> Providers:
    egress = Egress()
    try:
        return await open_providers(settings, egress, own_port=None)
    finally:
        await egress.close()


async def test_without_any_provider_the_demonstration_answers() -> None:
    providers = await providers_of(settings_of())
    assert list(providers.usable) == ["demo"]
    assert providers.default.provider == "demo"


async def test_a_configured_provider_leaves_no_room_for_the_demonstration() -> None:
    providers = await providers_of(settings_of(providers={"lab": LAB}))
    assert list(providers.usable) == ["lab"]
    assert providers.default.provider == "lab"


async def test_the_demonstration_may_be_asked_for_beside_others() -> None:
    providers = await providers_of(settings_of(providers={"lab": LAB}, models={"default_provider": "demo"}))
    assert set(providers.usable) == {"lab", "demo"}


def named(settings: Settings, providers: Providers) -> ConfiguredModels:
    return open_models(settings, providers, open_attempt_observers(), open_prices(settings, providers))


async def test_a_host_that_is_in_no_catalogue_is_unusable_and_the_others_are_not() -> None:
    providers = await providers_of(settings_of(providers={"lab": LAB, "odd": {**LAB, "host": "nobodys"}}))
    assert list(providers.usable) == ["lab"]
    assert "nobodys" in providers.unusable["odd"]


async def test_a_default_that_can_not_be_used_is_no_default() -> None:
    providers = await providers_of(settings_of(providers={"odd": {**LAB, "host": "nobodys"}}))
    assert providers.default.provider is None
    assert "odd" in providers.default.text
    models = named(settings_of(), providers)
    with pytest.raises(NoProvider, match="odd"):
        await models.resolve(None, LOCAL_ADMIN, door="ws_chat")


async def test_a_door_may_have_its_own_default_model() -> None:
    settings = settings_of(
        providers={"lab": LAB, "llm": LAB}, doors={"ndjson_chat": {"provider": "llm", "model": "m-2"}}
    )
    models = named(settings, await providers_of(settings))
    here = await models.resolve(None, LOCAL_ADMIN, door="ndjson_chat")
    there = await models.resolve(None, LOCAL_ADMIN, door="ws_chat")
    assert (here.provider.name, here.model) == ("llm", "m-2")
    assert there.model == "m-1"


async def test_a_route_leads_to_its_first_model() -> None:
    settings = settings_of(providers={"lab": LAB}, models={"routes": {"fast": {"route": ["lab/m-2", "lab/m-1"]}}})
    models = named(settings, await providers_of(settings))
    assert (await models.resolve("fast", LOCAL_ADMIN, door="ws_chat")).model == "m-2"


def test_a_provider_that_is_off_has_no_defaults() -> None:
    lab = {**LAB, "temperature": 0.5, "system_prompt": "Be brief."}
    defaults = defaults_of(settings_of(providers={"lab": lab, "other": {**LAB, "off": "no key"}}))
    assert list(defaults) == ["lab"]
    assert (defaults["lab"].system_prompt, defaults["lab"].temperature) == ("Be brief.", 0.5)


async def test_the_engine_keeps_the_configured_bounds() -> None:
    settings = settings_of(
        tools={"rounds": 3, "wait": 4}, journal={"live_grace": 5, "live_retention": 6}, limits={"turns": 7}
    )
    application = await compose(settings, port=0)
    options = application.engine._parts.options
    assert (options.rounds, options.answer_timeout, options.live_grace, options.live_retention, options.turns) == (
        3, 4, 5, 6, 7,
    )  # fmt: skip
    await application.engine.close()


def test_keys_that_access_can_not_take_are_faults_of_the_settings() -> None:
    with pytest.raises(ConfigError, match=r"access\.keys\.web\.key"):
        open_gate(settings_of(access={"keys": {"web": {"key": "one,two,three"}}}), port=0)


def test_a_warning_of_access_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    open_gate(settings_of(access={"open": True}), port=0)
    assert "access.open is true" in caplog.text


def test_a_free_port_is_found_and_a_taken_one_refused() -> None:
    with bind(settings_of(server={"port": 0})) as first:
        port = first.getsockname()[1]
        assert port > 0
        with pytest.raises(OSError, match="in use"):
            bind(settings_of(server={"port": port}))


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_address_may_stand_in_brackets() -> None:
    try:
        listener = bind(settings_of(server={"host": "[::1]", "port": 0}))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with listener:
        assert listener.family == socket.AF_INET6


@pytest.mark.parametrize(
    ("message", "news"),
    [
        ("ASGI callable returned without completing response.", False),
        ("ASGI callable returned without completing handshake.", False),
        ('%s - "WebSocket %s" %d', False),
        ('%s - "WebSocket %s" [accepted]', True),
        ("Application startup complete.", True),
    ],
)
def test_an_answer_that_is_broken_off_on_purpose_is_no_news(message: str, news: bool) -> None:
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, message, None, None)
    assert _is_news(record) is news


async def test_the_doors_keep_the_configured_limits() -> None:
    settings = settings_of(
        limits={
            "connections": 3,
            "sockets": 4,
            "patience": 5,
            "stall": 6,
            "per_key": {"sockets": 7, "bytes": 8_000_000},
        }
    )
    application = await compose(settings, port=0)
    assert application.limits.options == LimitOptions(
        connections=3, sockets=4, sockets_per_key=7, bytes_per_key=8_000_000, patience=5, stall=6
    )
    await application.engine.close()


async def test_nothing_runs_before_anybody_asks() -> None:
    before = asyncio.all_tasks()
    application = await compose(settings_of(), port=0)
    assert asyncio.all_tasks() == before
    await application.engine.close()
