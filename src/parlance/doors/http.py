"""HTTP as every door needs it: reading a body within bounds, answering, and telling errors as problems (RFC 9457)."""

import math
from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from parlance.core.errors import (
    BodyTooLarge,
    Field,
    InvalidRequest,
    KeyInvalid,
    KeyMissing,
    ParlanceError,
    UnsupportedMediaType,
    UpgradeRequired,
)
from parlance.core.principal import Caller
from parlance.doors.limits import Held
from parlance.doors.visit import Visit

Headers = Sequence[tuple[bytes, bytes]]

DRAINED = 8
"""How many times the bound of a body is still read, and thrown away.

A client that is cut off while it sends never sees the answer.
"""


class Problem(Struct, frozen=True, omit_defaults=True):
    """The body of an error."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    retryable: bool
    retry_after: float | None = None
    errors: tuple[Field, ...] = ()
    turn_id: str | None = None
    snapshot: Raw | None = None
    cursor: str | None = None


async def read_json_body(visit: Visit, receive: Receive, limit: int, held: Held) -> bytes:
    """The body of a request that must be JSON, at most `limit` bytes; `held` grows with it.

    `UnsupportedMediaType`, `BodyTooLarge`, and what `Held.grow` raises.
    """
    headers = visit.caller.headers
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType(
            f"The body is of the type {kind[:80]!r}. Send JSON, with the header content-type: application/json."
        )
    return await _read_body(receive, limit, held)


async def _read_body(receive: Receive, limit: int, held: Held) -> bytes:
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= limit * DRAINED:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        more = message.get("more_body", False)
        if size <= limit:
            # What is refused here is not read on: the server passes over the rest of it.
            held.grow(len(chunk))
            chunks.append(chunk)
        else:
            held.release()
            chunks.clear()
    if size > limit:
        raise BodyTooLarge(f"The body is larger than {limit} bytes, the limit here. Send less.")
    return b"".join(chunks)


def idempotency_key(caller: Caller) -> str | None:
    """The header's key: a string in quotes, as the draft of the IETF has it, or bare, as most clients send it."""
    key = caller.headers.get("idempotency-key")
    return key[1:-1] if key is not None and len(key) > 1 and key[0] == key[-1] == '"' else key


async def begin(send: Send, visit: Visit, status: int, headers: Headers) -> None:
    visit.begun = True
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *visit.headers]})


async def answer_json(send: Send, visit: Visit, body: bytes, *, status: int = 200) -> None:
    headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    await begin(send, visit, status, headers)
    await send({"type": "http.response.body", "body": body})


async def answer_problem(
    send: Send,
    visit: Visit,
    error: ParlanceError,
    *,
    turn_id: str | None = None,
    snapshot: Raw | None = None,
    cursor: str | None = None,
) -> None:
    """`turn_id`, `snapshot` and `cursor` say of which turn, what was shown so far, and from where to go on."""
    body = encode_problem(error, visit.request_id, turn_id=turn_id, snapshot=snapshot, cursor=cursor)
    await begin(send, visit, error.status, problem_headers(error, body))
    await send({"type": "http.response.body", "body": body})


async def deny_socket(scope: Scope, send: Send, visit: Visit, error: ParlanceError) -> None:
    """Refuse a WebSocket's handshake: with the same answer as over HTTP where the server can, else with 403."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.code})
        return
    body = encode_problem(error, visit.request_id)
    headers = [*problem_headers(error, body), *visit.headers]
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def encode_problem(
    error: ParlanceError,
    request_id: str,
    *,
    turn_id: str | None = None,
    snapshot: Raw | None = None,
    cursor: str | None = None,
) -> bytes:
    return msgspec.json.encode(
        Problem(
            type="about:blank",
            title=error.title,
            status=error.status,
            detail=error.message,
            code=error.code,
            request_id=request_id,
            retryable=error.retryable,
            retry_after=error.retry_after,
            errors=error.fields if isinstance(error, InvalidRequest) else (),
            turn_id=turn_id,
            snapshot=snapshot,
            cursor=cursor,
        )
    )


def problem_headers(error: ParlanceError, body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        *_hints(error),
    ]


def _hints(error: ParlanceError) -> list[tuple[bytes, bytes]]:
    hints = []
    if error.retry_after is not None:
        hints.append((b"retry-after", b"%d" % math.ceil(error.retry_after)))
    if isinstance(error, KeyMissing | KeyInvalid):
        hints.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, UpgradeRequired):
        hints += [(b"upgrade", b"websocket"), (b"connection", b"upgrade")]
    if isinstance(error, BodyTooLarge):
        # What is left of the body was not read, so nothing else can follow on this connection.
        hints.append((b"connection", b"close"))
    return hints
