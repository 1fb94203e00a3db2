"""What one path does for one method: what it takes, what it gives, and who carries it out."""

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
from parlance.doors.http import begin, idempotency_key
from parlance.doors.visit import Visit
from parlance.engine.idempotency import Idempotency

T = TypeVar("T", bound=Struct)

Method = Literal["GET", "POST", "PUT", "DELETE"]


class Answer(Struct, frozen=True):
    """A whole answer, of JSON."""

    body: bytes
    status: int = 200
    headers: Sequence[tuple[bytes, bytes]] = ()


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
        given = dict(QueryParams(self.query_string))
        try:
            return msgspec.convert(given, kind, strict=False)
        except msgspec.ValidationError as error:
            message, _, place = str(error).partition(" - at `$.")
            name = place.rstrip("`") or "the query"
            raise refuse(name, f"{message}.") from None

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

    def _id(self, name: str) -> str:
        return read_id(self.names[name], name)


Act = Callable[[Asked], Awaitable[Answer | Stream]]


class Operation(Struct, frozen=True, kw_only=True):
    """`takes`: the form of its body, `query` of its query, `gives` of its answer; a stream gives none. `errors` are
    those beside the ones that every path has. `keyed`: who answers a request whose idempotency key came before.
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
    keyed: Literal["here", "by the engine"] | None = None
    accepts: bool = False
    """Whether it may be asked to answer before it is done."""


def has_control(text: str) -> bool:
    return any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


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
