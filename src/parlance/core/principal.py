"""Who is asking, what they may see, and what a door knows of a caller before it trusts it."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from parlance.core.ids import KeyId

Scope = Literal["admin", "service", "subtenant"]
"""`admin` may do everything; `service` acts for every subtenant; `subtenant` for one."""

DEFAULT_SUBTENANT = "default"
"""Where things belong that a principal without a subtenant makes."""


class Principal(Struct, frozen=True):
    """The caller of one request, as its key says. `models` are the only names it may use; None is no limit."""

    scope: Scope
    key_id: KeyId
    subtenant: str | None = None
    models: tuple[str, ...] | None = None

    @property
    def home(self) -> str:
        """The subtenant that what this principal makes belongs to."""
        return self.subtenant or DEFAULT_SUBTENANT

    @property
    def reach(self) -> str | None:
        """The only subtenant whose things are its to see and change; None: every one."""
        return self.home if self.scope == "subtenant" else None

    def acting_for(self, subtenant: str) -> "Principal":
        """The same key, narrowed to one subtenant."""
        return Principal("subtenant", self.key_id, subtenant, self.models)

    def may_see(self, subtenant: str) -> bool:
        """Whether what belongs to `subtenant` is this principal's to see. What is not is told as not found."""
        return self.scope != "subtenant" or self.home == subtenant

    def may_use(self, model: str) -> bool:
        return self.models is None or model in self.models


LOCAL_ADMIN = Principal(scope="admin", key_id=KeyId("local"))
"""Loopback with no keys configured: the person at this machine."""


class Caller(Struct, frozen=True):
    """What is known of a connection from outside.

    `headers` by lower-case name, doubled ones joined by `, `. `peer` is the client's address (None over a Unix socket).
    """

    headers: Mapping[str, str]
    peer: str | None
    method: str
    path: str


class Gate(Protocol):
    """Who may come in. Never reads a query string."""

    def check_site(self, caller: Caller) -> None:
        """Refuse a Host or an Origin that is not ours: `HostRefused`, `OriginRefused`.

        Checked before anything else, on every method.
        """
        ...

    def cors_headers(self, caller: Caller) -> Sequence[tuple[bytes, bytes]]:
        """What lets an allowed page read the answer, preflight answers included; added to every answer, errors too."""
        ...

    def authenticate(self, caller: Caller) -> Principal:
        """The principal by the key in the headers (or, at a socket, in the subprotocols).

        `KeyMissing`, `KeyInvalid`.
        """
        ...

    def authenticate_key(self, key: str) -> Principal:
        """The principal by a key that was given in a first frame. `KeyInvalid`."""
        ...
