"""One answer of a host while it streams: bytes in, deltas out, and every way in which a body may end."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from parlance.core.deltas import Began, Delta, Finished, Noted, TextDelta
from parlance.core.errors import HostFailed, HostTimeout, TruncatedAnswer, UpstreamError
from parlance.core.parts import Family
from parlance.core.provider import Listener, Speaker, nobody
from parlance.net.framing import Frame, FrameReader
from parlance.net.wire import Answer
from parlance.providers.watchdog import Watchdog

DRAIN: Final = 0.2
"""Seconds that a finished answer may take to end its body, so that its connection can be used again."""


class Beginning:
    """Makes the first batch begin with `Began`, which names the host, and the notices of the request."""

    def __init__(self, host: str, family: Family, upstream_id: str | None, notices: Sequence[Noted]) -> None:
        self._host = host
        self._family = family
        self._upstream_id = upstream_id
        self._notices = notices

    def put_before(self, deltas: list[Delta]) -> list[Delta]:
        began, rest = Began(), deltas
        if isinstance(deltas[0], Began):
            began, rest = deltas[0], deltas[1:]
        began = msgspec.structs.replace(
            began, host=self._host, family=self._family, upstream_id=began.upstream_id or self._upstream_id
        )
        return [began, *self._notices, *rest]


class Exchange:
    """Reads the stream of one response, already begun."""

    def __init__(self, answer: Answer, *, reader: FrameReader, speaker: Speaker, watchdog: Watchdog, host: str) -> None:
        self._answer = answer
        self._reader = reader
        self._speaker = speaker
        self._watchdog = watchdog
        self._host = host
        self._now: Callable[[], float] = asyncio.get_running_loop().time
        self._error: UpstreamError | None = None
        self._listener: Listener = nobody
        self._decoded: list[Delta] | Exception | None = None
        self._shown = False
        self._ended = False

    def give_up(self, error: UpstreamError) -> None:
        """Stop reading, now, with this error."""
        self._error = error
        self._answer.give_up(error)

    def listen(self, listener: Listener) -> None:
        """What would wake whoever waits in `read` for a single piece of text is offered to `listener`."""
        self._listener = listener
        self._answer.listen(self._hear)

    async def read(self) -> list[Delta]:
        """What the next read of the wire brought; empty at the end of a whole answer. Raises what cut it."""
        while not self._ended and self._error is None:
            self._watchdog.since = self._now()
            try:
                data = await self._answer.read()
            except HostTimeout:
                break
            except OSError as error:
                deltas = self._end_broken(error)
            else:
                deltas = self._take(data) if data else self._end()
            if deltas:
                self._watchdog.since = 0.0
                if not self._shown or type(deltas[-1]) is Finished:
                    self._take_note(deltas)
                return deltas
        if self._error is not None:
            rest = self._end_silent()
            if rest is None:
                raise self._error
            return rest
        await self._drain()
        return []

    def close(self) -> None:
        """Hang up, unless the body has ended and its connection is free for the next request."""
        self._watchdog.stop()
        self._answer.close()
        # What holds the answer's last frames would keep all of it from being freed, until the collector comes.
        self._listener = nobody
        self._error = self._decoded = None

    def _hear(self, data: bytes) -> bool:
        """Whether nobody need be woken for what came. The connection calls it, and is not to know of errors in it."""
        if self._ended or self._error is not None:
            return False
        try:
            deltas = self._decode(self._reader.feed(data))
            if len(deltas) == 1 and type(delta := deltas[0]) is TextDelta and self._shown and self._error is None:
                heard = self._listener(delta)
            else:
                heard = not deltas and self._error is None
        except Exception as error:
            self._decoded = error
            return False
        if heard:
            self._watchdog.since = self._now()
        else:
            self._decoded = deltas
        return heard

    def _take(self, data: bytes) -> list[Delta]:
        """What was heard and not taken is decoded already, or could not be."""
        decoded, self._decoded = self._decoded, None
        try:
            if isinstance(decoded, Exception):
                raise decoded
            return self._decode(self._reader.feed(data)) if decoded is None else decoded
        finally:
            decoded = None

    def _decode(self, frames: list[Frame]) -> list[Delta]:
        """An error that the stream tells is kept until what came before it has been shown."""
        deltas: list[Delta] = []
        feed = self._speaker.feed
        try:
            if len(frames) == 1:
                return feed(*frames[0])
            for data, event in frames:
                deltas += feed(data, event)
        except UpstreamError as error:
            self._error = error
        return deltas

    def _end(self) -> list[Delta]:
        self._ended = True
        deltas = self._decode(self._reader.close())
        try:
            return deltas if self._error else deltas + self._speaker.close()
        except UpstreamError as error:
            self._error = error
            return deltas

    def _end_silent(self) -> list[Delta] | None:
        """The host was given up: the rest of an answer whose finish had arrived, so that it is whole all the same; None
        of any other.
        """
        if self._ended or not isinstance(self._error, HostTimeout):
            return None
        self._ended = True
        try:
            deltas = self._speaker.close()
        except UpstreamError:
            return None
        self._error = None
        return deltas

    def _end_broken(self, error: Exception) -> list[Delta]:
        """The connection broke. An answer whose finish had arrived is whole all the same."""
        self._ended = True
        try:
            return self._speaker.close()
        except TruncatedAnswer:
            self._error = self._cut(shown=self._shown)
            self._error.__cause__ = error
            return []

    def _cut(self, *, shown: bool) -> UpstreamError:
        if shown:
            text = f"The connection to the host {self._host!r} broke in the middle of its answer. Try again."
            return TruncatedAnswer(text, host=self._host)
        text = f"The host {self._host!r} closed the connection before its answer began. Try again."
        return HostFailed(text, host=self._host)

    def _take_note(self, deltas: list[Delta]) -> None:
        if not self._shown and _shows(deltas):
            self._shown = True
            self._watchdog.answered()
        self._ended = self._ended or isinstance(deltas[-1], Finished)

    async def _drain(self) -> None:
        self._watchdog.stop()
        try:
            async with asyncio.timeout(DRAIN):
                while await self._answer.read():
                    pass
        except (OSError, HostTimeout):
            # The answer is whole; how its body ends is of no concern, nor that it was given up for its silence.
            return


def _shows(deltas: list[Delta]) -> bool:
    return any(not isinstance(delta, Began | Noted) for delta in deltas)
