"""The history of a connection that is a conversation by itself, without a stored chat."""

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from parlance.core.estimate import message_tokens
from parlance.core.ids import TurnId
from parlance.core.messages import Message
from parlance.core.transcript import fold_history
from parlance.engine.view import TurnView


class _Said(Struct, frozen=True):
    messages: tuple[Message, ...]
    weight: int


class Conversation:
    """Turns in the order of their acceptance.

    `tokens` bounds what is remembered: the oldest turns are forgotten first.
    """

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._turns: dict[TurnId, TurnView | _Said] = {}
        self._system = _said(())

    def accept(self, turn: TurnView) -> None:
        """Add a turn; one that is here already, since its request came twice, stays where it is."""
        self._turns.setdefault(turn.id, turn)

    def replace(self, messages: Sequence[Message]) -> None:
        """Forget all, and remember these messages instead. System messages among them come first from now on, and are
        never forgotten.
        """
        self._system = _said([message for message in messages if message.role == "system"])
        rest = [message for message in messages if message.role != "system"]
        starts = [0, *(index for index, message in enumerate(rest) if message.role == "user" and index), len(rest)]
        self._turns = {TurnId(f"given-{begin}"): _said(rest[begin:end]) for begin, end in pairwise(starts)}

    def history(self) -> tuple[Message, ...]:
        """What the turns that have ended by now have said.

        One that still runs is left out; it may be in a later history.
        """
        for turn_id, turn in self._turns.items():
            if not isinstance(turn, _Said) and turn.ended:
                self._turns[turn_id] = _said(fold_history(turn.log.read()))
        self._forget()
        said = (turn for turn in self._turns.values() if isinstance(turn, _Said))
        return (*self._system.messages, *(message for turn in said for message in turn.messages))

    def _forget(self) -> None:
        said = [(turn_id, turn.weight) for turn_id, turn in self._turns.items() if isinstance(turn, _Said)]
        left = self._tokens - self._system.weight - sum(weight for _, weight in said)
        for turn_id, weight in said:
            if left >= 0:
                break
            del self._turns[turn_id]
            left += weight


def _said(messages: Sequence[Message]) -> _Said:
    # Weighed once, since the history is asked for with every message.
    return _Said(tuple(messages), sum(map(message_tokens, messages)))
