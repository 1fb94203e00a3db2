"""Changes of many turns in one transaction: what each asks for is decided in their order, and all of it is written
together.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, assert_never

from msgspec import Struct, structs
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.errors import AlreadyExists, AssistantNotFound, ParlanceError
from parlance.core.ids import Epoch, TurnId
from parlance.core.stores import Reach
from parlance.core.stores.chats import Chat, NewChat
from parlance.core.stores.turns import Accepted, Ending, NewTurn, Piece, TurnRecord
from parlance.store.acceptance import begun_turn, belongs, check_policy, check_repeated, turn_not_found
from parlance.store.chats import chat_not_found
from parlance.store.closing import interrupted_ending
from parlance.store.gains import Gains
from parlance.store.known import Known, KnownChat, KnownKey, name_of
from parlance.store.rows import subtenant_not_found


class Pieces(Struct, frozen=True):
    pieces: Sequence[Piece]


class Change(Struct, frozen=True):
    turn: TurnId
    epoch: Epoch
    state: Literal["running", "waiting"]


class Disowned(Struct, frozen=True):
    """A turn that may have been accepted, and whose asker has left: nobody will ever run it. `missed_since`: when it
    was not there for the first time.
    """

    new: NewTurn
    missed_since: float | None = None


Ask = NewTurn | Pieces | Ending | Change | Disowned
Told = Accepted | TurnRecord | frozenset[TurnId] | None
"""What comes of an ask: a turn's acceptance, its end, the turns that were passed over, or nothing to tell."""


async def write_group(
    connection: AsyncConnection, asks: Sequence[Ask], *, contested: bool
) -> tuple[list[Told | Exception], set[str]]:
    """What came of each ask, in their order, once the transaction is committed; and which turns and chats changed.

    An ask that can't be done is told its error, and the others are done nonetheless. `contested`: another process was
    at the same rows a moment ago.
    """
    known, gains = Known(contested=contested), Gains()
    accepts = [ask for ask in asks if isinstance(ask, NewTurn)]
    if accepts:
        await known.read_for(connection, accepts)
    begun = {new.id for new in accepts}
    changed = {turn for ask in asks for turn in _turns_of(ask)} - begun
    if changed:
        await known.lock(connection, changed)
    told = [_decide(ask, known, gains) for ask in asks]
    await gains.write(connection)
    return told, gains.rung


def _turns_of(ask: Ask) -> tuple[TurnId, ...]:
    match ask:
        case NewTurn():
            return ()
        case Pieces(pieces=pieces):
            return tuple(piece.turn for piece in pieces)
        case Ending(piece=piece):
            return (piece.turn,)
        case Change(turn=turn):
            return (turn,)
        case Disowned(new=new):
            return (new.id,)
        case _:
            assert_never(ask)


def _decide(ask: Ask, known: Known, gains: Gains) -> Told | Exception:
    try:
        match ask:
            case NewTurn():
                return _accept(ask, known, gains)
            case Ending():
                return _end(ask, known, gains)
            case Pieces(pieces=pieces):
                return _keep(pieces, known, gains)
            case Change():
                _change(ask, known, gains)
            case Disowned(new=new):
                return _disown(new, known, gains)
            case _:
                assert_never(ask)
    except (ParlanceError, RuntimeError) as error:
        return error
    return None


def _accept(new: NewTurn, known: Known, gains: Gains) -> Accepted:
    before = None if new.key is None else known.keys.get(name_of(new.key))
    if new.key is not None and before is not None:
        check_repeated(new.key, before.fingerprint)
        turn = known.turns.get(before.turn.id, before.turn)
        return Accepted(turn, known.chats[turn.chat].chat, repeated=True)
    found = known.chats.get(new.chat) if new.new_chat is None else _made(new.new_chat, new.reach, known)
    if found is None or new.reach not in (None, found.chat.subtenant_id):
        raise chat_not_found(new.chat)
    ahead = known.open_in(new.chat)
    check_policy(new, ahead)
    found.turns += 1
    turn = begun_turn(new, found.chat.subtenant_id, found.turns, waits=bool(ahead))
    if new.new_chat is not None:
        known.chats[new.chat] = found
        gains.add_chat(found.chat)
    known.turns[turn.id] = turn
    if new.key is not None:
        known.keys[name_of(new.key)] = KnownKey(new.key.fingerprint, turn)
    gains.begin(turn, new)
    return Accepted(turn, found.chat, ahead)


def _made(chat: NewChat, reach: Reach, known: Known) -> KnownChat:
    if not known.has_subtenant(chat.subtenant_id) or reach not in (None, chat.subtenant_id):
        raise subtenant_not_found(chat.subtenant_id)
    chosen = chat.assistant_id
    if chosen is not None and known.assistants.get(chosen, "") not in (None, chat.subtenant_id):
        raise AssistantNotFound(f"There is no assistant {chosen!r}.")
    if chat.id in known.chats:
        raise AlreadyExists(f"There is a chat {chat.id!r} already.")
    now = datetime.now(UTC)
    return KnownChat(Chat(**structs.asdict(chat), created_at=now, updated_at=now), 0)


def _keep(pieces: Sequence[Piece], known: Known, gains: Gains) -> frozenset[TurnId]:
    passed_over: set[TurnId] = set()
    for piece in pieces:
        turn = known.turns.get(piece.turn)
        if turn is not None and belongs(turn, piece.epoch):
            known.turns[turn.id] = gains.keep(turn, piece)
        else:
            passed_over.add(piece.turn)
    return frozenset(passed_over)


def _end(ending: Ending, known: Known, gains: Gains) -> TurnRecord:
    turn = known.turns.get(ending.piece.turn)
    if turn is None:
        raise turn_not_found(ending.piece.turn)
    if belongs(turn, ending.piece.epoch):
        turn = known.turns[turn.id] = gains.end(turn, ending)
    return turn


def _change(change: Change, known: Known, gains: Gains) -> None:
    turn = known.turns.get(change.turn)
    if turn is not None and belongs(turn, change.epoch):
        known.turns[turn.id] = gains.change(structs.replace(turn, state=change.state))


def _disown(new: NewTurn, known: Known, gains: Gains) -> TurnRecord | None:
    turn = known.turns.get(new.id)
    if turn is not None and belongs(turn, new.epoch) and turn.head == 1:
        turn = known.turns[turn.id] = gains.end(turn, interrupted_ending(turn, (new.started,)))
    return turn
