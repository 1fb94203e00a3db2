"""Every error that a caller may be told, each with a stable code.

ParlanceError
├── RequestError            what the caller sent can't be served as it is
│   ├── InvalidJson · InvalidRequest · UnsupportedMediaType · BodyTooLarge · UnknownAction · MethodNotAllowed
│   ├── BadHttp · BadHandshake · UrlTooLong · HeadTooLarge · HeadTimeout · BodyTimeout · UpgradeRequired
│   ├── RequestIdInUse · CallNotWaiting · IdempotencyKeyInvalid · IdempotencyKeyReused
│   ├── TurnRunning · NothingToCancel
│   ├── ModelNotFound · TurnNotFound · SessionNotFound · PathNotFound · CursorExpired
│   ├── StoredNotFound: SubtenantNotFound · ChatNotFound · MessageNotFound · MemoryNotFound · AssistantNotFound
│   └── AlreadyExists · ChatBusy · ChatQueueFull · RequestInFlight
├── AccessError             the caller may not
│   └── KeyMissing · KeyInvalid · OriginRefused · HostRefused · ModelForbidden
├── UnavailableError        this server can't serve anybody that way now
│   ├── LimitReached: Overloaded · TooManyAtOnce
│   └── NoProvider · Stopping · SlowFollower · StorageUnavailable
├── UpstreamError           a model's host did not do its part
│   ├── HostUnreachable · HostTimeout · HostKeyRefused · HostRateLimited · HostQuotaExhausted
│   └── HostRejected: HostDeclined · HostFailed · HostAnswerInvalid · TruncatedAnswer
├── ToolFailed              a tool's failure: a result for the model, not an ending
├── TurnAbandoned · TurnInterrupted · TurnSuperseded · TooManyRounds · NotStored
└── InternalError           a bug of ours
"""

from parlance.core.errors.access import AccessError as AccessError
from parlance.core.errors.access import HostRefused as HostRefused
from parlance.core.errors.access import KeyInvalid as KeyInvalid
from parlance.core.errors.access import KeyMissing as KeyMissing
from parlance.core.errors.access import ModelForbidden as ModelForbidden
from parlance.core.errors.access import OriginRefused as OriginRefused
from parlance.core.errors.base import InternalError as InternalError
from parlance.core.errors.base import ParlanceError as ParlanceError
from parlance.core.errors.base import fault_of as fault_of
from parlance.core.errors.requests import BadHandshake as BadHandshake
from parlance.core.errors.requests import BadHttp as BadHttp
from parlance.core.errors.requests import BodyTimeout as BodyTimeout
from parlance.core.errors.requests import BodyTooLarge as BodyTooLarge
from parlance.core.errors.requests import CallNotWaiting as CallNotWaiting
from parlance.core.errors.requests import CursorExpired as CursorExpired
from parlance.core.errors.requests import HeadTimeout as HeadTimeout
from parlance.core.errors.requests import HeadTooLarge as HeadTooLarge
from parlance.core.errors.requests import IdempotencyKeyInvalid as IdempotencyKeyInvalid
from parlance.core.errors.requests import IdempotencyKeyReused as IdempotencyKeyReused
from parlance.core.errors.requests import InvalidJson as InvalidJson
from parlance.core.errors.requests import InvalidRequest as InvalidRequest
from parlance.core.errors.requests import MethodNotAllowed as MethodNotAllowed
from parlance.core.errors.requests import ModelNotFound as ModelNotFound
from parlance.core.errors.requests import NothingToCancel as NothingToCancel
from parlance.core.errors.requests import PathNotFound as PathNotFound
from parlance.core.errors.requests import RequestError as RequestError
from parlance.core.errors.requests import RequestIdInUse as RequestIdInUse
from parlance.core.errors.requests import SessionNotFound as SessionNotFound
from parlance.core.errors.requests import TurnNotFound as TurnNotFound
from parlance.core.errors.requests import TurnRunning as TurnRunning
from parlance.core.errors.requests import UnknownAction as UnknownAction
from parlance.core.errors.requests import UnsupportedMediaType as UnsupportedMediaType
from parlance.core.errors.requests import UpgradeRequired as UpgradeRequired
from parlance.core.errors.requests import UrlTooLong as UrlTooLong
from parlance.core.errors.stored import AlreadyExists as AlreadyExists
from parlance.core.errors.stored import AssistantNotFound as AssistantNotFound
from parlance.core.errors.stored import ChatBusy as ChatBusy
from parlance.core.errors.stored import ChatNotFound as ChatNotFound
from parlance.core.errors.stored import ChatQueueFull as ChatQueueFull
from parlance.core.errors.stored import MemoryNotFound as MemoryNotFound
from parlance.core.errors.stored import MessageNotFound as MessageNotFound
from parlance.core.errors.stored import RequestInFlight as RequestInFlight
from parlance.core.errors.stored import StoredNotFound as StoredNotFound
from parlance.core.errors.stored import SubtenantNotFound as SubtenantNotFound
from parlance.core.errors.turns import NotStored as NotStored
from parlance.core.errors.turns import ToolFailed as ToolFailed
from parlance.core.errors.turns import TooManyRounds as TooManyRounds
from parlance.core.errors.turns import TurnAbandoned as TurnAbandoned
from parlance.core.errors.turns import TurnInterrupted as TurnInterrupted
from parlance.core.errors.turns import TurnSuperseded as TurnSuperseded
from parlance.core.errors.unavailable import LimitReached as LimitReached
from parlance.core.errors.unavailable import NoProvider as NoProvider
from parlance.core.errors.unavailable import Overloaded as Overloaded
from parlance.core.errors.unavailable import SlowFollower as SlowFollower
from parlance.core.errors.unavailable import Stopping as Stopping
from parlance.core.errors.unavailable import StorageUnavailable as StorageUnavailable
from parlance.core.errors.unavailable import TooManyAtOnce as TooManyAtOnce
from parlance.core.errors.unavailable import UnavailableError as UnavailableError
from parlance.core.errors.upstream import HostAnswerInvalid as HostAnswerInvalid
from parlance.core.errors.upstream import HostDeclined as HostDeclined
from parlance.core.errors.upstream import HostFailed as HostFailed
from parlance.core.errors.upstream import HostKeyRefused as HostKeyRefused
from parlance.core.errors.upstream import HostQuotaExhausted as HostQuotaExhausted
from parlance.core.errors.upstream import HostRateLimited as HostRateLimited
from parlance.core.errors.upstream import HostRejected as HostRejected
from parlance.core.errors.upstream import HostTimeout as HostTimeout
from parlance.core.errors.upstream import HostUnreachable as HostUnreachable
from parlance.core.errors.upstream import TruncatedAnswer as TruncatedAnswer
from parlance.core.errors.upstream import UpstreamError as UpstreamError
from parlance.core.fault import Fault as Fault
from parlance.core.fault import Field as Field
