"""All sessions, in memory: made, found again by their principal, and forgotten when nobody needs them."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from parlance.core.errors import Overloaded, SessionNotFound, TooManyAtOnce
from parlance.core.ids import ChatId, TurnId
from parlance.core.principal import Principal
from parlance.dialects.json_rpc.commands import Opening
from parlance.doors.json_rpc.session import Listener, Session


class SessionLimits(Struct, frozen=True):
    """`idle`: seconds that a session is kept without an open socket. `total`: sessions of all principals."""

    idle: float = 86_400.0
    per_principal: int = 1_000
    total: int = 5_000
    history_tokens: int = 100_000


class Sessions:
    """A principal's sessions stand in the order in which they were left."""

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._of: dict[Principal, dict[str, Session]] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._count = 0

    def create(self, principal: Principal, opening: Opening, chat: ChatId | None = None) -> Session:
        """A new session. Where there are too many, the one that was left alone the longest goes: of the principal's
        own, and where all have too many, of whoever has the most. When all are in use: `TooManyAtOnce`, `Overloaded`.
        """
        if len(own := self._of.get(principal, {})) >= self._limits.per_principal:
            self._make_room(own)
        elif self._count >= self._limits.total:
            self._make_room_for_all()
        session = Session(secrets.token_hex(16), principal, opening, self._limits.history_tokens, chat)
        self._of.setdefault(principal, {})[session.id] = session
        self._count += 1
        self._expire_later(session)
        return session

    def find(self, session_id: str, principal: Principal) -> Session:
        """`SessionNotFound` also for one that is another principal's."""
        session = self._of.get(principal, {}).get(session_id)
        if session is None:
            raise SessionNotFound(
                f"There is no session {session_id[:80]!r}. Make one by POST /create_session; it is kept for "
                f"{self._limits.idle:g} s after its last connection."
            )
        return session

    def heard(self, session_id: str, principal: Principal, turn_id: TurnId) -> None:
        """The turn's ending was sent to a socket of the session, if that is still there."""
        session = self._of.get(principal, {}).get(session_id)
        if session is not None:
            session.heard(turn_id)

    @contextmanager
    def visited(self, session: Session, listener: Listener) -> Iterator[None]:
        """While a socket is open the session is kept."""
        session.listeners.add(listener)
        if session.id in self._expiries:
            self._expiries.pop(session.id).cancel()
        try:
            yield
        finally:
            session.listeners.discard(listener)
            if not session.listeners:
                own = self._of[session.principal]
                own[session.id] = own.pop(session.id)
                self._expire_later(session)

    def _make_room(self, own: dict[str, Session]) -> None:
        left_alone = _left_alone(own)
        if left_alone is None:
            raise TooManyAtOnce(
                f"{len(own)} sessions of this key are in use, which is the limit. Close a connection first.",
                limit="per_key.sessions",
            )
        self._forget(left_alone)

    def _make_room_for_all(self) -> None:
        by_number = sorted(self._of.values(), key=len, reverse=True)
        left_alone = next((found for own in by_number if (found := _left_alone(own)) is not None), None)
        if left_alone is None:
            raise Overloaded(
                f"{self._count} sessions are in use, which is this server's limit. Try again in a moment.",
                limit="sessions",
            )
        self._forget(left_alone)

    def _expire_later(self, session: Session) -> None:
        loop = asyncio.get_running_loop()
        self._expiries[session.id] = loop.call_later(self._limits.idle, self._forget, session)

    def _forget(self, session: Session) -> None:
        self._expiries.pop(session.id).cancel()
        own = self._of[session.principal]
        del own[session.id]
        self._count -= 1
        if not own:
            del self._of[session.principal]


def _left_alone(own: dict[str, Session]) -> Session | None:
    return next((session for session in own.values() if session.idle), None)
