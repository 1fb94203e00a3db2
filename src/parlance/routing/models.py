"""Names lead to models: routes, aliases, `provider/model`, bare names, and the defaults of doors."""

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from parlance.core.errors import ModelForbidden, ModelNotFound, NoProvider, UpstreamError
from parlance.core.principal import Principal
from parlance.core.provider import ModelInfo, Provider, Target
from parlance.routing.candidates import Candidate
from parlance.routing.route import Route, RouteParts

DEFAULT_ALIAS = "default"


class NamedModel(Struct, frozen=True):
    """One of a route: a name for a model. Neighbours with a weight share the load in its proportion."""

    name: str
    weight: float | None = None


class NamedRoute(Struct, frozen=True):
    """The models behind a name, in the order in which they are asked. `restarts`: a failure in mid-answer may have the
    next begin anew, where the caller can be told.
    """

    models: tuple[NamedModel, ...]
    restarts: bool = False


class RoutingOptions(Struct, frozen=True):
    """`default_provider` is None where none is usable; `missing` then says to the caller what to set.

    `aliases` are other names for a model or a route; the one named `default` stands for no name at all. `door_models`
    are the doors' own defaults, `provider_models` the providers'. `unusable` providers are set but can't be asked, each
    with the reason. `closed` ones answer to these models and to no others.
    """

    default_provider: str | None
    missing: str = "No model provider is set. Set one, such as OPENAI_API_KEY, and start again."
    aliases: Mapping[str, str] = {}
    routes: Mapping[str, NamedRoute] = {}
    door_models: Mapping[str, str] = {}
    provider_models: Mapping[str, str] = {}
    unusable: Mapping[str, str] = {}
    closed: Mapping[str, tuple[str, ...]] = {}


