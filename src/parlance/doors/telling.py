"""How one socket is told turns: each by a task of its own, so that none waits for another."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

from msgspec import Struct
from starlette.types import Send

from parlance.core.errors import CursorExpired, InternalError, SlowFollower
from parlance.core.events import Event, TurnEnded
from parlance.core.ids import Epoch, TurnId
from parlance.core.journal import Follower
from parlance.core.snapshot import Snapshot, fold_snapshot
from parlance.doors.serving import place_of
from parlance.doors.visit import SayAtOnce
from parlance.engine.view import TurnView

log = logging.getLogger(__name__)


class Frames(Protocol):
    """A language's fold of one turn. It is fed every event that is kept, also those that the client has seen already.

    `snapshot`: the frame for a cursor that can't be served, with as much as the client may see, and the number to go
    on from.
    """

    def encode(self, number: int, event: Event) -> str | None: ...

    def renumber(self, epoch: Epoch) -> None: ...

    def snapshot(self, number: int, snapshot: Snapshot) -> str: ...


class _Told(Struct):
    """`sent`: the number of the last event that was told. `waiting`: for which number to be told, and who waits.
    `held`: all but the ending was told, which has to wait.
    """

    turn: TurnView
    follower: Follower
    sent: int
    waiting: list[tuple[int, "asyncio.Future[None]"]]
    held: bool = False
    task: "asyncio.Task[None] | None" = None

    def stop(self) -> None:
        """Tell no more than what is being said just now."""
        self.follower.close()
        if self.held and self.task is not None:
            # Whoever lets endings be told may be waiting for what comes behind this.
            self.task.cancel()

    def have_sent(self, number: int) -> None:
        self.sent = number
        for wanted, told in self.waiting:
            if wanted <= number and not told.done():
                told.set_result(None)

    async def until(self, number: int) -> None:
        """Returns when the event of this number was told, or nothing is told any more."""
        if self.sent >= number or self.task is None:
            return
        told = asyncio.get_running_loop().create_future()
        self.waiting.append((number, told))
        await asyncio.wait((told, self.task), return_when=asyncio.FIRST_COMPLETED)
        self.waiting.remove((number, told))


class _Tale(Struct):
    told: _Told
    frames: Frames
    first: Sequence[str]
    heard: Callable[[TurnId], None] | None


class Telling:
    """`cut` makes the frame for a client that takes nothing while too much is said; its socket is closed behind it.

    It must not hold what holds this: a socket that was left should be gone at once, with all that it remembers.
    """

    def __init__(self, send: Send, cut: Callable[[SlowFollower, str], str], at_once: SayAtOnce | None = None) -> None:
        self._send = send
        self._at_once = at_once
        self._cut = cut
        self._told: dict[str, _Told] = {}
        self._holding = 0
        self._may_end = asyncio.Event()
        self._may_end.set()

    def __contains__(self, name: str) -> bool:
        return name in self._told

    def __len__(self) -> int:
        return len(self._told)

    def begin(
        self,
        name: str,
        turn: TurnView,
        after: str | None,
        frames: Frames,
        first: Sequence[str] = (),
        heard: Callable[[TurnId], None] | None = None,
    ) -> None:
        """Say `first`, then tell the turn from behind the cursor `after` on; behind its last event, the ending once
        more. Where the cursor can't be served: a snapshot, and what follows it. `heard` is called once the ending was
        sent.

        What is told under the same name stops first.
        """
        before = self._told.get(name)
        if before is not None:
            before.stop()
        log = turn.log
        try:
            place = place_of(turn, after)
        except CursorExpired:
            place = log.head
            first = (*first, frames.snapshot(place, fold_snapshot(log.read())))
        if turn.ended and place == log.head:
            place -= 1
        for number, event in log.numbered():
            if number > place:
                break
            frames.encode(number, event)
        held = ExitStack()
        # From here on what it has not taken is kept, however long `first` takes to be said.
        follower = held.enter_context(turn.followed(place))
        # A host that never waits has said everything before the task below has its turn.
        follower.excuse()
        told = self._told[name] = _Told(turn, follower, place, [])
        told.task = asyncio.create_task(self._tell(name, held, _Tale(told, frames, first, heard), before))

    @contextmanager
    def endings_held(self) -> Iterator[None]:
        """Meanwhile no turn's ending is told: something comes before it."""
        self._holding += 1
        self._may_end.clear()
        try:
            yield
        finally:
            self._holding -= 1
            if not self._holding:
                self._may_end.set()

    async def caught_up(self) -> None:
        """Returns when everything has been sent that was said by now, but for endings that are held."""
        for told in list(self._told.values()):
            await told.until(told.turn.log.head)

    async def close(self) -> None:
        """The client has left. Returns when nothing is told any more."""
        told = list(self._told.values())
        for one in told:
            one.follower.close()
        if told:
            await asyncio.wait([one.task for one in told if one.task is not None])

    async def _tell(self, name: str, held: ExitStack, tale: _Tale, before: _Told | None) -> None:
        try:
            with held:
                if before is not None and before.task is not None:
                    await asyncio.wait((before.task,))
                for frame in tale.first:
                    await self._send({"type": "websocket.send", "text": frame})
                await self._tell_all(name, tale)
        except OSError:
            log.debug("A client left while it was told a turn")
        finally:
            if self._told.get(name) is tale.told:
                del self._told[name]

    def _hear(self, told: _Told, frames: Frames) -> Callable[[int, Sequence[Event]], bool] | None:
        """How growth is told without waking a task for it."""
        at_once = self._at_once
        if at_once is None:
            return None

        def hear(number: int, events: Sequence[Event]) -> bool:
            # Looked at first, since a fold must not be fed an event twice.
            if not at_once.ready():
                return False
            frame = frames.encode(number, events[0])
            if frame is not None:
                at_once.say(frame)
            told.have_sent(number)
            return True

        return hear

    async def _tell_all(self, name: str, tale: _Tale) -> None:
        told, frames = tale.told, tale.frames
        try:
            if (hear := self._hear(told, frames)) is not None:
                told.follower.listen(hear)
            async for batch in told.follower:
                frames.renumber(told.turn.log.epoch)
                last = batch.first + len(batch.events) - 1
                for number, event in enumerate(batch.events, batch.first):
                    if number == last and type(event) is TurnEnded:
                        told.have_sent(last)
                        told.held = True
                        await self._may_end.wait()
                        told.held = False
                    frame = frames.encode(number, event)
                    if frame is not None:
                        await self._send({"type": "websocket.send", "text": frame})
                told.have_sent(last)
                if tale.heard is not None and type(batch.events[-1]) is TurnEnded:
                    tale.heard(told.turn.id)
        except SlowFollower as error:
            await self._send({"type": "websocket.send", "text": self._cut(error, name)})
            await self._send({"type": "websocket.close", "code": 1013, "reason": error.code})
        except OSError:
            raise
        except Exception:
            log.exception("Telling a turn failed by a bug")
            await self._send({"type": "websocket.close", "code": 1011, "reason": InternalError.code})
