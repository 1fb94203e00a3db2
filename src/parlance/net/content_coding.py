"""Bodies that a host has packed although it was asked not to."""

import zlib
from collections.abc import Callable, Mapping
from typing import Final

from parlance.net.wire import Answer, NotHttp

PIECE: Final = 256 * 1024
"""Bytes that are unpacked at a time: what is packed well would fill the memory."""

_WINDOWS: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def unpacked(answer: Answer) -> Answer:
    """The answer with its body as it was meant. `NotHttp` for a packing that is not known here; it is open then."""
    coding = answer.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return answer
    if coding not in _WINDOWS:
        raise NotHttp(f"The answer is packed as {coding[:40]!r}.")
    return _Unpacked(answer, _WINDOWS[coding])


class _Unpacked:
    def __init__(self, answer: Answer, window: int) -> None:
        self._answer = answer
        self._window = window
        self._inflater = zlib.decompressobj(window)
        self._begun = False

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    async def read(self) -> bytes:
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or await self._answer.read()
            if not packed:
                if self._begun:
                    raise NotHttp("The packed answer ended in its middle.")
                return b""
            if data := self._inflate(packed):
                return data
        while await self._answer.read():
            # Behind the end of what was packed there is nothing that anybody could have meant.
            pass
        return b""

    def listen(self, listener: Callable[[bytes], bool]) -> None:
        """It is never offered anything: what comes is packed."""

    def give_up(self, error: Exception) -> None:
        self._answer.give_up(error)

    def close(self) -> None:
        self._answer.close()

    def _inflate(self, packed: bytes) -> bytes:
        if not self._begun:
            self._begun = True
            if self._window == zlib.MAX_WBITS and packed[0] & 0x0F != zlib.DEFLATED:
                # "deflate" is zlib's format, but some send it without zlib's header.
                self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return self._inflater.decompress(packed, PIECE)
        except zlib.error as error:
            raise NotHttp("The answer is not packed as it says.") from error
