"""What an exchange with a host looks like, whichever client carries it, and how it fails."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol

Obstacle = Literal["name", "certificate", "tls", "proxy", "network"]
"""Why no connection came about; `network` stands for what the system's own error says."""


class WireError(OSError):
    """An exchange with a host failed. Quotes no address and no header."""


class NotConnected(WireError):
    """Nothing was sent: there is no connection."""

    def __init__(self, obstacle: Obstacle, reason: str = "") -> None:
        """`reason` goes behind the name of a host: "it refuses connections"."""
        super().__init__(obstacle, reason)
        self.obstacle = obstacle
        self.reason = reason


class ConnectTimeout(WireError, TimeoutError):
    """No connection within the time that the host is given for it."""


class NotHttp(WireError):
    """What was answered is no HTTP, or in a form that is not read here."""


class BrokenOff(WireError):
    """The connection ended before the answer did."""


class Answer(Protocol):
    """An answer from its head on. Names of headers are in lower case. `close` it, on every path."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def read(self) -> Awaitable[bytes]:
        """More of the body; empty at its end, and only there. `WireError` when it breaks, behind all that came.

        Awaited at once, and by one reader at a time.
        """
        ...

    def listen(self, listener: Callable[[bytes], bool]) -> None:
        """While a read waits, what comes may be offered to `listener`; what it takes is not read again. It runs in
        nobody's context, and must not raise.
        """
        ...

    def give_up(self, error: Exception) -> None:
        """Hang up; whoever waits in `read` gets this error, now, and so does every later read."""
        ...

    def close(self) -> None:
        """The connection serves the next request if this answer has come to its end, and is cut otherwise."""
        ...
