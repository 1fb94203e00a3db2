"""The history of a connection that is a conversation by itself, without a stored chat."""

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
        self._turns: list[Turn | tuple[Message, ...]] = []

    def accept(self, turn: Turn) -> None:
        """Add a turn; one that is here already, since its request came twice, stays where it is."""
        if turn not in self._turns:
            self._turns.append(turn)

    def history(self) -> tuple[Message, ...]:
        """What the turns that have ended by now have said.

        One that still runs is left out; it may be in a later history.
        """
        self._turns = [
            fold_history(turn.log.read()) if isinstance(turn, Turn) and turn.ended else turn for turn in self._turns
        ]
        self._forget()
        return tuple(message for turn in self._turns if not isinstance(turn, Turn) for message in turn)

    def _forget(self) -> None:
        weights = [0 if isinstance(turn, Turn) else sum(map(message_tokens, turn)) for turn in self._turns]
        while sum(weights) > self._tokens:
            oldest = next(index for index, weight in enumerate(weights) if weight)
            del self._turns[oldest], weights[oldest]
