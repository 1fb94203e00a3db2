"""The gate: from what a caller presents to the principal it is, or to the error that says what is missing."""

import re
from collections.abc import Mapping

from parlance.access.addresses import is_loopback, is_outside, parse_address
from parlance.access.keys import KeyRing, is_whole
from parlance.access.options import AccessOptions
from parlance.access.origins import Site
from parlance.core.errors import KeyInvalid, KeyMissing
from parlance.core.ids import KeyId
from parlance.core.principal import LOCAL_ADMIN, Caller, Principal

OPEN_CALLER = Principal(scope="service", key_id=KeyId("open"))
"""Everybody at a server with `access.open: true`: may use all that a service key may, and administrate nothing."""

KEY_HEADERS = ("x-api-key", "x-goog-api-key", "api-key")
SUBPROTOCOL = "parlance.key."

_FORWARDED_FOR = re.compile(r'for="?([^;,"]*)', re.IGNORECASE)
_HOW = "Send it as `Authorization: Bearer <key>` or `x-api-key: <key>`"


class AccessGate:
    """The `Gate` of this server.

    Keyless means: bound to loopback, no keys configured, not open. Then every request from this machine is the
    `LOCAL_ADMIN`, whatever key it carries, since many clients can't be run without one. With `access.open: true` a
    known key counts, and everybody else is the `OPEN_CALLER`. Otherwise a key is needed.
    """

    def __init__(self, options: AccessOptions) -> None:
        """`ValueError` for bad settings, and for a server beyond loopback that would let everybody in unasked."""
        self._keys = KeyRing(options.keys)
        self._open = options.open
        self._keyless = not self._keys and not options.open
        if self._keyless and not is_loopback(options.host):
            raise ValueError(
                f"server.host is {options.host!r}, which other machines reach, and there is no key. Configure "
                "access.keys, or say access.open: true if everybody shall be let in."
            )
        self._site = Site(options, keyless=self._keyless)

    @property
    def notices(self) -> tuple[str, ...]:
        """For the operator, at every start."""
        if not self._open:
            return self._site.notices
        return (
            "access.open is true: everybody who reaches this server may use it, without a key.",
            *self._site.notices,
        )

    def check_site(self, caller: Caller) -> None:
        self._site.check(caller)

    def cors_headers(self, caller: Caller) -> list[tuple[bytes, bytes]]:
        """What to add to any answer, errors among them, so that an allowed page may read it; nothing for others."""
        return self._site.cors_headers(caller)

    def authenticate(self, caller: Caller) -> Principal:
        if self._keyless:
            return _at_this_machine(caller)
        if self._open:
            return self._known_or_open(caller)
        key = presented_key(caller)
        if key is None:
            raise KeyMissing(f"This server needs a key. {_HOW}; a web page's socket offers it as a subprotocol.")
        return self._find(key)

    def authenticate_key(self, key: str) -> Principal:
        if self._keyless:
            return LOCAL_ADMIN
        return (self._keys.find(key) or OPEN_CALLER) if self._open else self._find(key)

    def _known_or_open(self, caller: Caller) -> Principal:
        try:
            key = presented_key(caller)
        except KeyInvalid:
            return OPEN_CALLER
        return self.authenticate_key(key) if key else OPEN_CALLER

    def _find(self, key: str) -> Principal:
        principal = self._keys.find(key)
        if principal is not None:
            return principal
        if not is_whole(key):
            raise KeyInvalid("The key was not copied whole: its checksum does not fit. Copy it again.")
        raise KeyInvalid("The key is not one of this server's: mistyped, of another server, or withdrawn.")


def presented_key(caller: Caller) -> str | None:
    """The one key that a caller presents in its headers; None for none. `KeyInvalid` for several, and other schemes."""
    keys = {key for key in _candidates(caller) if key}
    if len(keys) > 1 or any("," in key or " " in key for key in keys):
        raise KeyInvalid("The request presents several keys that differ. Send one.")
    return next(iter(keys), None)


def _candidates(caller: Caller) -> list[str]:
    found = [caller.headers.get(name, "").strip() for name in KEY_HEADERS]
    found.append(_bearer(caller.headers.get("authorization", "").strip()))
    offered = caller.headers.get("sec-websocket-protocol", "").split(",")
    found += [name.strip().removeprefix(SUBPROTOCOL) for name in offered if name.strip().startswith(SUBPROTOCOL)]
    return found


def _bearer(text: str) -> str:
    scheme, _, key = text.partition(" ")
    if text and scheme.lower() != "bearer":
        raise KeyInvalid("The Authorization header is of another scheme. Write `Authorization: Bearer <key>`.")
    return key.strip()


def _at_this_machine(caller: Caller) -> Principal:
    """A proxy on this machine makes the whole world look local; then nobody is let in without a key."""
    if (caller.peer and is_outside(caller.peer)) or not all(_is_local(hop) for hop in _hops(caller.headers)):
        raise KeyMissing(
            "The request was forwarded from another machine, and without a key this server serves its own machine "
            "only. Configure access.keys, or say access.open: true if everybody shall be let in."
        )
    return LOCAL_ADMIN


def _hops(headers: Mapping[str, str]) -> list[str]:
    """The clients that proxies say they act for."""
    said = [headers[name] for name in ("x-forwarded-for", "x-real-ip") if name in headers]
    said += _FORWARDED_FOR.findall(headers.get("forwarded", ""))
    return [hop.strip() for text in said for hop in text.split(",")]


def _is_local(hop: str) -> bool:
    address = parse_address(hop)
    return is_loopback(hop) or (address is not None and is_loopback(address.host))
