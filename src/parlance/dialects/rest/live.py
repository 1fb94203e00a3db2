"""A chat's events as the frames of a WebSocket: what is told is the same as over HTTP."""

import msgspec
from msgspec import Raw, Struct

from parlance.core.errors import InvalidRequest, ParlanceError
from parlance.core.fault import Fault
from parlance.core.ids import TurnId
from parlance.core.json import decode_json
from parlance.core.parts import Part
from parlance.core.snapshot import Snapshot
from parlance.dialects.rest.serve import Told

_encode = msgspec.json.Encoder().encode


class AuthPayload(Struct, frozen=True):
    key: str


class AuthFrame(Struct, frozen=True):
    action: str
    payload: AuthPayload


class Frame(Struct, frozen=True, omit_defaults=True):
    """`event` is the event's name over HTTP; `text` for those that have none there."""

    event: str
    data: Raw
    cursor: str | None = None


class Lost(Struct, frozen=True):
    """What a turn has shown, in place of events that can't be told again."""

    turn_id: str
    parts: tuple[Part, ...]
    status: str


DELETED = Told("deleted", b"{}", None)
"""The last event of a chat that is gone."""


def decode_key(frame: str) -> str:
    """The key of the first frame of a socket that could not set headers. `InvalidJson`, `InvalidRequest`."""
    given = decode_json(frame, AuthFrame)
    if given.action != "auth":
        raise InvalidRequest("$.action: The first frame signs in: it is `auth`.")
    return given.payload.key


def encode_frame(told: Told) -> str:
    return _encode(Frame(told.name or "text", Raw(told.data), told.cursor)).decode()


def encode_lost(turn: TurnId, snapshot: Snapshot, cursor: str) -> str:
    lost = Lost(turn, snapshot.parts, snapshot.status)
    return _encode(Frame("snapshot", Raw(_encode(lost)), cursor)).decode()


def encode_refusal(error: ParlanceError) -> str:
    """The last frame before the socket is closed."""
    fault: Fault = error.fault()
    return _encode(Frame("error", Raw(_encode(fault)))).decode()
