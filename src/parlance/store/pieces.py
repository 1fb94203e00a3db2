"""Pieces of logs: what of them is new, whose numbers they bear, and what stays of them when they are trimmed. Pure."""

from collections.abc import Iterable

from msgspec import structs

from parlance.core.events import GROWTH, Event, PartOpened
from parlance.core.ids import Epoch
from parlance.core.stores.turns import Piece, TurnRecord

Numbered = tuple[int, Event]


def last_of(piece: Piece) -> int:
    """The number of its last event; one less than `first` where it has none."""
    return piece.first + len(piece.events) - 1


def behind(head: int, piece: Piece) -> Piece:
    """What of the piece is not kept yet, where the log is kept up to the number `head`: who was not told that it is
    keeps it again, together with what came since. `RuntimeError` for a hole: later nobody could tell that there is one.
    """
    if piece.first > head + 1:
        raise RuntimeError(f"Of turn {piece.turn} events {head + 1} to {piece.first - 1} were never kept.")
    kept = head + 1 - piece.first
    return structs.replace(piece, first=head + 1, events=piece.events[kept:]) if kept else piece


def renumbered(turn: TurnRecord, epoch: Epoch) -> TurnRecord:
    """The turn as another one has it who goes on with it, or ends it, behind what is kept."""
    if epoch == turn.epoch:
        return turn
    return structs.replace(turn, epoch=epoch, former_epochs=(*turn.former_epochs, (turn.head, turn.epoch)))


def trimmed(events: Iterable[Numbered]) -> tuple[list[Numbered], int]:
    """What stays of a log without openings and growth, and the last number that is gone; 0 if none is."""
    left: list[Numbered] = []
    lost = 0
    for number, event in events:
        if isinstance(event, (PartOpened, *GROWTH)):
            lost = number
        else:
            left.append((number, event))
    return left, lost
