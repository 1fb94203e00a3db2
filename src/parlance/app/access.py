"""Settings into the gate; beyond loopback, a first key where none is configured."""

import logging

from msgspec import Struct

from parlance.access.authenticate import AccessGate
from parlance.access.first_key import FirstKey, ensure_first_key
from parlance.access.options import AccessOptions, ConfiguredKey
from parlance.config.settings import Settings

log = logging.getLogger(__name__)


class OpenedGate(Struct, frozen=True):
    """`made_key` is the key that this very start made: it is shown once."""

    gate: AccessGate
    made_key: str | None


def open_gate(settings: Settings, *, port: int) -> OpenedGate:
    """`OSError` or `ValueError` when the first key can't be made or read."""
    server, access = settings.server, settings.access
    keys = tuple(
        ConfiguredKey(id=name, key=key.key.get_secret_value(), scope=key.scope, models=key.models)
        for name, key in access.keys.items()
    )
    first: FirstKey | None = None
    if not (keys or access.open or server.loopback):
        first = ensure_first_key(settings.data)
        keys = (first.entry,)
    gate = AccessGate(
        AccessOptions(
            host=server.host,
            port=port,
            tls=server.tls is not None,
            open=access.open,
            keys=keys,
            cors_origins=server.cors_origins,
        )
    )
    for notice in gate.notices:
        log.warning(notice)
    return OpenedGate(gate, first.plain if first else None)
