"""Which addresses may be reached when somebody else than the operator named them. Pure: no names are resolved here."""

import ipaddress
from collections.abc import Sequence

from yarl import URL

from parlance.core.errors import InvalidRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's special-purpose registries, written out because `is_global` means something else in each Python.
_DENIED = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
        "168.63.129.16/32 "  # a cloud's metadata service that has a public address
        "2001::/23 2001:db8::/32 2002::/16 3fff::/20"
    ).split()
)
# All else of version 6 is loopback, local, multicast, or a version 4 address in disguise.
_UNICAST = ipaddress.ip_network("2000::/3")


def check_address(address: str, *, allow: Sequence[Network] = ()) -> None:
    """Refuse an address that does not lead to the public internet: `InvalidRequest`. `allow` lists what may be, still.

    `address` is an IP address as resolvers give it, perhaps with a zone.
    """
    parsed = _parse(address)
    if parsed is None:
        raise InvalidRequest(f"{address!r} is no IP address.")
    if not _is_public(parsed) and not any(parsed in network for network in allow):
        raise InvalidRequest(
            f"The address {address} is not a public one, and must not be reached on a caller's word. "
            "Whoever runs this server can allow it, or configure the address themselves."
        )


def check_url(text: str, *, allow: Sequence[Network] = ()) -> URL:
    """A URL that a caller gave, parsed by the same parser that will connect to it; `InvalidRequest` for a bad one.

    Names still have to be resolved and each of their addresses checked.
    """
    try:
        url = URL(text)
        host = url.host
    except ValueError as error:
        raise InvalidRequest(f"{text[:200]!r} is not a valid URL.") from error
    if url.scheme not in ("http", "https") or not host:
        raise InvalidRequest(
            f"{text[:200]!r} is no address that can be reached: it must begin with http:// or https://."
        )
    if url.user is not None or url.password is not None:
        raise InvalidRequest("An address must not carry a user name or a password.")
    if _parse(host) is not None:
        check_address(host, allow=allow)
    return url


def _parse(address: str) -> Address | None:
    try:
        return ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    if address.version == 6 and address not in _UNICAST:
        return False
    return not any(address in network for network in _DENIED if network.version == address.version)
