"""Turns and the pieces of their logs as rows, both ways."""

from collections.abc import Iterator
from typing import Final

import msgspec

from parlance.core.events import Event
from parlance.core.fault import Fault
from parlance.core.ids import Epoch
from parlance.core.principal import Principal
from parlance.core.stores.turns import Piece, TurnRecord
from parlance.core.usage import Usage
from parlance.store.pieces import Numbered, last_of
from parlance.store.prepared import Values
from parlance.store.rows import Fields
from parlance.store.tables.turns import turns

COLUMNS: Final = (
    turns.c.id,
    turns.c.chat_id,
    turns.c.subtenant_id,
    turns.c.position,
    turns.c.owner,
    turns.c.epoch,
    turns.c.head,
    turns.c.principal,
    turns.c.door,
    turns.c.request_id,
    turns.c.model,
    turns.c.provider,
    turns.c.state,
    turns.c.accepted_at,
    turns.c.ended_at,
    turns.c.finish,
    turns.c.usage,
    turns.c.fault,
    turns.c.former_epochs,
)
"""What `decode_turn` takes: in the order of a record's fields."""

_encode: Final = msgspec.json.Encoder().encode
_decode_principal: Final = msgspec.json.Decoder(Principal).decode
_decode_usage: Final = msgspec.json.Decoder(Usage).decode
_decode_fault: Final = msgspec.json.Decoder(Fault).decode
_decode_events: Final = msgspec.json.Decoder(list[Event]).decode
_decode_numbered: Final = msgspec.json.Decoder(list[Numbered]).decode
_decode_epochs: Final = msgspec.json.Decoder(tuple[tuple[int, Epoch], ...]).decode

PROGRESS: Final = ("head", "state", "ended_at", "finish", "usage", "fault")
"""The columns that change as a turn goes on: what `encode_progress` gives."""

NUMBERING: Final = ("epoch", "former_epochs")
"""Those that change when somebody else goes on with it. They are indexed: to write them costs, also as they are."""


def encode_turn(turn: TurnRecord, asked: bytes) -> Values:
    """The values of a new row."""
    return {
        "id": turn.id,
        "chat_id": turn.chat,
        "subtenant_id": turn.subtenant,
        "position": turn.position,
        "owner": turn.owner,
        "principal": _encode(turn.principal),
        "door": turn.door,
        "request_id": turn.request_id,
        "model": turn.model,
        "provider": turn.provider,
        "asked": asked,
        "accepted_at": turn.accepted_at,
        **encode_numbering(turn),
        **encode_progress(turn),
    }


def encode_numbering(turn: TurnRecord) -> Values:
    """What changes of a turn with its owner."""
    return {
        "epoch": turn.epoch,
        "former_epochs": _encode(turn.former_epochs) if turn.former_epochs else None,
    }


def encode_progress(turn: TurnRecord) -> Values:
    """What changes of a turn after its acceptance."""
    return {
        "head": turn.head,
        "state": turn.state,
        "ended_at": turn.ended_at,
        "finish": turn.finish,
        "usage": None if turn.usage is None else _encode(turn.usage),
        "fault": None if turn.fault is None else _encode(turn.fault),
    }


def decode_turn(row: Fields) -> TurnRecord:
    *rest, finish, usage, fault, former = row
    id, chat, subtenant, position, owner, epoch, head, principal, door, request, model, provider, state, *times = rest
    return TurnRecord(
        id=id,
        chat=chat,
        subtenant=subtenant,
        position=position,
        owner=owner,
        epoch=epoch,
        head=head,
        principal=_decode_principal(principal),
        door=door,
        request_id=request,
        model=model,
        provider=provider,
        state=state,
        accepted_at=times[0],
        ended_at=times[1],
        finish=finish,
        usage=None if usage is None else _decode_usage(usage),
        fault=None if fault is None else _decode_fault(fault),
        former_epochs=() if former is None else _decode_epochs(former),
    )


def encode_piece(piece: Piece) -> Values:
    return {
        "turn_id": piece.turn,
        "first": piece.first,
        "last": last_of(piece),
        "epoch": piece.epoch,
        "lost": None,
        "events": _encode(piece.events),
    }


def encode_numbered(events: list[Numbered]) -> bytes:
    """What is left of events that were trimmed."""
    return _encode(events)


def decode_events(first: int, lost: int | None, events: bytes) -> Iterator[Numbered]:
    """The events of a row of `pieces`, with their numbers."""
    if lost is None:
        return enumerate(_decode_events(events), first)
    return iter(_decode_numbered(events))
