"""The same request twice is one turn: a client that does not know whether its message arrived may send it again."""

import hashlib
from typing import Self

from msgspec import Struct

from parlance.core.errors import IdempotencyKeyInvalid, IdempotencyKeyReused
from parlance.core.ids import ChatId, KeyId, TurnId
from parlance.core.principal import Principal
from parlance.core.stores.request_keys import RequestKey

LONGEST_KEY = 255

_Place = tuple[str, KeyId, str, str]


class Idempotency(Struct, frozen=True):
    """The client's key for a request, and the hash of what it asked, so that another request under it is noticed."""

    key: str
    fingerprint: bytes

    @classmethod
    def of(cls, key: str | None, asked: bytes) -> Self | None:
        """None without a key. `IdempotencyKeyInvalid` for an empty or overlong one."""
        if key is None:
            return None
        if not 1 <= len(key) <= LONGEST_KEY:
            raise IdempotencyKeyInvalid(
                f"An idempotency key has 1 to {LONGEST_KEY} characters; this one has {len(key)}."
            )
        return cls(key, hashlib.sha256(asked).digest())


def chat_key(principal: Principal, door: str, given: Idempotency, chat: ChatId | None) -> RequestKey:
    """Of a message for a chat; None for a new one, which a client can't name. The same words for another chat are
    another request.
    """
    operation = door if chat is None else f"{door} {chat}"
    return RequestKey(principal.home, principal.key_id, operation, given.key, given.fingerprint)


class KnownRequests:
    """Which turn each key began. Keys of different principals and doors are different keys."""

    def __init__(self) -> None:
        self._turns: dict[_Place, tuple[bytes, TurnId]] = {}
        self._places: dict[TurnId, _Place] = {}

    def find(self, principal: Principal, door: str, given: Idempotency) -> TurnId | None:
        """The turn that this request began before. `IdempotencyKeyReused` when the key began another request."""
        fingerprint, turn = self._turns.get(_place(principal, door, given), (given.fingerprint, None))
        if fingerprint != given.fingerprint:
            raise IdempotencyKeyReused(
                f"The idempotency key {given.key[:80]!r} was used for another message. Use a new one for each."
            )
        return turn

    def add(self, principal: Principal, door: str, given: Idempotency, turn: TurnId) -> None:
        place = _place(principal, door, given)
        self._turns[place] = given.fingerprint, turn
        self._places[turn] = place

    def forget(self, turn: TurnId) -> None:
        place = self._places.pop(turn, None)
        if place is not None:
            del self._turns[place]


def _place(principal: Principal, door: str, given: Idempotency) -> _Place:
    return principal.home, principal.key_id, door, given.key
