"""How a process learns that a turn of another one has grown or ended, or that it is asked something itself."""

from collections.abc import Callable
from typing import Protocol

from parlance.core.ids import ChatId, OwnerId, TurnId
from parlance.core.stores.turns import Word

Wake = Callable[[], None]
Unsubscribe = Callable[[], None]


class Bells(Protocol):
    """A bell says that it is time to look, not what there is to see: that stands in the stores.

    It may ring for nothing, and rings within two seconds even where what carries it is down.
    """

    def subscribe(self, to: TurnId | ChatId, wake: Wake) -> Unsubscribe:
        """`wake` is called on the event loop when events or the end of this turn, or a new turn of this chat or the end
        of one, may have been kept, by any process.
        """
        ...

    def attend(self, owner: OwnerId, wake: Wake) -> Unsubscribe:
        """`wake` is called on the event loop when there may be words for this process."""
        ...

    def await_departures(self, wake: Wake) -> Unsubscribe:
        """`wake` is called on the event loop when a process may have given back its lease: what it left waiting is for
        others to go on with.
        """
        ...

    async def send(self, word: Word) -> bool:
        """Leave it for whoever runs the turn. False: the turn has ended, or is not there."""
        ...

    async def words_for(self, owner: OwnerId) -> tuple[Word, ...]:
        """Those that nobody has taken yet, in the order they were sent: each is taken once."""
        ...
