"""Logs of stored turns: told from memory as live ones are, and kept in the stores in groups, behind or before that."""

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from parlance.core.errors import NotStored, StorageUnavailable, TurnInterrupted, TurnNotFound
from parlance.core.events import Event, TurnEnded
from parlance.core.ids import Epoch, TurnId
from parlance.core.stores.turns import Ending, KeptEvents, Piece, State, TurnRecord, Turns
from parlance.core.transcript import fold_messages
from parlance.journal.memory import MemoryJournal, MemoryLog, Readers

log = logging.getLogger(__name__)


WINDOW = 8 << 20
"""Some 50,000 words: an answer may be taken up from its first word, however much of it has been said."""


_Owned = tuple[TurnId, Epoch]
"""A turn as one owner has it."""


class Keeping(Struct, frozen=True):
    """`grouped`: told at once and kept within `delay` seconds; `strict`: kept, then told. `patience`: seconds that an
    ending waits for a database that is away. `again`: seconds between two tries.
    """

    durability: Literal["grouped", "strict"] = "grouped"
    delay: float = 0.03
    patience: float = 5.0
    again: float = 0.5


class StoredJournal:
    """Opens logs that are kept, in the memory of another journal, which counts their readers.

    One task keeps what all of them have gained since it last looked, in one go.
    """

    def __init__(self, memory: MemoryJournal, turns: Turns, keeping: Keeping, *, window: int = WINDOW) -> None:
        """`window`: bytes of a log's newest events that are told one by one from memory."""
        self._memory = memory
        self._window = window
        self._keeper = _Keeper(turns, keeping)

    def open(self, turn: TurnId, epoch: Epoch, begun: Sequence[Event]) -> "StoredLog":
        opened = StoredLog(turn, epoch, self._memory.readers, self._window, self._keeper)
        opened.begin(begun)
        return self._memory.add(opened)

    def reopen(self, kept: KeptEvents, epoch: Epoch) -> "StoredLog":
        opened = StoredLog(kept.turn.id, epoch, self._memory.readers, self._window, self._keeper)
        opened.begin_again(kept)
        return self._memory.add(opened)

    def drop(self, turn: TurnId) -> None:
        self._memory.drop(turn)

    def restore(self, kept: KeptEvents) -> MemoryLog:
        restored = MemoryLog(kept.turn.id, kept.turn.epoch, self._memory.readers, sys.maxsize)
        restored.restore(kept.events, kept.lost, kept.epochs)
        return restored

    def tell_state(self, turn: TurnId, epoch: Epoch, state: State) -> None:
        self._keeper.tell_state(turn, epoch, state)

    def when_lost(self, turn: TurnId, act: Callable[[], object]) -> None:
        log = self._memory.find(turn)
        if isinstance(log, StoredLog):
            log.when_lost = act

    async def close(self) -> None:
        await self._keeper.close()


