"""A chat's messages slice by slice, each in a short transaction: for one alone a chat may be too long."""

from collections.abc import Sequence
from itertools import chain
from typing import Final

from sqlalchemy import bindparam, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from parlance.core.ids import ChatId, TurnId
from parlance.core.stores.messages import StoredMessage
from parlance.core.stores.turns import State
from parlance.store.message_rows import COLUMNS, decode_message
from parlance.store.rows import Fields
from parlance.store.tables.messages import messages
from parlance.store.tables.turns import turns

FIRST: Final = 1_024
"""Messages of the first slice: more than nearly all chats have."""

NEXT: Final = 512
"""Messages of each other."""

BEYOND: Final = 2**31 - 1
"""No turn has this position."""

_PLACE: Final = (messages.c.position, messages.c.seq)
PLACED: Final = select(*COLUMNS, *_PLACE).where(messages.c.chat_id == bindparam("chat"))
"""What `decode_placed` takes."""


class Slices:
    """The messages of turns before a position, read from the newest back.

    An answer may come into the middle of a chat, where turns overlap. Read this way, whatever was there when a message
    was kept is read with it or behind it: what comes meanwhile leaves no hole.
    """

    def __init__(self, chat: ChatId, before: int = BEYOND) -> None:
        self.more = True
        self._chat = chat
        self._place = (before, 0)
        self._size = FIRST
        self._rows: Sequence[Fields] = ()
        self._not_completed: dict[TurnId, State] = {}
        self._decoded: list[list[StoredMessage]] = []

    @property
    def begun(self) -> bool:
        return self._place[1] > 0

    async def fetch(self, connection: AsyncConnection) -> None:
        """The next slice. Whoever calls sees to it that the chat is there still."""
        position, seq = self._place
        wanted = {"chat": self._chat, "position": position, "seq": seq, "size": self._size}
        self._rows = (await connection.execute(_SLICE, wanted)).all()
        self._not_completed = await read_states(connection, self._chat, self._rows)
        self.more = len(self._rows) == self._size
        if self.more:
            self._place, self._size = tuple(self._rows[-1][-2:]), NEXT

    def decode(self) -> None:
        """What was fetched, once the transaction is over."""
        self._decoded.append([decode_placed(self._chat, row, self._not_completed) for row in reversed(self._rows)])
        self._rows = ()

    def in_order(self) -> tuple[StoredMessage, ...]:
        """Oldest first."""
        return tuple(chain.from_iterable(reversed(self._decoded)))


async def read_states(connection: AsyncConnection, chat: ChatId, rows: Sequence[Fields]) -> dict[TurnId, State]:
    """Those of the rows' turns that are not completed, which nearly all are: to fetch the others is much quicker than
    to join a turn to each message.
    """
    if not rows:
        return {}
    first, last = sorted((rows[0][-2], rows[-1][-2]))
    found = await connection.execute(_NOT_COMPLETED, {"chat": chat, "first": first, "last": last})
    return {row[0]: row[1] for row in found}


def decode_placed(chat: ChatId, row: Fields, not_completed: dict[TurnId, State]) -> StoredMessage:
    return decode_message(chat, row[:-2], not_completed)


_SLICE: Final = (
    PLACED.where(tuple_(*_PLACE) < tuple_(bindparam("position"), bindparam("seq")))
    .order_by(messages.c.position.desc(), messages.c.seq.desc())
    .limit(bindparam("size"))
)
_NOT_COMPLETED: Final = select(turns.c.id, turns.c.state).where(
    turns.c.chat_id == bindparam("chat"),
    turns.c.position.between(bindparam("first"), bindparam("last")),
    turns.c.state != "completed",
)