class ConfiguredModels:
    """The names that the configuration gives meaning to. Any other name is passed to the default provider as it is."""

    def __init__(self, providers: Mapping[str, Provider], options: RoutingOptions, parts: RouteParts) -> None:
        self._providers = providers
        self._options = options
        self._parts = parts

    async def resolve(self, name: str | None, principal: Principal, *, door: str) -> Target:
        asked = name or self._default_name(principal, door)
        route, candidates = await self._candidates(asked)
        if not any(map(principal.may_use, self._names_on_way(asked or ""))):
            candidates = [one for one in candidates if self._may_use(principal, one)]
        if not candidates:
            raise ModelForbidden(
                f"This key may not use the model {(asked or 'of this door')[:80]!r}. "
                f"It may use: {', '.join(principal.models or ()) or 'none'}."
            )
        return Target(Route(candidates, self._parts, restarts=route.restarts), candidates[0].model)

    async def offered(self, principal: Principal, *, door: str) -> Sequence[ModelInfo]:
        offers = [offer for alias in self._aliases() if (offer := self._alias_offer(alias)) is not None]
        listed = await asyncio.gather(*map(_names, self._providers.values()))
        for provider, names in zip(self._providers.values(), listed, strict=True):
            offers += [ModelInfo(f"{provider.name}/{name}", provider.name) for name in names]
        default = await self._default_id(principal, door)
        if default is not None and default.id not in {offer.id for offer in offers}:
            offers.insert(0, default)
        return [
            ModelInfo(offer.id, offer.provider, default=default is not None and offer.id == default.id)
            for offer in offers
            if any(map(principal.may_use, {offer.id, *self._names_of(*offer.id.split("/", 1))}))
        ]

    def _names_of(self, provider: str, model: str = "") -> set[str]:
        """What a model is called without aliases: its bare name means the default provider's, and nobody else's."""
        names = {f"{provider}/{model}"}
        return names | {model} if provider == self._options.default_provider else names

    def _may_use(self, principal: Principal, candidate: Candidate) -> bool:
        return any(map(principal.may_use, self._names_of(candidate.provider.name, candidate.model)))

    def _aliases(self) -> list[str]:
        """The operator's own names, of routes first."""
        aliases = [alias for alias in self._options.aliases if alias != DEFAULT_ALIAS]
        return list(dict.fromkeys((*self._options.routes, *aliases)))

    def _default_name(self, principal: Principal, door: str) -> str | None:
        """The door's own default, else the server's; for a key that may not use it, the first that it may."""
        name = self._options.door_models.get(door) or self._options.aliases.get(DEFAULT_ALIAS)
        if principal.models and (name is None or not principal.may_use(name)):
            return principal.models[0]
        return name

    def _alias_offer(self, alias: str) -> ModelInfo | None:
        """None for a name whose providers can't be used: it must not take the list of all others with it."""
        try:
            return ModelInfo(alias, self._reachable(self._route(alias))[0][0].name)
        except NoProvider:
            return None

    async def _default_id(self, principal: Principal, door: str) -> ModelInfo | None:
        name = self._default_name(principal, door)
        if name is not None and name in self._aliases():
            return self._alias_offer(name)
        try:
            _, candidates = await self._candidates(name)
        except (NoProvider, ModelNotFound, UpstreamError):
            return None
        first = candidates[0]
        return ModelInfo(f"{first.provider.name}/{first.model}", first.provider.name)

    async def _candidates(self, name: str | None) -> tuple[NamedRoute, list[Candidate]]:
        """Whom a name leads to. A provider of several that can't be asked, or has no model to ask for, is left out."""
        route = self._route(name)
        candidates: list[Candidate] = []
        missing: ModelNotFound | UpstreamError | None = None
        for provider, model, weight in self._reachable(route):
            try:
                candidates.append(Candidate(provider, await self._model_at(provider, model), weight))
            except (ModelNotFound, UpstreamError) as error:
                missing = missing or error
        if missing is not None and not candidates:
            raise missing
        return route, candidates

    def _route(self, name: str | None) -> NamedRoute:
        name = self._names_on_way(name or "")[-1]
        return self._options.routes.get(name) or NamedRoute((NamedModel(name),))

    def _names_on_way(self, name: str) -> tuple[str, ...]:
        """A name and what its aliases stand for, the last of them a model's or a route's."""
        aliases = self._options.aliases
        meant = aliases.get(DEFAULT_ALIAS, name) if name == DEFAULT_ALIAS else name
        return name, meant, aliases.get(meant, meant)

    def _reachable(self, route: NamedRoute) -> list[tuple[Provider, str, float | None]]:
        """Those of a route that can be used, with what is left of their names. `NoProvider` when there is none."""
        reachable: list[tuple[Provider, str, float | None]] = []
        missing: NoProvider | None = None
        for model in route.models:
            try:
                reachable.append((*self._provider_of(model.name), model.weight))
            except NoProvider as error:
                missing = missing or error
        if missing is not None and not reachable:
            raise missing
        return reachable

    async def _model_at(self, provider: Provider, model: str) -> str:
        models = self._options.closed.get(provider.name)
        if model and models is not None and model not in models:
            raise ModelNotFound(
                f"The provider {provider.name!r} has no model {model[:80]!r}. GET /models lists what there is for you."
            )
        return model or await self._default_model(provider)

    def _provider_of(self, name: str) -> tuple[Provider, str]:
        """The provider a name leads to, and what is left of the name: empty for the provider's own default."""
        head, slash, rest = name.partition("/")
        if slash and head in self._providers:
            return self._providers[head], rest
        if head in self._options.unusable:
            raise NoProvider(f"The provider {head!r} can't be used: {self._options.unusable[head]}")
        default = self._options.default_provider
        if default is None:
            raise NoProvider(self._options.missing)
        return self._providers[default], name

    async def _default_model(self, provider: Provider) -> str:
        configured = self._options.provider_models.get(provider.name)
        if configured:
            return configured
        listed = await provider.list_models()
        if not listed:
            raise ModelNotFound(
                f"The provider {provider.name!r} has no default model and its host lists none. "
                f"Name one, as {provider.name}/…, or set providers.{provider.name}.model."
            )
        return listed[0]


async def _names(provider: Provider) -> Sequence[str]:
    try:
        return await provider.list_models()
    except UpstreamError:
        # One host that is away must not take the list of all the others with it.
        return ()