class StoredLog(MemoryLog):
    """`_unkept` are its newest events, which no commit has covered; of a strict log nobody was told them either."""

    def __init__(self, turn: TurnId, epoch: Epoch, readers: Readers, window: int, keeper: "_Keeper") -> None:
        super().__init__(turn, epoch, readers, window)
        self._keeper = keeper
        self._strict = keeper.keeping.durability == "strict"
        self._unkept: list[Event] = []
        self._kept = 0
        self._changed = False
        self._ending = False
        self._on_its_way: asyncio.Future[None] | None = None
        self._securing: list[tuple[int, asyncio.Future[None]]] = []
        self._lost = False
        self.when_lost: Callable[[], object] = _nothing

    def begin(self, events: Sequence[Event]) -> None:
        """Events that were kept when the turn was accepted."""
        super().append(events)
        self._kept = self.head

    def begin_again(self, kept: KeptEvents) -> None:
        """With what another process had kept."""
        self.restore(kept.events, kept.lost, kept.epochs)
        self._kept = self.head

    def append(self, events: Sequence[Event]) -> None:
        if not events:
            return
        if self._ending:
            raise RuntimeError(f"Turn {self.turn} has ended: {type(events[0]).__name__} comes too late.")
        if self._lost:
            return
        if not self._strict:
            super().append(events)
        self._unkept += events
        if not self._changed:
            self._changed = True
            self._keeper.changed(self)

    async def end(self, ended: TurnEnded) -> TurnEnded:
        self._ending = True
        if self._on_its_way is not None:
            await asyncio.wait((self._on_its_way,))
        told = await self._keeper.end(self._encode_ending(ended), self.when_lost)
        untold = self._unkept if self._strict else []
        super().append((*untold, told))
        self._unkept = []
        self._kept = self.head
        not_stored = told.fault is not None and told.fault.code == NotStored.code
        self._secure(lost="The database does not answer." if not_stored else None)
        return told

    async def secured(self) -> None:
        if self._unkept:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._securing.append((self._kept + len(self._unkept), future))
            await future

    def take(self) -> Piece | None:
        """What is to be kept now. Until `kept` or `missed` is called it stays as it is."""
        self._changed = False
        if self._ending or not self._unkept:
            return None
        self._on_its_way = asyncio.get_running_loop().create_future()
        return Piece(self.turn, self.epoch, self._kept + 1, tuple(self._unkept))

    def kept(self, piece: Piece) -> None:
        self._kept += len(piece.events)
        del self._unkept[: len(piece.events)]
        if self._strict:
            super().append(piece.events)
        self._arrived()
        self._secure()

    def missed(self, why: str) -> None:
        """It was not kept, and has to be taken again."""
        self._arrived()
        self._secure(lost=why)
        if not self._changed:
            self._changed = True
            self._keeper.changed(self)

    def passed_over(self) -> None:
        """Somebody else has ended it, or goes on with it."""
        self._lost = True
        self._unkept = []
        self._arrived()
        self._secure(lost="Another server goes on with it, as this one was taken for dead.")
        self.when_lost()

    def _secure(self, *, lost: str | None = None) -> None:
        """Tell those who wait for what is kept by now; or all of them, why it is not."""
        waiting, self._securing = self._securing, []
        for number, future in waiting:
            if future.cancelled():
                continue
            if lost is not None:
                future.set_exception(StorageUnavailable(lost))
            elif number <= self._kept:
                future.set_result(None)
            else:
                self._securing.append((number, future))

    def _arrived(self) -> None:
        if self._on_its_way is not None:
            self._on_its_way.set_result(None)
            self._on_its_way = None

    def _encode_ending(self, ended: TurnEnded) -> Ending:
        said = list(self.read())
        if self._strict:
            said += self._unkept
        piece = Piece(self.turn, self.epoch, self._kept + 1, (*self._unkept, ended))
        return Ending(piece, ended, fold_messages(said))


