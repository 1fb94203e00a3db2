"""Whether the lines of a file fit together: each belongs to those above it, which an import need not remember."""

from itertools import pairwise

import msgspec

from parlance.core.events import Event
from parlance.store.pieces import Numbered
from parlance.store.porting.lines import (
    AssistantLine,
    ChatLine,
    Line,
    MemoryLine,
    MessageLine,
    ModelCallLine,
    PieceLine,
    SubtenantLine,
    TurnLine,
)

_decode_events = msgspec.json.Decoder(list[Event]).decode
_decode_numbered = msgspec.json.Decoder(list[Numbered]).decode


class Order:
    """Where in the file we are. `take` each line in turn; it says what is wrong with it there."""

    def __init__(self, *, model_calls: bool) -> None:
        self.subtenant: SubtenantLine | None = None
        self.chat: ChatLine | None = None
        self.turn: TurnLine | None = None
        self._model_calls = model_calls
        self._seen: set[str] = set()
        self._logged = 0

    def take(self, line: Line) -> str | None:
        """What is wrong; None: nothing."""
        match line:
            case SubtenantLine():
                return self._take_subtenant(line)
            case AssistantLine(subtenant_id=None):
                return None if self.subtenant is None else "one of the whole service stands before all subtenants"
            case AssistantLine() | MemoryLine():
                return self._not_mine(line.subtenant_id)
            case ChatLine():
                self.chat, self.turn = line, None
                return self._not_mine(line.subtenant_id)
            case ModelCallLine():
                fault = None if self._model_calls else "the first line says that there are no model calls in the file"
                return fault or self._not_mine(line.subtenant_id)
            case TurnLine():
                return self._take_turn(line)
            case PieceLine():
                return self._take_piece(line)
            case MessageLine():
                return self._take_message(line)
            case _:
                return "its kind stands only at a file's beginning or end"

    def _take_subtenant(self, line: SubtenantLine) -> str | None:
        fault = f"$.id {line.id[:80]!r} stands above already" if line.id in self._seen else None
        self._seen.add(line.id)
        self.subtenant, self.chat, self.turn = line, None, None
        return fault

    def _not_mine(self, owner: str | None) -> str | None:
        if self.subtenant is not None and owner == self.subtenant.id:
            return None
        return "$.subtenant_id is not that of the subtenant above"

    def _take_turn(self, line: TurnLine) -> str | None:
        if (fault := self._not_of_chat(line.chat_id)) is not None:
            return fault
        before = 0 if self.turn is None else self.turn.position
        self.turn, self._logged = line, 0
        if line.position <= before:
            return f"$.position must be {before + 1} or more: the chat's turns stand in their order"
        if (line.ended_at is None) != (line.state in ("queued", "running", "waiting")):
            return f"$.ended_at does not fit to the state {line.state!r}"
        return None

    def _take_message(self, line: MessageLine) -> str | None:
        if (fault := self._not_of_chat(line.chat_id)) is not None:
            return fault
        turn = None if self.turn is None else self.turn.id
        if line.turn_id not in (None, turn):
            return "$.turn_id is not that of the turn above"
        if None in (line.host, line.model, line.family) and (line.host, line.model, line.family) != (None, None, None):
            return "$.host, $.model and $.family belong together: all of them are null or none"
        return None

    def _take_piece(self, line: PieceLine) -> str | None:
        if self.turn is None or line.turn_id != self.turn.id:
            return "$.turn_id is not that of the turn above"
        if not self._logged < line.first <= line.last <= self.turn.head:
            return f"$.first and $.last must be in order, from {self._logged + 1} to {self.turn.head}"
        self._logged = line.last
        return _fault_in_events(line)

    def _not_of_chat(self, chat: str) -> str | None:
        if self.chat is not None and chat == self.chat.id:
            return None
        return "$.chat_id is not that of the chat above"


def _fault_in_events(line: PieceLine) -> str | None:
    try:
        if line.lost is None:
            held = len(_decode_events(line.events))
            return None if held == line.last - line.first + 1 else f"$.events are {held}, not those from first to last"
        numbers = [number for number, _ in _decode_numbered(line.events)]
    except (msgspec.DecodeError, RecursionError) as error:
        return f"$.events: {error}"
    whole = [line.first - 1, *numbers, line.last + 1]
    rising = all(before < after for before, after in pairwise(whole))
    return None if rising else "$.events do not bear rising numbers from first to last"
