"""The history of a connection that is a conversation by itself, without a stored chat."""

from parlance.core.ids import TurnId
from parlance.core.messages import Message
from parlance.core.transcript import fold_history
from parlance.engine.estimate import message_tokens
from parlance.engine.turn_state import Turn


class Conversation:
    """Turns in the order of their acceptance.

    `tokens` bounds what is remembered: the oldest turns are forgotten first.
    """

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._turns: dict[TurnId, Turn | tuple[Message, ...]] = {}

    def accept(self, turn: Turn) -> None:
        """Add a turn; one that is here already, since its request came twice, stays where it is."""
        self._turns.setdefault(turn.id, turn)

    def history(self) -> tuple[Message, ...]:
        """What the turns that have ended by now have said.

        One that still runs is left out; it may be in a later history.
        """
        for turn_id, turn in self._turns.items():
            if isinstance(turn, Turn) and turn.ended:
                self._turns[turn_id] = fold_history(turn.log.read())
        self._forget()
        return tuple(message for turn in self._turns.values() if not isinstance(turn, Turn) for message in turn)

    def _forget(self) -> None:
        weights = {
            turn_id: sum(map(message_tokens, turn))
            for turn_id, turn in self._turns.items()
            if not isinstance(turn, Turn)
        }
        left = self._tokens - sum(weights.values())
        for turn_id, weight in weights.items():
            if left >= 0:
                break
            del self._turns[turn_id]
            left += weight
