"""Reading addresses as they stand in headers and settings: strictly, so that two readers never see two hosts."""

import ipaddress
import re

from msgspec import Struct

_AUTHORITY = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*))"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
)
_LONGEST_NAME = 253


class Address(Struct, frozen=True):
    """A host, in lower case and canonical form (IPv6 without brackets), and a port; None where none was said."""

    host: str
    port: int | None = None

    @property
    def is_ip(self) -> bool:
        return _ip(self.host) is not None


def parse_address(text: str) -> Address | None:
    """`name`, `name:port`, `1.2.3.4:port`, `[::1]:port`; None for everything else, a trailing dot among it."""
    match = _AUTHORITY.fullmatch(text)
    if match is None or len(match["name"] or "") > _LONGEST_NAME:
        return None
    port = int(match["port"]) if match["port"] else None
    if port is not None and port > 65535:
        return None
    if match["name"]:
        return Address(match["name"].lower(), port)
    six = _ip(match["six"])
    return Address(str(six), port) if six is not None and six.version == 6 else None


def is_loopback(host: str) -> bool:
    """Whether an address to listen at is reached from this machine only. An unknown name is not."""
    if host.lower() == "localhost":
        return True
    ip = _ip(host.strip("[]"))
    return ip is not None and _is_inside(ip)


def is_outside(host: str) -> bool:
    """Whether a client's address is known to be another machine's."""
    ip = _ip(host.strip("[]"))
    return ip is not None and not _is_inside(ip)


def _is_inside(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = ip.ipv4_mapped if ip.version == 6 else None
    return (mapped or ip).is_loopback


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
