"""From a host's name to an open socket: names are resolved once for many, several addresses are tried side by side."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

FRESH: Final = 10.0
"""Seconds for which a name is not resolved again."""

HEAD_START: Final = 0.25
"""Seconds that an address is tried alone before the next is tried too (RFC 8305)."""

MOST_NAMES: Final = 1_000
"""Names that are remembered: callers may name any."""


class Place(Struct, frozen=True):
    """One address of a name, as the system's resolver gives it. `address`[0] is the IP address."""

    family: int
    address: tuple[str, int] | tuple[str, int, int, int]


class Names:
    """Resolves names; those who ask for the same one at once share one question."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, asyncio.Task[Sequence[Place]]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[Place]:
        """Its addresses, at least one. `OSError`."""
        now = asyncio.get_running_loop().time()
        until, asking = self._known.get((host, port), (0.0, None))
        if asking is None or until < now or (asking.done() and (asking.cancelled() or asking.exception())):
            if len(self._known) >= MOST_NAMES:
                self._known.clear()
            asking = asyncio.create_task(_resolve(host, port))
            self._known[host, port] = now + FRESH, asking
        # Who gives up must not take the answer from the others.
        return await asyncio.shield(asking)

    async def close(self) -> None:
        tasks = [task for _, task in self._known.values() if not task.done()]
        self._known.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _resolve(host: str, port: int) -> Sequence[Place]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places = [Place(family, address) for family, _, _, _, address in found if isinstance(address[0], str)]
    if not places:
        raise socket.gaierror(f"{host} has no address")
    return places


async def open_socket(places: Sequence[Place]) -> socket.socket:
    """The first that connects, of all. `OSError`: the first one's."""
    if len(places) == 1:
        return await _connect(places[0])
    return await _race(_alternating(places))


async def _race(places: Sequence[Place]) -> socket.socket:
    trying: set[asyncio.Task[socket.socket]] = set()
    failures: list[BaseException] = []
    left = iter(places)
    try:
        for place in left:
            trying.add(asyncio.create_task(_connect(place)))
            if (won := await _first(trying, failures, HEAD_START)) is not None:
                return won
        while trying:
            if (won := await _first(trying, failures, None)) is not None:
                return won
        raise failures[0]
    finally:
        await _abandon(trying)


async def _first(
    trying: set[asyncio.Task[socket.socket]], failures: list[BaseException], within: float | None
) -> socket.socket | None:
    """The socket of one that has connected; None when one has failed, or nothing has come of any in this time."""
    done, _ = await asyncio.wait(trying, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        error = task.exception()
        if error is None:
            trying.discard(task)
            return task.result()
        trying.discard(task)
        failures.append(error)
    return None


async def _abandon(trying: set[asyncio.Task[socket.socket]]) -> None:
    for task in trying:
        task.cancel()
    for made in await asyncio.gather(*trying, return_exceptions=True):
        if isinstance(made, socket.socket):
            made.close()


async def _connect(place: Place) -> socket.socket:
    one = socket.socket(place.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        one.setblocking(False)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(one, place.address)
    except BaseException:
        one.close()
        raise
    return one


def _alternating(places: Sequence[Place]) -> Sequence[Place]:
    """The families in turn, the resolver's first one first."""
    first = [place for place in places if place.family == places[0].family]
    others = [place for place in places if place.family != places[0].family]
    mixed = [place for pair in zip(first, others, strict=False) for place in pair]
    return [*mixed, *first[len(others) :], *others[len(first) :]]