class _Keeper:
    """Keeps what logs have gained, all of them at once; nothing is begun, locked or looked up for one event."""

    def __init__(self, turns: Turns, keeping: Keeping) -> None:
        self.keeping = keeping
        self._turns = turns
        self._logs: list[StoredLog] = []
        self._states: dict[_Owned, State] = {}
        self._late: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._away = False

    def changed(self, changed: StoredLog) -> None:
        self._logs.append(changed)
        self._begin()

    def tell_state(self, turn: TurnId, epoch: Epoch, state: State) -> None:
        self._states[turn, epoch] = state
        self._begin()

    async def end(self, ending: Ending, lost: Callable[[], object]) -> TurnEnded:
        """The ending as it is kept, or one that says that it could not be. `lost` is called where it was not this
        owner's to end any more.
        """
        self._states.pop((ending.piece.turn, ending.piece.epoch), None)
        loop = asyncio.get_running_loop()
        until = loop.time() + self.keeping.patience
        while True:
            try:
                kept = await self._turns.end(ending)
                if kept.epoch != ending.piece.epoch:
                    lost()
                return _ending_of(kept, ending.ended)
            except TurnNotFound:
                # Its chat was deleted meanwhile: who still listens is told how it ended.
                return ending.ended
            except StorageUnavailable as error:
                if loop.time() >= until or self._closing:
                    return self._end_late(ending, error)
            await asyncio.sleep(self.keeping.again)

    async def close(self) -> None:
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        for task in self._late:
            task.cancel()
        if self._late:
            await asyncio.wait(self._late)

    def _begin(self) -> None:
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="keeping stored turns")

    async def _run(self) -> None:
        while not (self._closing and not self._logs and not self._states):
            await self._wake.wait()
            if self.keeping.durability == "grouped" and not self._closing:
                await asyncio.sleep(self.keeping.delay)
            self._wake.clear()
            if not await self._keep() and self._closing:
                return

    async def _keep(self) -> bool:
        taken = [(changed, piece) for changed in self._logs if (piece := changed.take()) is not None]
        states, self._states = self._states, {}
        self._logs = []
        try:
            lost = await self._turns.keep([piece for _, piece in taken]) if taken else frozenset()
            # All at once: they go into one transaction.
            await asyncio.gather(
                *(
                    self._turns.state(turn, epoch, "waiting" if state == "waiting" else "running")
                    for (turn, epoch), state in states.items()
                )
            )
        except StorageUnavailable as error:
            self._miss(taken, states, error.message)
            await self._wait(error)
            return False
        except Exception:
            log.exception("Keeping turns failed by a bug")
            self._miss(taken, states, "That failed by a bug, and is tried again.")
            await asyncio.sleep(self.keeping.again)
            return False
        for changed, piece in taken:
            if piece.turn in lost:
                changed.passed_over()
            else:
                changed.kept(piece)
        self._away = False
        return True

    def _miss(self, taken: "Sequence[tuple[StoredLog, Piece]]", states: Mapping[_Owned, State], why: str) -> None:
        """All of it is tried again, but for states that have changed since."""
        for changed, _ in taken:
            changed.missed(why)
        self._states = {**states, **self._states}
        if self._states:
            self._wake.set()

    async def _wait(self, error: StorageUnavailable) -> None:
        if not self._away:
            log.warning("What turns say can't be kept for now, and waits in memory: %s", error.message)
        self._away = True
        if not self._closing:
            await asyncio.sleep(self.keeping.again)

    def _end_late(self, ending: Ending, error: StorageUnavailable) -> TurnEnded:
        ended = ending.ended
        fault = NotStored(f"The answer was shown, and could not be kept: {error.message}").fault()
        told = TurnEnded("incomplete", ended.finish, ended.usage, fault)
        log.error("The ending of turn %s could not be kept in time; it is tried again", ending.piece.turn)
        late = Ending(
            Piece(ending.piece.turn, ending.piece.epoch, ending.piece.first, (*ending.piece.events[:-1], told)),
            told,
            ending.messages,
        )
        if not self._closing:
            task = asyncio.create_task(self._keep_late(late), name="keeping a late ending")
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        return told

    async def _keep_late(self, ending: Ending) -> None:
        """As it was told, once the database is back; whoever sweeps up after the dead may come first."""
        while True:
            await asyncio.sleep(self.keeping.again)
            try:
                await self._turns.end(ending)
            except StorageUnavailable:
                continue
            except TurnNotFound:
                log.debug("A turn was gone before its ending could be kept")
            return


def _nothing() -> None:
    """What most of those do who hear that they lost a turn."""


def _ending_of(kept: TurnRecord, told: TurnEnded) -> TurnEnded:
    """Somebody else may have ended it, since they took this process for dead."""
    match kept.state:
        case "queued" | "running" | "waiting":
            # Nothing of what was told since is in the chat, and the turn has another end to come.
            fault = TurnInterrupted("Another server went on with this turn, as this one was taken for dead.").fault()
            return TurnEnded("incomplete", None, told.usage, fault)
        case status:
            return told if status == told.status else TurnEnded(status, kept.finish, kept.usage, kept.fault)
