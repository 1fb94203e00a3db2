"""Settings into providers: the configured ones, else what is found on this machine, else the demonstration."""

from collections.abc import Mapping

from msgspec import Struct

from parlance.config.default_provider import DEMO, DefaultProvider, choose_default
from parlance.config.sections.providers import ProviderSettings
from parlance.config.settings import Settings
from parlance.core.errors import NoProvider
from parlance.core.provider import HostSpec, Provider, PythonObject
from parlance.net.egress import Egress
from parlance.providers.catalog import HOSTS, HostSetup, find_host, join_host
from parlance.providers.connect import connect
from parlance.providers.discovery import discover
from parlance.routing.defaults import Defaults

KEY_VARIABLES: Mapping[str, tuple[str, ...]] = {
    name: tuple(row.id for row in HOSTS if name in row.key_variables) for row in HOSTS for name in row.key_variables
}
"""Which rows a key belongs to, by the name of its variable: it goes to no other host than theirs."""

HOST_IDS = frozenset(row.id for row in HOSTS)


class Providers(Struct, frozen=True):
    """By their configured ids. `unusable`: set, but with a reason why they can't be asked."""

    usable: Mapping[str, Provider]
    specs: Mapping[str, HostSpec]
    unusable: Mapping[str, str]
    default: DefaultProvider


async def open_providers(settings: Settings, egress: Egress, *, own_port: int | None) -> Providers:
    """Nothing is sent to a configured host yet. Loopback is searched only where no provider is set in any way."""
    usable: dict[str, Provider] = {}
    specs: dict[str, HostSpec] = {}
    unusable = {name: provider.off for name, provider in settings.providers.items() if provider.off is not None}
    for name, provider in settings.usable_providers.items():
        try:
            specs[name] = _spec(name, provider)
            usable[name] = connect(specs[name], _secret(provider), egress=egress)
        except NoProvider as error:
            unusable[name] = error.message
    found: list[HostSpec] = []
    if settings.discovery and not settings.providers:
        found += await discover(egress, own_port=own_port)
    for spec in found:
        specs[spec.name] = spec
        usable[spec.name] = connect(spec, None, egress=egress)
    default = choose_default(settings, [spec.name for spec in found])
    if default.provider == DEMO and DEMO not in usable:
        specs[DEMO] = HostSpec(DEMO, "demo", "", default_model="demo")
        usable[DEMO] = connect(specs[DEMO], None, egress=egress)
    return Providers(usable, specs, unusable, _usable_default(default, usable, unusable))


def defaults_of(settings: Settings) -> dict[str, Defaults]:
    """What each provider's section says for requests that say nothing themselves."""
    return {
        name: Defaults(provider.system_prompt, provider.temperature, provider.top_p, provider.max_tokens)
        for name, provider in settings.usable_providers.items()
    }


def _usable_default(
    default: DefaultProvider, usable: Mapping[str, Provider], unusable: Mapping[str, str]
) -> DefaultProvider:
    if default.provider is None or default.provider in usable:
        return default
    reason = unusable.get(default.provider, "it is not set")
    return DefaultProvider(None, "none", f"the default provider {default.provider} can't be used: {reason}")


def _spec(name: str, provider: ProviderSettings) -> HostSpec:
    row = find_host(provider.host)
    if row is None:
        known = ", ".join(sorted(row.id for row in HOSTS))
        raise NoProvider(f"providers.{name}.host is {provider.host!r}, which is not in the catalogue: {known}.")
    deadlines = provider.deadlines
    setup = HostSetup(
        base_url=provider.base_url,
        model=provider.model,
        models=provider.models,
        headers=tuple((header, secret.get_secret_value()) for header, secret in provider.headers.items()),
        proxy=provider.proxy.get_secret_value() if provider.proxy else None,
        ca_file=str(provider.ca_file) if provider.ca_file else None,
        made_by=PythonObject(str(provider.file), provider.object) if provider.file else None,
        connect=deadlines.connect,
        first=deadlines.first,
        idle=deadlines.idle,
        total=deadlines.total,
    )
    return join_host(name, row, setup)


def _secret(provider: ProviderSettings) -> str | None:
    return provider.api_key.get_secret_value() if provider.api_key else None
