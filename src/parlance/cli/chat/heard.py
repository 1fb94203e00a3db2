"""The server's frames as a client reads them: lenient, since later versions may add keys and kinds."""

import msgspec
from msgspec import Raw, Struct

from parlance.core.usage import Usage


class HeardChunk(Struct, frozen=True):
    type: str = ""
    data: str = ""


class HeardMetadata(Struct, frozen=True):
    status: str | None = None
    reason: str | None = None
    model: str | None = None
    provider: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None


class HeardPart(Struct, frozen=True):
    """A part of a snapshot: `text` of prose, the next three of a call, the rest of a result."""

    kind: str = ""
    text: str = ""
    id: str = ""
    name: str = ""
    arguments: str = ""
    call_id: str = ""
    output: Raw = Raw(b'""')
    is_error: bool = False


class HeardSnapshot(Struct, frozen=True):
    parts: tuple[HeardPart, ...] = ()


class Heard(Struct, frozen=True):
    request_id: str | None = None
    status: str = ""
    chunk: HeardChunk = HeardChunk()
    metadata: HeardMetadata = HeardMetadata()
    error: str | None = None
    code: str | None = None
    retry_after: float | None = None
    rejected_request_id: str | None = None
    snapshot: HeardSnapshot = HeardSnapshot()
    turn_id: str | None = None
    cursor: str | None = None


class HeardCall(Struct, frozen=True):
    id: str = ""
    name: str = ""
    arguments: str = ""
    runner: str = "server"


class HeardResult(Struct, frozen=True):
    tool_call_id: str = ""
    output: str | None = None
    error: str | None = None


class HeardWarning(Struct, frozen=True):
    code: str = ""
    message: str = ""


decode_frame = msgspec.json.Decoder(Heard).decode
decode_call = msgspec.json.Decoder(HeardCall).decode
decode_result = msgspec.json.Decoder(HeardResult).decode
decode_warning = msgspec.json.Decoder(HeardWarning).decode
