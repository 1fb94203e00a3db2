"""The OpenAPI document, made from the operations and the types that they take and give."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast, get_args

import msgspec
from msgspec import Raw, Struct

from parlance.core.errors import (
    BodyTimeout,
    BodyTooLarge,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InternalError,
    InvalidRequest,
    KeyInvalid,
    KeyMissing,
    LimitReached,
    OriginRefused,
    ParlanceError,
    RequestInFlight,
    Stopping,
    StorageUnavailable,
    SubtenantNotFound,
    UnsupportedMediaType,
)
from parlance.dialects.rest.wire import TurnResource
from parlance.dialects.rest.wire_requests import FollowQuery
from parlance.doors.http import Problem
from parlance.doors.rest.acting import HEADER
from parlance.doors.rest.examples import EXAMPLES
from parlance.doors.rest.operation import Operation

Node = dict[str, object]

_COMMON = (
    KeyMissing, KeyInvalid, OriginRefused, SubtenantNotFound, InvalidRequest, LimitReached, Stopping,
    StorageUnavailable, InternalError,
)  # fmt: skip
_WITH_BODY = (UnsupportedMediaType, BodyTooLarge, BodyTimeout)
_WITH_KEY = (IdempotencyKeyInvalid, IdempotencyKeyReused, RequestInFlight)

_NAMES: Mapping[str, Node] = {
    "subtenant_id": {"type": "string", "pattern": r"^[^\s\x00-\x1f\x7f-\x9f]{1,255}$"},
    "chat_id": {"type": "string", "format": "uuid"},
    "assistant_id": {"type": "string", "format": "uuid"},
    "turn_id": {"type": "string", "format": "uuid"},
    "key": {"type": "string", "pattern": r"^[^\x00-\x1f\x7f-\x9f]{1,255}$"},
}

_ABOUT = """\
Chats that last, what their subtenants want remembered, assistants, and models asked directly.

Errors are `application/problem+json` with a stable `code`. Streams are server-sent events: text as unnamed events
`{"content": …}`, all else as named ones, `[DONE]` at the end."""


def encode_document(operations: Sequence[Operation], version: str) -> bytes:
    types = _Types(operations)
    paths: dict[str, Node] = {}
    for operation in operations:
        place = paths.setdefault(operation.path, {})
        place[operation.method.lower()] = _Described(operation, types).node()
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Parlance", "version": version, "description": _ABOUT},
        "servers": [{"url": "."}],
        "security": [{"bearer": []}, {"key": []}, {}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": types.components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "On loopback none may be needed."},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }
    return msgspec.json.encode(document)


class _Types:
    """The schemas of all that is taken and given, each named once."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        wanted: list[object] = [Problem, TurnResource, FollowQuery]
        for operation in operations:
            wanted += [kind for kind in (operation.gives, operation.takes, operation.query) if kind is not None]
        self._places = list(dict.fromkeys(wanted))
        schemas, components = msgspec.json.schema_components(
            self._places, schema_hook=_any, ref_template="#/components/schemas/{name}"
        )
        self._schemas = dict(zip(self._places, schemas, strict=True))
        self.components: dict[str, Node] = components
        for kind in self._places:
            self._illustrate(kind)

    def schema(self, kind: object) -> object:
        return self._schemas[kind]

    def properties(self, kind: type[Struct]) -> Mapping[str, Node]:
        return cast(Mapping[str, Node], self.components[kind.__name__]["properties"])

    def _illustrate(self, kind: object) -> None:
        for one in (kind, *get_args(kind)):
            if one in EXAMPLES and isinstance(one, type) and one.__name__ in self.components:
                self.components[one.__name__]["examples"] = [msgspec.to_builtins(EXAMPLES[one])]


class _Described:
    def __init__(self, operation: Operation, types: _Types) -> None:
        self._operation = operation
        self._types = types

    def node(self) -> Node:
        operation = self._operation
        act = f"{operation.method.lower()} {operation.path}"
        node: Node = {
            "summary": operation.summary,
            "operationId": "_".join(word for word in act.replace("/", " ").replace("{", "").replace("}", "").split()),
            "tags": [operation.tag],
            "parameters": [*self._path(), *self._query(), *self._headers()],
            "responses": {**self._successes(), **self._problems()},
        }
        if operation.takes is not None:
            content = {"application/json": {"schema": self._types.schema(operation.takes)}}
            node["requestBody"] = {"required": True, "content": content}
        return node

    def _path(self) -> Iterator[Node]:
        for segment in self._operation.path.split("/"):
            if segment.startswith("{"):
                name = segment[1:-1]
                yield {"name": name, "in": "path", "required": True, "schema": _NAMES[name]}

    def _query(self) -> Iterator[Node]:
        if self._operation.query is not None:
            for name, schema in self._types.properties(self._operation.query).items():
                yield {"name": name, "in": "query", "required": False, "schema": schema}

    def _headers(self) -> Iterator[Node]:
        operation = self._operation
        yield _header(HEADER, "The subtenant to act for, with a key for all of them.", _NAMES["subtenant_id"])
        if operation.keyed is not None:
            about = "The same request again under the same key is carried out once."
            yield _header("idempotency-key", about, {"type": "string", "pattern": "^[!-~]{1,255}$"})
        if operation.accepts:
            yield _header("prefer", "`respond-async`: answer 202 at once.", {"type": "string", "pattern": "^[!-~]*$"})
        if operation.query is FollowQuery:
            yield _header("last-event-id", "As `after`.", {"type": "string", "pattern": "^[!-~]+$"})

    def _successes(self) -> Node:
        operation = self._operation
        if operation.gives is None:
            return {"200": _response("Server-sent events.", "text/event-stream", {"description": "A stream."})}
        node: Node = {"200": _response("Done.", "application/json", self._types.schema(operation.gives))}
        if operation.accepts:
            location: Node = {"description": "Where the turn is.", "schema": {"type": "string"}}
            accepted = _response("Accepted.", "application/json", self._types.schema(TurnResource))
            node["202"] = {**accepted, "headers": {"location": location}}
        return node

    def _problems(self) -> Node:
        by_status: dict[int, list[str]] = {}
        for kind in self._errors():
            codes = by_status.setdefault(kind.status, [])
            if kind.code not in codes:
                codes.append(kind.code)
        schema = self._types.schema(Problem)
        problems: Node = {
            str(status): _response(", ".join(f"`{code}`" for code in codes), "application/problem+json", schema)
            for status, codes in sorted(by_status.items())
        }
        problems["default"] = _response("Any other problem.", "application/problem+json", schema)
        return problems

    def _errors(self) -> Iterator[type[ParlanceError]]:
        operation = self._operation
        yield from (error for kind in (*_COMMON, *operation.errors) for error in _with_descendants(kind))
        if operation.takes is not None:
            yield from _WITH_BODY
        if operation.keyed is not None:
            yield from _WITH_KEY


def _with_descendants(kind: type[ParlanceError]) -> Iterator[type[ParlanceError]]:
    yield kind
    if kind.__module__ not in ("parlance.core.errors.requests", "parlance.core.errors.access"):
        for more in kind.__subclasses__():
            yield from _with_descendants(more)


def _header(name: str, about: str, schema: Node) -> Node:
    return {"name": name, "in": "header", "required": False, "description": about, "schema": schema}


def _response(about: str, kind: str, schema: object) -> Node:
    return {"description": about, "content": {kind: {"schema": schema}}}


def _any(kind: type) -> Node:
    """For what may be any JSON."""
    if kind in (object, Raw):
        return {"description": "Any JSON."}
    raise TypeError(f"{kind} has no schema.")
