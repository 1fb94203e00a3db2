"""Asks each configured host for its models: for `parlance doctor`, before clients ask."""

import asyncio

from msgspec import Struct

from parlance.app.providers import open_providers
from parlance.config.default_provider import DefaultProvider
from parlance.config.settings import Settings
from parlance.core.errors import UpstreamError
from parlance.core.provider import Provider
from parlance.net.egress import Egress

SHOWN = 5


class HostReport(Struct, frozen=True):
    """What became of one provider: its models, or why it can't be used."""

    name: str
    address: str
    usable: bool
    text: str


class Probe(Struct, frozen=True):
    hosts: tuple[HostReport, ...]
    default: DefaultProvider


async def probe_hosts(settings: Settings) -> Probe:
    """All at once. Nothing is asked of a model, so it costs nothing."""
    egress = Egress()
    try:
        providers = await open_providers(settings, egress, own_port=settings.server.port)
        asked = [_probe(provider, providers.specs[name].base_url) for name, provider in providers.usable.items()]
        reports = await asyncio.gather(*asked)
        off = [HostReport(name, "", usable=False, text=reason) for name, reason in providers.unusable.items()]
        return Probe((*reports, *off), providers.default)
    finally:
        await egress.close()


async def _probe(provider: Provider, address: str) -> HostReport:
    try:
        models = await provider.list_models()
    except UpstreamError as error:
        return HostReport(provider.name, address, usable=False, text=error.message)
    more = f" and {len(models) - SHOWN} more" if len(models) > SHOWN else ""
    return HostReport(provider.name, address, usable=True, text=f"{', '.join(models[:SHOWN]) or 'no models'}{more}")
