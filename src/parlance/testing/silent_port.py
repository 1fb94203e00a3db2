"""A port whose connections never come about: what a firewall that drops packets looks like from here."""

import asyncio
import socket
from typing import Self


class SilentPort:
    """`async with SilentPort() as silent:` `silent.base_url` neither accepts nor refuses while it lasts.

    A listener that accepts nobody, with its queue filled up: Linux leaves the next one unanswered.
    """

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._queued: list[socket.socket] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        address = self._listener.getsockname()
        for _ in range(8):
            if not await self._fill(address):
                break
        return self

    async def __aexit__(self, *_: object) -> None:
        for queued in self._queued:
            queued.close()
        self._listener.close()

    async def _fill(self, address: tuple[str, int]) -> bool:
        """Take one place in the queue; False when there was none."""
        queued = socket.socket()
        queued.setblocking(False)
        self._queued.append(queued)
        try:
            async with asyncio.timeout(0.1):
                await asyncio.get_running_loop().sock_connect(queued, address)
        except TimeoutError:
            return False
        return True
