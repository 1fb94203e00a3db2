"""What one path does for one method: what it takes, what it gives, and who carries it out."""

import hashlib
import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct
from starlette.datastructures import QueryParams
from starlette.types import Receive, Scope, Send

from parlance.core.errors import Field, InvalidJson, InvalidRequest, ParlanceError
from parlance.core.ids import AssistantId, ChatId, is_uuid
from parlance.core.json import decode_json
from parlance.core.principal import Principal
from parlance.core.stores.answers import KeptAnswer, Once
from parlance.core.stores.request_keys import RequestKey
from parlance.doors.http import begin, idempotency_key
from parlance.doors.visit import Visit
from parlance.engine.idempotency import Idempotency

T = TypeVar("T", bound=Struct)
Outcome = TypeVar("Outcome")

Method = Literal["GET", "POST", "PUT", "DELETE"]


class Answer(Struct, frozen=True):
    """A whole answer, of JSON. `subtenant`: the one that it tells of, where it may be kept by itself."""

    body: bytes
    status: int = 200
    headers: Sequence[tuple[bytes, bytes]] = ()
    subtenant: str | None = None


Stream = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An answer that is told while it happens."""


class Asked(Struct, frozen=True, kw_only=True):
    """A request: who asks, and what for. `names` are what its path names, decoded once; `root` is where the door is."""

    operation: "Operation"
    principal: Principal
    visit: Visit
    names: Mapping[str, str]
    query_string: bytes
    raw: bytes
    root: str

    def body(self, kind: type[T]) -> T:
        """`InvalidRequest`, also for what is no JSON: at this door all that is malformed is told alike."""
        if kind is not self.operation.takes:
            raise TypeError(f"{self.operation.path} is not said to take a {kind.__name__}.")
        try:
            return decode_json(self.raw, kind)
        except InvalidJson as error:
            raise InvalidRequest(error.message, fields=(Field("$", error.message),)) from None

    def query(self, kind: type[T]) -> T:
        """`InvalidRequest`."""
        if kind is not self.operation.query:
            raise TypeError(f"{self.operation.path} is not said to take a {kind.__name__} as its query.")
        return read_query(self.query_string, kind)

    @property
    def subtenant(self) -> str:
        """`InvalidRequest` for what can't be one's id."""
        name = self.names["subtenant_id"]
        if not 1 <= len(name) <= 255 or has_control(name) or any(map(str.isspace, name)):
            raise refuse("subtenant_id", "It has 1 to 255 characters, none of them white space.")
        return name

    @property
    def key(self) -> str:
        """A memory's. `InvalidRequest`."""
        key = self.names["key"]
        if not 1 <= len(key) <= 255 or has_control(key):
            raise refuse("key", "It has 1 to 255 characters, none of them a control character.")
        return key

    @property
    def chat(self) -> ChatId:
        return ChatId(self._id("chat_id"))

    @property
    def assistant(self) -> AssistantId:
        return AssistantId(self._id("assistant_id"))

    @property
    def turn(self) -> str:
        return self._id("turn_id")

    @property
    def idempotency(self) -> Idempotency | None:
        """`IdempotencyKeyInvalid`."""
        return Idempotency.of(idempotency_key(self.visit.caller), self.raw)

    @property
    def request_key(self) -> RequestKey | None:
        """Whatever its path names is a part of what was asked. `IdempotencyKeyInvalid`."""
        given = self.idempotency
        if given is None:
            return None
        asked_for = hashlib.sha256(repr(sorted(self.names.items())).encode() + given.fingerprint).digest()
        place = f"{self.operation.method} {self.operation.path}"
        return RequestKey(self.principal.home, self.principal.key_id, place, given.key, asked_for)

    def once(self, tell: Callable[[Outcome], object]) -> Once[Outcome] | None:
        """For the store that does it: what it is answered, by its outcome. None without an idempotency key."""
        if self.operation.keyed != "by its store":
            raise TypeError(f"{self.operation.path} is not said to be kept by its store.")
        key = self.request_key
        return None if key is None else Once(key, lambda outcome: KeptAnswer(200, msgspec.json.encode(tell(outcome))))

    def _id(self, name: str) -> str:
        return read_id(self.names[name], name)


Act = Callable[[Asked], Awaitable[Answer | Stream]]


Keeper = Literal["by its store", "by the engine", "here"]


class Operation(Struct, frozen=True, kw_only=True):
    """`takes`: the form of its body, `query` of its query, `gives` of its answer; a stream gives none. `errors` are
    those beside the ones that every path has. `keyed`: who keeps what a request with an idempotency key was answered;
    its store, in the transaction that carries it out; the engine, as a turn; or this door, behind a claim.
    """

    method: Method
    path: str
    act: Act
    summary: str
    tag: str
    gives: object = None
    takes: type[Struct] | None = None
    query: type[Struct] | None = None
    errors: tuple[type[ParlanceError], ...] = ()
    keyed: Keeper | None = None
    accepts: bool = False
    """Whether it may be asked to answer before it is done."""


def has_control(text: str) -> bool:
    return any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


def read_query(query_string: bytes, kind: type[T]) -> T:
    """`InvalidRequest`."""
    try:
        return msgspec.convert(dict(QueryParams(query_string)), kind, strict=False)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`") or "the query"
        raise refuse(name, f"{message}.") from None


def read_id(text: str, name: str) -> str:
    """`InvalidRequest` for what is no UUID."""
    id = text.lower()
    if not is_uuid(id):
        raise refuse(name, f"{text[:80]!r} is no UUID.")
    return id


def refuse(name: str, message: str) -> InvalidRequest:
    """The error for a part of the path, or a parameter of the query."""
    return InvalidRequest(f"{name}: {message}", fields=(Field(name, message),))


async def say(send: Send, visit: Visit, answer: Answer) -> None:
    headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer.body)), *answer.headers)
    await begin(send, visit, answer.status, headers)
    await send({"type": "http.response.body", "body": answer.body})


def answer(resource: object) -> Answer:
    return Answer(msgspec.json.encode(resource))
