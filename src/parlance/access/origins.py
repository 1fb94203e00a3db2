"""Which pages may ask, by which names the server may be asked, and the CORS headers to answer with.

No page gets anything by a cookie: there is none. So what is let in here is only let near; keys decide the rest.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from parlance.access.addresses import Address, parse_address
from parlance.access.options import AccessOptions
from parlance.core.errors import HostRefused, OriginRefused
from parlance.core.principal import Caller

DEFAULT_ORIGINS = (
    "http://localhost:3000",
    "http://localhost:5173",
    "http://127.0.0.1:3000",
    "http://127.0.0.1:5173",
)

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE = ("", "0.0.0.0", "::")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_HEADER_NAMES = re.compile(r"[A-Za-z0-9_-]+(?:, *[A-Za-z0-9_-]+)*")

_WILDCARD_NOTICE = (
    "server.cors_origins names `*`, but no key is needed here: any page open in a browser on this machine could use "
    "the server. The usual development origins are allowed instead. Name the origins, or configure access.keys."
)
_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_USUAL_HEADERS = (
    b"accept, api-key, authorization, content-type, idempotency-key, last-event-id, x-api-key, x-request-id"
)
_EXPOSED_HEADERS = b"idempotent-replayed, location, preference-applied, retry-after, x-request-id"
_PREFLIGHT_AGE = b"600"


class Origin(Struct, frozen=True):
    """Scheme and host in lower case; the port is said, or the scheme's own."""

    scheme: str
    host: str
    port: int | None


def parse_origin(text: str) -> Origin | None:
    """`scheme://host[:port]` and nothing behind it; None for all else, `null` among it."""
    scheme, slashes, rest = text.partition("://")
    address = parse_address(rest)
    if not slashes or address is None or not _SCHEME.fullmatch(scheme):
        return None
    scheme = scheme.lower()
    return Origin(scheme, address.host, address.port or _DEFAULT_PORTS.get(scheme))


