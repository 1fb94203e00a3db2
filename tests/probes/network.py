"""Ground rules for the process that runs the tests: no network beyond loopback, nothing that blocks the event loop.

An audit hook of the interpreter sees every socket of Python's own, whichever library opens it."""

import asyncio
import ipaddress
import sys
import time
from typing import Final, SupportsIndex

SLEEP: Final = time.sleep  # noqa: TID251 - replaced for the very reason of the ban
LOOPBACK_NAMES: Final = frozenset({None, "", "localhost", b"", b"localhost"})


class NetworkRefused(RuntimeError):
    """A test tried to leave the machine. Not an OSError: code that expects hosts to fail must not swallow it."""


class LoopBlocked(RuntimeError):
    """Code on the event loop made a call that stops the whole loop until it returns."""


def guard(event: str, args: tuple[object, ...]) -> None:
    """The audit hook. Cheap for all events but those of sockets."""
    match event, args:
        case (("socket.connect" | "socket.sendto" | "socket.sendmsg"), (sock, address, *_)):
            refuse_unless_loopback(address)
            if event == "socket.connect" and getattr(sock, "gettimeout", lambda: 0)() != 0:
                refuse_on_loop(f"a blocking connection to {address}")
        case "socket.getaddrinfo", (host, *_):
            refuse_unless_local_name(host)
            if host not in LOOPBACK_NAMES and not is_address(host):
                refuse_on_loop(f"a blocking look-up of {host!r}")
        case _:
            pass


def refuse_unless_loopback(address: object) -> None:
    """Socket addresses: (host, port, …) of the internet, text or bytes of this machine."""
    if isinstance(address, tuple) and address:
        host = address[0]
        if host not in LOOPBACK_NAMES and not is_loopback(host):
            raise NetworkRefused(f"a test may not connect to {address}: only loopback is allowed")


def refuse_unless_local_name(host: object) -> None:
    """Names are looked up only where no server has to be asked."""
    if host not in LOOPBACK_NAMES and not is_address(host) and not str(host).endswith(".localhost"):
        raise NetworkRefused(f"a test may not look up {host!r}: only loopback is allowed")


def refuse_on_loop(act: str) -> None:
    """Raise if this thread is running an event loop."""
    if asyncio._get_running_loop() is not None:
        raise LoopBlocked(f"{act} on the event loop: everything else waits for it")


def is_address(host: object) -> bool:
    """Whether a host is written in numbers."""
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host).partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: object) -> bool:
    """Whether an address in numbers stays on this machine; the wildcard does."""
    if not is_address(host):
        return False
    address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host).partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def install() -> None:
    """Guard this process. There is no way back, which is the point."""
    sys.addaudithook(guard)
    # Sleeping is no audit event before Python 3.13.
    time.sleep = sleep_off_the_loop  # noqa: TID251 - replaced for the very reason of the ban


def sleep_off_the_loop(seconds: float | SupportsIndex, /) -> None:
    """`time.sleep`, for threads that run no event loop."""
    refuse_on_loop(f"time.sleep({seconds})")
    SLEEP(seconds)
