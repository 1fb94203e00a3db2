"""What the server's protocols answer themselves, where no application was asked yet."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from websockets.exceptions import (
    HeaderLineTooLong,
    InvalidHeader,
    InvalidMethod,
    RequestLineTooLong,
    TooManyHeaders,
)
from websockets.http11 import MAX_LINE_LENGTH, MAX_NUM_HEADERS

from parlance.core.errors import BadHandshake, HeadTooLarge, MethodNotAllowed, ParlanceError, UrlTooLong
from parlance.core.ids import uuid7
from parlance.doors.http import Headers, encode_problem, problem_headers

LINGER = 1.0
"""Seconds for which what comes behind a refusal is still read."""

VERSION = "Sec-WebSocket-Version"


def encode_answer(error: ParlanceError, hints: Headers = ()) -> bytes:
    """The whole answer, behind which the connection is closed."""
    request_id = str(uuid7())
    body = encode_problem(error, request_id)
    headers = [*problem_headers(error, body), *hints, (b"x-request-id", request_id.encode()), (b"connection", b"close")]
    lines = b"".join(b"%s: %s\r\n" % header for header in dict(headers).items())
    return STATUS_LINE[error.status] + lines + b"\r\n" + body


def denial_of(cause: Exception | None) -> tuple[ParlanceError, Headers]:
    """What a WebSocket's client is told, and with which headers, when the library refuses its handshake.

    No value of a header is told: some of them hold a key.
    """
    match cause:
        case RequestLineTooLong():
            return UrlTooLong(f"The handshake's line is over {MAX_LINE_LENGTH} bytes. Ask with a shorter URL."), ()
        case HeaderLineTooLong() | TooManyHeaders():
            allowed = f"{MAX_NUM_HEADERS} headers, of {MAX_LINE_LENGTH} bytes each"
            return HeadTooLarge(f"The handshake has more than {allowed}. Send less."), ()
        case InvalidMethod():
            return MethodNotAllowed("A WebSocket is opened with GET."), ((b"allow", b"GET"),)
        case InvalidHeader() if cause.name == VERSION:
            error = BadHandshake(f"The handshake's {VERSION} is not 13, the only one that is spoken here.")
            return error, ((VERSION.lower().encode(), b"13"),)
        case InvalidHeader():
            return BadHandshake(f"The handshake's {cause.name} is missing, not valid, or there more than once."), ()
        case _:
            return BadHandshake("This is no WebSocket's handshake that could be read. Send it without a body."), ()
