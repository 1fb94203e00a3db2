"""Our errors and their numbers here. The stable code of each stands in `data.code`."""

from typing import Final

from msgspec import Struct

from parlance.core.errors import (
    CallNotWaiting,
    ChatBusy,
    ChatNotFound,
    ChatQueueFull,
    Fault,
    Field,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InternalError,
    InvalidJson,
    InvalidRequest,
    KeyInvalid,
    KeyMissing,
    ModelForbidden,
    ModelNotFound,
    NoProvider,
    NothingToCancel,
    Overloaded,
    ParlanceError,
    SessionNotFound,
    SlowFollower,
    Stopping,
    StorageUnavailable,
    TooManyAtOnce,
    TurnNotFound,
    TurnRunning,
    UnknownAction,
    UnsupportedMediaType,
)

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
NO_SESSION: Final = -32000
BUSY: Final = -32001
NOT_WAITING: Final = -32002
NOTHING_RUNS: Final = -32003
NOT_FOUND: Final = -32004
FORBIDDEN: Final = -32005
UNAVAILABLE: Final = -32006
NO_ANSWER: Final = -32007
"""What became of a turn that gave no whole answer: its host failed, or it was stopped."""

_NUMBERS: Final[dict[str, int]] = {
    UnsupportedMediaType.code: INVALID_REQUEST,
    UnknownAction.code: METHOD_NOT_FOUND,
    InvalidJson.code: INVALID_PARAMS,
    InvalidRequest.code: INVALID_PARAMS,
    IdempotencyKeyInvalid.code: INVALID_PARAMS,
    IdempotencyKeyReused.code: INVALID_PARAMS,
    InternalError.code: INTERNAL_ERROR,
    SessionNotFound.code: NO_SESSION,
    TurnRunning.code: BUSY,
    ChatBusy.code: BUSY,
    CallNotWaiting.code: NOT_WAITING,
    NothingToCancel.code: NOTHING_RUNS,
    TurnNotFound.code: NOT_FOUND,
    ModelNotFound.code: NOT_FOUND,
    ChatNotFound.code: NOT_FOUND,
    KeyMissing.code: FORBIDDEN,
    KeyInvalid.code: FORBIDDEN,
    ModelForbidden.code: FORBIDDEN,
    NoProvider.code: UNAVAILABLE,
    Overloaded.code: UNAVAILABLE,
    TooManyAtOnce.code: UNAVAILABLE,
    ChatQueueFull.code: UNAVAILABLE,
    StorageUnavailable.code: UNAVAILABLE,
    Stopping.code: UNAVAILABLE,
    SlowFollower.code: UNAVAILABLE,
}


class ErrorData(Struct, frozen=True, omit_defaults=True):
    """`code` names the class of the error; `fields` the places at fault, where they are known."""

    code: str
    retryable: bool
    retry_after: float | None = None
    fields: tuple[Field, ...] = ()


class RpcError(Struct, frozen=True, omit_defaults=True):
    code: int
    message: str
    data: ErrorData | None = None


def encode_fault(fault: Fault) -> RpcError:
    number = _NUMBERS.get(fault.code, NO_ANSWER)
    return RpcError(number, fault.message, ErrorData(fault.code, fault.retryable, fault.retry_after))


def encode_refusal(error: ParlanceError) -> RpcError:
    return RpcError(_NUMBERS.get(error.code, NO_ANSWER), error.message, encode_data(error))


def encode_data(error: ParlanceError) -> ErrorData:
    fields = error.fields if isinstance(error, InvalidRequest) else ()
    return ErrorData(error.code, error.retryable, error.retry_after, fields)
