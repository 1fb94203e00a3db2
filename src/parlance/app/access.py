"""Settings into the gate; beyond loopback, a first key where none is configured."""

import logging

from msgspec import Struct

from parlance.access.authenticate import AccessGate
from parlance.access.first_key import FirstKey, ensure_first_key
from parlance.access.options import AccessOptions, ConfiguredKey
from parlance.config.errors import ConfigError, Problem
from parlance.config.settings import Settings

log = logging.getLogger(__name__)


class OpenedGate(Struct, frozen=True):
    """`made_key` is the key that this very start made: it is shown once."""

    gate: AccessGate
    made_key: str | None


def open_gate(settings: Settings, *, port: int) -> OpenedGate:
    """`OSError` when the first key can't be made or read; `ConfigError` for what the gate can't take."""
    server, access = settings.server, settings.access
    keys = tuple(
        ConfiguredKey(id=name, key=key.key.get_secret_value(), scope=key.scope, models=key.models)
        for name, key in access.keys.items()
    )
    first: FirstKey | None = None
    if not (keys or access.open or server.loopback):
        first = _first_key(settings)
        keys = (first.entry,)
    gate = _gate(settings, port, keys)
    for notice in gate.notices:
        log.warning(notice)
    return OpenedGate(gate, first.plain if first else None)


def _first_key(settings: Settings) -> FirstKey:
    try:
        return ensure_first_key(settings.data)
    except ValueError as error:
        raise ConfigError((Problem("data", str(error)),)) from None


def _gate(settings: Settings, port: int, keys: tuple[ConfiguredKey, ...]) -> AccessGate:
    server = settings.server
    options = AccessOptions(
        host=server.host,
        port=port,
        tls=server.tls is not None,
        open=settings.access.open,
        keys=keys,
        cors_origins=server.cors_origins,
        host_names=settings.access.host_names,
    )
    try:
        return AccessGate(options)
    except ValueError as error:
        raise ConfigError((Problem("access", str(error)),)) from None
