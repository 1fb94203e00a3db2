"""What access has to know of the settings."""

from msgspec import Struct


class ConfiguredKey(Struct, frozen=True):
    """One entry of `access.keys`.

    `key` is `sha256:<64 hex digits>` or the key itself; `scope` is `admin`, `service` or `subtenant:<id>`; `models`
    are the only names it may use, None for all.
    """

    id: str
    key: str
    scope: str = "service"
    models: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"ConfiguredKey(id={self.id!r}, scope={self.scope!r})"


class AccessOptions(Struct, frozen=True):
    """Where the server listens, and whom it lets in.

    `host` is the address it is bound to, `port` the port (0: not known yet, any is taken for ours); `tls` says that it
    speaks TLS itself. `cors_origins` are the exact origins of pages that may ask (None: `DEFAULT_ORIGINS`), beside the
    server's own. `host_names` are further names, each with a port or without, that clients may know it by.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    tls: bool = False
    open: bool = False
    keys: tuple[ConfiguredKey, ...] = ()
    cors_origins: tuple[str, ...] | None = None
    host_names: tuple[str, ...] = ()
