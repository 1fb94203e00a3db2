"""JSON-RPC 2.0 itself: frames into calls, results and errors into responses. Knows no method."""

import re

import msgspec
from msgspec import Raw, Struct

from parlance.core.errors import InvalidJson, ParlanceError
from parlance.core.json import decode_json
from parlance.dialects.json_rpc.faults import INVALID_REQUEST, PARSE_ERROR, RpcError, encode_data

MAX_BATCH = 50

NULL = Raw(b"null")
_INTEGER = re.compile(rb"-?\d+")


class Call(Struct, frozen=True):
    """A request. `id` is the JSON text it came as; None is a notification, which is never answered."""

    id: Raw | None
    method: str
    params: Raw


class Invalid(Struct, frozen=True):
    """What is no request, and is answered all the same."""

    id: Raw
    error: RpcError


class Frame(Struct, frozen=True):
    """What came in one frame. A `batch` is answered by one array of responses."""

    items: tuple[Call | Invalid, ...]
    batch: bool = False


class Response(Struct, frozen=True, omit_defaults=True):
    """Exactly one of `result` and `error` is there."""

    jsonrpc: str
    id: Raw
    result: Raw | msgspec.UnsetType = msgspec.UNSET
    error: RpcError | msgspec.UnsetType = msgspec.UNSET


class _WithId(Struct, frozen=True):
    id: Raw = Raw(b"")


class _Request(Struct, frozen=True):
    jsonrpc: str
    method: str
    params: Raw = Raw(b"{}")


class _NoId(Exception):
    pass


def decode_frame(text: str) -> Frame:
    """Never raises: what is wrong with a frame is in its items."""
    try:
        whole = decode_json(text, Raw)
        if not bytes(whole).startswith(b"["):
            return Frame((_decode_item(whole),))
        items = decode_json(whole, list[Raw])
    except ParlanceError as error:
        number = PARSE_ERROR if isinstance(error, InvalidJson) else INVALID_REQUEST
        return Frame((Invalid(NULL, RpcError(number, error.message, encode_data(error))),))
    if not items:
        return Frame((_invalid("The batch is empty."),))
    if len(items) > MAX_BATCH:
        return Frame((_invalid(f"The batch holds {len(items)} requests; {MAX_BATCH} are the most. None was obeyed."),))
    return Frame(_refuse_doubles([_decode_item(item) for item in items]), batch=True)


def encode_result(id: Raw, result: Struct) -> bytes:
    return msgspec.json.encode(Response("2.0", id, result=Raw(msgspec.json.encode(result))))


def encode_error(id: Raw, error: RpcError) -> bytes:
    return msgspec.json.encode(Response("2.0", id, error=error))


def encode_responses(frame: Frame, responses: list[bytes]) -> str | None:
    """The frame that answers `frame`; None where nothing in it wants an answer."""
    if not responses:
        return None
    joined = b",".join(responses).decode()
    return f"[{joined}]" if frame.batch else joined


def _decode_item(item: Raw) -> Call | Invalid:
    try:
        id = _decode_id(decode_json(item, _WithId).id)
    except ParlanceError:
        return _invalid('A request is an object with "jsonrpc", "method" and, if it wants an answer, "id".')
    except _NoId:
        return _invalid("An id is a string, a whole number or null.")
    answer_to = id or NULL
    try:
        request = decode_json(item, _Request)
    except ParlanceError as error:
        return Invalid(answer_to, RpcError(INVALID_REQUEST, error.message, encode_data(error)))
    if request.jsonrpc != "2.0":
        return _invalid('"jsonrpc" must be exactly "2.0".', answer_to)
    if not bytes(request.params).startswith((b"{", b"[")):
        return _invalid('"params" is an object or an array, or is left out.', answer_to)
    return Call(id, request.method, request.params)


def _decode_id(id: Raw) -> Raw | None:
    text = bytes(id)
    if text and text != b"null" and not text.startswith(b'"') and not _INTEGER.fullmatch(text):
        raise _NoId
    return id if text else None


def _refuse_doubles(items: list[Call | Invalid]) -> tuple[Call | Invalid, ...]:
    """The same id must not get two responses: the second is refused without it."""
    seen: set[str | bytes] = set()
    kept: list[Call | Invalid] = []
    for item in items:
        id = _comparable(item.id) if isinstance(item, Call) and item.id is not None else None
        if id is not None and id in seen:
            told = id if isinstance(id, str) else id.decode()
            kept.append(_invalid(f"The id {told[:80]!r} stands twice in this batch. Only the first was obeyed."))
            continue
        if id is not None:
            seen.add(id)
        kept.append(item)
    return tuple(kept)


def _comparable(id: Raw) -> str | bytes | None:
    """Equal for equal ids. A number stays text: it may have more digits than can be read. None for null."""
    text = bytes(id)
    if text.startswith(b'"'):
        return msgspec.json.decode(text, type=str)
    if text == b"null":
        return None
    return b"0" if text == b"-0" else text


def _invalid(message: str, id: Raw = NULL) -> Invalid:
    return Invalid(id, RpcError(INVALID_REQUEST, message))