class Site:
    """The names and the pages of this server. `notices` are for the operator: settings that were not taken as said."""

    def __init__(self, options: AccessOptions, *, keyless: bool) -> None:
        """`keyless`: everybody who gets here is let in as the person at this machine. `ValueError` for bad settings."""
        self.notices: tuple[str, ...] = ()
        self._options = options
        self._keyless = keyless
        self._names = frozenset(_own_names(options))
        given = DEFAULT_ORIGINS if options.cors_origins is None else options.cors_origins
        self._any_origin = "*" in given and self._take_wildcard()
        listed = {_configured_origin(text) for text in given if text != "*"}
        if "*" in given and not self._any_origin:
            listed |= {_configured_origin(text) for text in DEFAULT_ORIGINS}
        self._origins = frozenset(listed | set(self._own_origins()))

    def check(self, caller: Caller) -> None:
        """`HostRefused`, `OriginRefused`."""
        host = self._check_host(caller)
        origin = caller.headers.get("origin")
        if origin is not None and not self._allows(origin, host):
            raise OriginRefused(
                f"Pages of the origin {_quoted(origin)} may not use this server. Add it to server.cors_origins, "
                "exactly as it stands here, if they shall."
            )

    def cors_headers(self, caller: Caller) -> list[tuple[bytes, bytes]]:
        """The headers that let the asking page read the answer; those of a preflight when it is one.

        Nothing for a caller without an Origin, or with one that `check` refuses.
        """
        origin = caller.headers.get("origin")
        if origin is None or not self._allows(origin, parse_address(caller.headers.get("host", ""))):
            return []
        headers = allow_headers(None if self._any_origin else origin)
        if caller.method == "OPTIONS" and "access-control-request-method" in caller.headers:
            headers += preflight_headers(caller.headers)
        return headers

    def _take_wildcard(self) -> bool:
        if self._keyless:
            self.notices += (_WILDCARD_NOTICE,)
        return not self._keyless

    def _check_host(self, caller: Caller) -> Address | None:
        text = caller.headers.get("host")
        if not caller.path.startswith("/") and caller.path != "*":
            raise HostRefused("The request's target must be a path: this server is no proxy.")
        if text is None and not self._keyless:
            return None  # No browser leaves it out; probes of load balancers do.
        host = parse_address(text or "")
        if host is None:
            raise HostRefused(f"The Host header {_quoted(text or '')} is not one name with at most one port.")
        if not self._knows(host):
            raise HostRefused(
                f"This server does not go by the name {_quoted(text or '')}. Add it to access.host_names if it shall; "
                "until then only its own names are answered, so that no page can reach it by a name of its choice."
            )
        return host

    def _knows(self, host: Address) -> bool:
        if host in self._names or (self._own_port(host) and Address(host.host) in self._names):
            return True
        if self._keyless:
            return False
        # A rebinding page comes by a public name, which has a dot and is no address. With keys it lacks the key.
        return not self._options.open or host.is_ip or "." not in host.host

    def _own_port(self, host: Address) -> bool:
        return host.port is None or self._options.port in (0, host.port)

    def _allows(self, text: str, host: Address | None) -> bool:
        origin = parse_origin(text)
        if self._any_origin and (origin is not None or text == "null"):
            return True
        return origin is not None and (origin in self._origins or self._is_own(origin, host))

    def _is_own(self, origin: Origin, host: Address | None) -> bool:
        """Whether the page came from where this request went. A proxy before us may speak TLS, so both schemes do."""
        schemes = ("https",) if self._options.tls else ("http",) if self._keyless else ("http", "https")
        if host is None or origin.scheme not in schemes:
            return False
        return (origin.host, origin.port) == (host.host, host.port or _DEFAULT_PORTS[origin.scheme])

    def _own_origins(self) -> list[Origin]:
        scheme = "https" if self._options.tls else "http"
        port = self._options.port
        return [Origin(scheme, name.host, name.port or port) for name in self._names if name.port or port]


def allow_headers(origin: str | None) -> list[tuple[bytes, bytes]]:
    """For the answer to a page of `origin`, which was allowed by name; None: all are, and then never with credentials.

    Pages that were named may ask with credentials, since clients do so by habit; no credential of ours is ambient.
    """
    if origin is None:
        return [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _EXPOSED_HEADERS)]
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _EXPOSED_HEADERS),
        (b"vary", b"origin"),
    ]


def preflight_headers(asked: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Added to `allow_headers` where the browser asks first. The header names it asks for are granted as asked."""
    names = asked.get("access-control-request-headers", "")
    granted = names.encode("ascii") if len(names) <= 1024 and _HEADER_NAMES.fullmatch(names) else _USUAL_HEADERS
    headers = [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", granted),
        (b"access-control-max-age", _PREFLIGHT_AGE),
    ]
    if asked.get("access-control-request-private-network") == "true":
        headers.append((b"access-control-allow-private-network", b"true"))
    return headers


def _own_names(options: AccessOptions) -> list[Address]:
    names = [Address(host) for host in _LOCAL_HOSTS]
    if options.host not in _EVERYWHERE:
        bound = parse_address(f"[{options.host}]" if ":" in options.host else options.host)
        names += [bound] if bound is not None else []
    for text in options.host_names:
        name = parse_address(text)
        if name is None:
            raise ValueError(f"access.host_names: {text!r} is not a host name, with or without a port.")
        names.append(name)
    return names


def _configured_origin(text: str) -> Origin:
    origin = parse_origin(text.removesuffix("/"))
    if origin is None:
        raise ValueError(
            f"server.cors_origins: {text!r} is not an origin. Write scheme, host and port, such as "
            "https://chat.example.com or http://localhost:3000; there are no patterns, and `null` could be any page."
        )
    return origin


def _quoted(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:80] + "…")
