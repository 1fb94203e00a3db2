"""Settings and providers into names for models."""

import random
import time

from parlance.app.providers import Providers, defaults_of
from parlance.config.default_provider import DEMO
from parlance.config.sections.providers import DoorSettings, RouteSettings
from parlance.config.settings import Settings
from parlance.core.attempts import AttemptObserver, Prices
from parlance.core.provider import HostSpec
from parlance.doors import json_rpc, ndjson_chat
from parlance.routing.candidates import Conduct, Patience
from parlance.routing.health import HealthBook
from parlance.routing.models import DEFAULT_ALIAS, ConfiguredModels, NamedModel, NamedRoute, RoutingOptions
from parlance.routing.prices import ListPrices, Price
from parlance.routing.route import RouteParts


def open_models(
    settings: Settings, providers: Providers, observer: AttemptObserver, prices: Prices
) -> ConfiguredModels:
    options = RoutingOptions(
        default_provider=providers.default.provider,
        missing=f"No model can answer: {providers.default.text}.",
        aliases={DEFAULT_ALIAS: settings.models.default} if settings.models.default else {},
        routes={name: _route(route) for name, route in settings.models.routes.items()},
        door_models=_door_models(settings),
        provider_models={name: spec.default_model for name, spec in providers.specs.items() if spec.default_model},
        unusable=providers.unusable,
        closed={
            name: _models_of(spec, settings) for name, spec in providers.specs.items() if spec.models or name == DEMO
        },
    )
    conduct = Conduct(HealthBook(time.monotonic), random.random, _patience(settings))
    parts = RouteParts(conduct, prices, observer, defaults=defaults_of(settings))
    return ConfiguredModels(providers.usable, options, parts)


def open_prices(settings: Settings, providers: Providers) -> ListPrices:
    """The operator's prices, and the public ones of those providers that have any."""
    own = {
        name: Price(price.input, price.output, price.cached, price.cache_written)
        for name, price in settings.prices.items()
    }
    return ListPrices(own, {name: spec.price_list for name, spec in providers.specs.items() if spec.price_list})


def named_models(settings: Settings, providers: Providers) -> set[str]:
    """The names for models that the operator gives, each as `provider/name`; routes bear their first model's provider.

    Not all that can be asked for: a provider without a list takes any name that its host knows.
    """
    named = {f"{name}/{model}" for name, spec in providers.specs.items() for model in _models_of(spec, settings)}
    routes = {name: route.route[0].model for name, route in settings.models.routes.items()}
    if settings.models.default:
        routes[DEFAULT_ALIAS] = settings.models.default
    for name, first in routes.items():
        known = first.partition("/")[0] in providers.specs and "/" in first
        model = first if known else f"{providers.default.provider}/{first}"
        named |= {model, f"{model.partition('/')[0]}/{name}"}
    return named


def _route(route: RouteSettings) -> NamedRoute:
    models = tuple(NamedModel(one.model, one.weight) for one in route.route)
    return NamedRoute(models, restarts=route.after_content == "restart")


def _patience(settings: Settings) -> dict[str, Patience]:
    return {
        name: Patience(provider.max_retries, provider.retry_delay)
        for name, provider in settings.usable_providers.items()
    }


def _models_of(spec: HostSpec, settings: Settings) -> tuple[str, ...]:
    """Those the operator lists, and the defaults of the provider and of doors, which may stand apart from the list."""
    doors = (settings.doors.ndjson_chat, settings.doors.json_rpc)
    defaults = [spec.default_model, *(door.model for door in doors if door.provider == spec.name)]
    return tuple(dict.fromkeys((*spec.models, *(model for model in defaults if model))))


def _door_models(settings: Settings) -> dict[str, str]:
    doors = {ndjson_chat.DOOR: settings.doors.ndjson_chat, json_rpc.DOOR: settings.doors.json_rpc}
    return {door: name for door, own in doors.items() if (name := _name(own)) is not None}


def _name(door: DoorSettings) -> str | None:
    if door.provider is None:
        return door.model
    return f"{door.provider}/{door.model or ''}"
