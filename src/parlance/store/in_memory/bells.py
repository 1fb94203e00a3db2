"""Bells within one process."""

from parlance.core.ids import ChatId, OwnerId, TurnId
from parlance.core.stores.bells import Unsubscribe, Wake
from parlance.core.stores.turns import Word
from parlance.store.acceptance import is_open
from parlance.store.in_memory.shelf import Shelf
from parlance.store.subscribers import DEPARTURES


class InMemoryBells:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def subscribe(self, to: TurnId | ChatId, wake: Wake) -> Unsubscribe:
        return self._shelf.subscribers.add(to, wake)

    def attend(self, owner: OwnerId, wake: Wake) -> Unsubscribe:
        return self._shelf.subscribers.add(owner, wake)

    def await_departures(self, wake: Wake) -> Unsubscribe:
        return self._shelf.subscribers.add(DEPARTURES, wake)

    async def send(self, word: Word) -> bool:
        turn = self._shelf.turns.get(word.turn)
        if turn is None or not is_open(turn.state):
            return False
        self._shelf.words.append(word)
        self._shelf.subscribers.ring((turn.owner,))
        return True

    async def words_for(self, owner: OwnerId) -> tuple[Word, ...]:
        taken = tuple(word for word in self._shelf.words if self._shelf.turns[word.turn].owner == owner)
        self._shelf.words = [word for word in self._shelf.words if word not in taken]
        return taken
