"""Connections whose clients take nothing are dropped: a server that waits for them for ever can be filled with them."""

import asyncio


class Stall:
    """Watches one connection while there is more to send than its client takes. What is said costs nothing here."""

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self._left = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """More is waiting to be sent than should."""
        self.end()
        self._left = self._transport.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._look)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def closing(self) -> None:
        """The connection is closed as soon as all is sent, which may be never."""
        if self._timer is None and self._transport.get_write_buffer_size():
            self.begin()

    def _look(self) -> None:
        self._timer = None
        left = self._transport.get_write_buffer_size()
        if not left:
            return
        if left < self._left:
            self.begin()
        else:
            self._transport.abort()
