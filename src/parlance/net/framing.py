"""What the readers of streamed bodies have in common: bytes in, frames out."""

from typing import Protocol

Frame = tuple[bytes, str]
"""One event's data, and its name ("" where it has none). A plain pair, since one is made for every token."""

MAX_FRAME = 16 * 1024 * 1024
"""Bytes. A frame larger than this is no language's; it would only fill the memory."""


class FrameReader(Protocol):
    """Takes a body apart, whatever the borders of its reads. `HostAnswerInvalid` when a frame is too large."""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        ...

    def close(self) -> list[Frame]:
        """The body ended cleanly: what is still a frame without its own ending. Not called for a body that broke."""
        ...
