"""How one socket is told turns: each by a task of its own, so that none waits for another."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol

from msgspec import Struct
from starlette.types import Send

from parlance.core.errors import InternalError, SlowFollower
from parlance.core.events import Event
from parlance.core.journal import Follower
from parlance.engine.turn_state import Turn

log = logging.getLogger(__name__)


class Frames(Protocol):
    """A language's fold of one turn. It is fed every event, also those that the client has seen already."""

    def encode(self, number: int, event: Event) -> str | None: ...


class _Told(Struct):
    follower: Follower
    task: "asyncio.Task[None]"


class Telling:
    """`cut` makes the frame for a client that takes nothing while too much is said; its socket is closed behind it."""

    def __init__(self, send: Send, cut: Callable[[SlowFollower, str], str]) -> None:
        self._send = send
        self._cut = cut
        self._told: dict[str, _Told] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._told

    def __len__(self) -> int:
        return len(self._told)

    def begin(self, name: str, turn: Turn, after: int, frames: Frames) -> None:
        """Tell the turn from behind event `after` on; behind its last one, the ending once more.

        What is told under the same name stops first.
        """
        before = self._told.get(name)
        if before is not None:
            before.follower.close()
        said = turn.log.read()[: after - 1 if turn.ended and after == turn.log.head else after]
        for number, event in enumerate(said, 1):
            frames.encode(number, event)
        held = ExitStack()
        follower = held.enter_context(turn.followed(len(said)))
        task = asyncio.create_task(self._tell(name, held, follower, frames, before))
        self._told[name] = _Told(follower, task)

    async def close(self) -> None:
        """The client has left. Returns when nothing is told any more."""
        told = list(self._told.values())
        for one in told:
            one.follower.close()
        if told:
            await asyncio.wait([one.task for one in told])

    async def _tell(self, name: str, held: ExitStack, follower: Follower, frames: Frames, before: _Told | None) -> None:
        try:
            with held:
                if before is not None:
                    await asyncio.wait((before.task,))
                await self._tell_all(name, follower, frames)
        except OSError:
            log.debug("A client left while it was told a turn")
        finally:
            if self._told.get(name) is not None and self._told[name].follower is follower:
                del self._told[name]

    async def _tell_all(self, name: str, follower: Follower, frames: Frames) -> None:
        try:
            async for batch in follower:
                for number, event in enumerate(batch.events, batch.first):
                    frame = frames.encode(number, event)
                    if frame is not None:
                        await self._send({"type": "websocket.send", "text": frame})
        except SlowFollower as error:
            await self._send({"type": "websocket.send", "text": self._cut(error, name)})
            await self._send({"type": "websocket.close", "code": 1013, "reason": error.code})
        except OSError:
            raise
        except Exception:
            log.exception("Telling a turn failed by a bug")
            await self._send({"type": "websocket.close", "code": 1011, "reason": InternalError.code})
