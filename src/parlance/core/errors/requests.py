"""What a caller sent that can't be served as it is."""

from parlance.core.errors.base import ParlanceError
from parlance.core.fault import Field


class RequestError(ParlanceError):
    code = "bad_request"
    title = "Bad request"
    status = 400


class InvalidJson(RequestError):
    code = "invalid_json"
    title = "Not valid JSON"


class InvalidRequest(RequestError):
    """`fields` lists the places at fault, where they are known."""

    code = "invalid_request"
    title = "Not of the expected form"
    status = 422

    def __init__(self, message: str, *, fields: tuple[Field, ...] = ()) -> None:
        super().__init__(message)
        self.fields = fields


class UnsupportedMediaType(RequestError):
    code = "unsupported_media_type"
    title = "Unsupported media type"
    status = 415


class BodyTooLarge(RequestError):
    code = "body_too_large"
    title = "Body too large"
    status = 413


class UnknownAction(RequestError):
    code = "unknown_action"
    title = "Unknown action"


class MethodNotAllowed(RequestError):
    code = "method_not_allowed"
    title = "Method not allowed"
    status = 405


class BadHttp(RequestError):
    code = "bad_http"
    title = "Not valid HTTP"


class BadHandshake(RequestError):
    code = "bad_handshake"
    title = "Not a valid handshake"


class UrlTooLong(RequestError):
    code = "url_too_long"
    title = "URL too long"
    status = 414


class HeadTooLarge(RequestError):
    code = "head_too_large"
    title = "Headers too large"
    status = 431


class HeadTimeout(RequestError):
    code = "head_timeout"
    title = "Request not sent in time"
    status = 408


class BodyTimeout(RequestError):
    code = "body_timeout"
    title = "Body not sent in time"
    status = 408


class UpgradeRequired(RequestError):
    """What is at this path speaks over a WebSocket alone."""

    code = "upgrade_required"
    title = "Upgrade required"
    status = 426


class RequestIdInUse(RequestError):
    code = "request_id_in_use"
    title = "Request id in use"
    status = 409


class CallNotWaiting(RequestError):
    code = "call_not_waiting"
    title = "Call not waiting"
    status = 409


class TurnRunning(RequestError):
    code = "turn_running"
    title = "Turn running"
    status = 409


class NothingToCancel(RequestError):
    code = "nothing_to_cancel"
    title = "Nothing to cancel"
    status = 409


class IdempotencyKeyInvalid(RequestError):
    code = "idempotency_key_invalid"
    title = "Idempotency key invalid"


class IdempotencyKeyReused(RequestError):
    code = "idempotency_key_reused"
    title = "Idempotency key reused"
    status = 422


class ModelNotFound(RequestError):
    code = "model_not_found"
    title = "Model not found"
    status = 404


class TurnNotFound(RequestError):
    code = "turn_not_found"
    title = "Turn not found"
    status = 404


class SessionNotFound(RequestError):
    code = "session_not_found"
    title = "Session not found"
    status = 404


class PathNotFound(RequestError):
    code = "not_found"
    title = "Not found"
    status = 404


class CursorExpired(RequestError):
    """The events behind a cursor can't be told again; whoever catches this gives a snapshot and a new cursor."""

    code = "cursor_expired"
    title = "Cursor expired"
    status = 410
