"""Who is alive, on a shelf."""

from datetime import datetime

from msgspec import structs

from parlance.core.ids import OwnerId, TurnId, new_epoch
from parlance.core.stores.turns import Piece, TurnRecord
from parlance.net.clock import SYSTEM_CLOCK, Clock
from parlance.store.acceptance import is_open
from parlance.store.closing import interrupted_ending
from parlance.store.in_memory.shelf import Shelf
from parlance.store.in_memory.turns import InMemoryTurns
from parlance.store.pieces import Numbered, last_of, renumbered, trimmed
from parlance.store.subscribers import DEPARTURES


class InMemoryLeases:
    def __init__(self, shelf: Shelf, clock: Clock = SYSTEM_CLOCK) -> None:
        self._shelf = shelf
        self._turns = InMemoryTurns(shelf)
        self._clock = clock

    async def hold(self, owner: OwnerId, seconds: float) -> None:
        self._shelf.leases[owner] = self._clock.monotonic() + seconds

    async def release(self, owner: OwnerId) -> None:
        self._shelf.leases.pop(owner, None)
        self._shelf.subscribers.ring((DEPARTURES,))

    async def adopt(self, owner: OwnerId) -> tuple[TurnRecord, ...]:
        adopted = [renumbered(structs.replace(turn, owner=owner), new_epoch()) for turn in self._orphans(waiting=True)]
        self._shelf.turns.update({turn.id: turn for turn in adopted})
        return tuple(adopted)

    async def sweep(self) -> tuple[TurnId, ...]:
        orphans = self._orphans(waiting=False)
        for turn in orphans:
            kept = [event for piece in self._shelf.pieces[turn.id] for event in piece.events]
            self._turns.put_ending(turn, interrupted_ending(turn, kept))
        return tuple(turn.id for turn in orphans)

    def _orphans(self, *, waiting: bool) -> list[TurnRecord]:
        now = self._clock.monotonic()
        alive = {owner for owner, expires in self._shelf.leases.items() if expires > now}
        dead = [turn for turn in self._shelf.turns.values() if is_open(turn.state) and turn.owner not in alive]
        return [turn for turn in dead if (turn.state == "waiting") is waiting]

    async def trim(self, before: datetime) -> int:
        old = [
            turn
            for turn in self._shelf.turns.values()
            if turn.ended_at is not None and turn.ended_at < before and turn.id not in self._shelf.lost
        ]
        for turn in old:
            pieces = self._shelf.pieces[turn.id]
            left, lost = trimmed(item for piece in pieces for item in enumerate(piece.events, piece.first))
            self._shelf.pieces[turn.id] = _in_pieces(left, pieces)
            self._shelf.lost[turn.id] = lost
        return len(old)

    async def forget_keys(self, before: datetime) -> int:
        kept = {name: key for name, key in self._shelf.keys.items() if key.created_at >= before}
        gone = len(self._shelf.keys) - len(kept)
        self._shelf.keys = kept
        return gone


def _in_pieces(left: list[Numbered], before: list[Piece]) -> list[Piece]:
    """One event in each, and an empty one where an epoch's numbers end, since its last event may be gone."""
    pieces: list[Piece] = []
    kept = dict(left)
    for piece in before:
        numbers = range(piece.first, last_of(piece) + 1)
        pieces += [structs.replace(piece, first=number, events=(kept[number],)) for number in numbers if number in kept]
        pieces.append(structs.replace(piece, first=last_of(piece) + 1, events=()))
    return pieces
