"""What answers: a Provider, the language it is spoken to in, the host's row, and the names that lead to it."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from parlance.core.deltas import Delta, TextDelta
from parlance.core.errors import UpstreamError
from parlance.core.parts import Family
from parlance.core.principal import Principal
from parlance.core.requests import Request, Window


class Deadlines(Struct, frozen=True):
    """Seconds.

    `first` runs from the request to the first delta other than `Began`; then `idle` counts from byte to byte; `total`
    bounds one model call.
    """

    connect: float = 5.0
    first: float = 60.0
    idle: float = 60.0
    total: float = 600.0


class Alternative(Struct, frozen=True):
    """Another language that a host may turn out to speak: it does if it answers at `path` with a version."""

    path: str
    spec: "HostSpec"


class PythonObject(Struct, frozen=True):
    """A name in a Python file of the operator's, who is trusted."""

    file: str
    name: str


class HostSpec(Struct, frozen=True):
    """A host and how to reach it: a row of the catalogue joined with what the operator configured.

    `name` is the provider's id as configured. `key_header` is the header the key travels in (`authorization`: as a
    Bearer token). `quirks` are names that the host's language knows and checks. `local`: on this machine; it may have
    to load a model first. `exact`: the API begins at `base_url` as it stands, never behind a `/v1`.
    `price_list`: what the price library calls it, if its prices are public. `alternative`: what else it may be.
    `made_by` makes the models of a host that is a library in this process.
    """

    name: str
    family: Family
    base_url: str
    key_header: str = "authorization"
    headers: tuple[tuple[str, str], ...] = ()
    models: tuple[str, ...] = ()
    default_model: str | None = None
    quirks: frozenset[str] = frozenset()
    deadlines: Deadlines = Deadlines()
    proxy: str | None = None
    ca_file: str | None = None
    local: bool = False
    exact: bool = False
    price_list: str | None = None
    alternative: Alternative | None = None
    made_by: PythonObject | None = None


class ModelInfo(Struct, frozen=True):
    """A model on offer: `id` is the name to ask for it by, `provider` the configured id of its provider."""

    id: str
    provider: str
    default: bool = False


class Provider(Protocol):
    """Answers requests. A route over several is a Provider too.

    `stream` yields what each read of the wire brought, so that a burst costs one wake-up; the lists are never empty.
    It raises `UpstreamError`, `TruncatedAnswer` among them. Closing the generator closes the connection to the host
    at once.
    """

    @property
    def name(self) -> str: ...

    @property
    def family(self) -> Family: ...

    def stream(self, request: Request) -> AsyncGenerator[Sequence[Delta], None]: ...

    async def list_models(self) -> Sequence[str]:
        """The host's own model names, the configured ones first.

        `UpstreamError` when it has to be asked and can't be.
        """
        ...

    async def close(self) -> None: ...


Listener = Callable[[TextDelta], bool]
"""Takes a piece of text in the moment it comes, or declines it: then nothing was changed, and it comes in a batch.
It runs where the connection reads, in nobody's context: it must not log. What it raises fails the answer.
"""


@runtime_checkable
class Immediate(Protocol):
    """A `Provider` that need not wake anybody to say a word."""

    def stream_to(self, request: Request, listener: Listener) -> AsyncGenerator[Sequence[Delta], None]:
        """As `stream`, but while the next batch is awaited, one that would be a single piece of text may be offered to
        `listener`; what it takes is not yielded again.
        """
        ...


def open_stream(provider: Provider, request: Request, listener: Listener) -> AsyncGenerator[Sequence[Delta], None]:
    """`stream_to` where the provider can, else its `stream`."""
    return provider.stream_to(request, listener) if isinstance(provider, Immediate) else provider.stream(request)


def nobody(_: TextDelta) -> bool:
    """In place of a listener."""
    return False


@runtime_checkable
class Sized(Protocol):
    """A `Provider` whose host can say how much its models take at once."""

    async def window(self, model: str) -> int | None:
        """Tokens of prompt and answer together; None where that can't be known. Never raises."""
        ...


class ModelWindows(Protocol):
    """How much models take at once."""

    async def window(self, provider: str, model: str) -> int | None:
        """Tokens of prompt and answer together; None where nobody says. Never raises. `model`: the host's own name."""
        ...


class Target(Struct, frozen=True):
    """Where a model's name led: a provider, and the name of the model there."""

    provider: Provider
    model: str


class Models(Protocol):
    """The names that callers use."""

    async def resolve(self, name: str | None, principal: Principal, *, door: str) -> Target:
        """The target of a name (None: the door's default). `ModelNotFound`, `ModelForbidden`, `NoProvider`."""
        ...

    async def offered(self, principal: Principal, *, door: str) -> Sequence[ModelInfo]:
        """What this principal may ask for, the default marked. Hosts that don't answer are left out."""
        ...


class HostAnswer(Struct, frozen=True):
    """A whole answer of a host that is no stream: header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Notice(Struct, frozen=True):
    """Something of the request that the language could not say; the caller is told."""

    code: str
    message: str


class EncodedRequest(Struct, frozen=True):
    """A request in a language's words. `path` follows the host's base URL.

    `needs`: tokens of the model's window that it needs by itself, where the language asks for them.
    """

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    notices: tuple[Notice, ...] = ()
    needs: int | None = None


class Speaker(Protocol):
    """Decodes one answer. Keeps only what its own wire's grammar needs."""

    def feed(self, data: bytes, event: str = "") -> list[Delta]:
        """One event's data (a line, in NDJSON). Raises `UpstreamError` for an error told in the stream."""
        ...

    def close(self) -> list[Delta]:
        """The body ended cleanly. Raises `TruncatedAnswer` when the terminal marker never came in a whole event."""
        ...


class Language(Protocol):
    """A wire language, from the client's side. Pure: no I/O."""

    @property
    def family(self) -> Family: ...

    @property
    def framing(self) -> Literal["sse", "ndjson"]: ...

    @property
    def quirks(self) -> frozenset[str]:
        """The quirks a host's row may name."""
        ...

    @property
    def models_path(self) -> str: ...

    def encode_request(self, request: Request, *, host: str, quirks: frozenset[str]) -> EncodedRequest:
        """The request for a streamed answer.

        Parts of other families are dropped or rewritten. `host` is the configured name, for provenance.
        """
        ...

    def speaker(self, *, host: str, quirks: frozenset[str]) -> Speaker: ...

    def decode_answer(self, answer: HostAnswer, *, host: str, quirks: frozenset[str]) -> list[Delta]:
        """A whole answer from a host that does not stream, as the deltas of one. Raises `UpstreamError`."""
        ...

    def decode_error(self, answer: HostAnswer, *, host: str) -> UpstreamError:
        """The error that a status of 400 or more, or a body of another kind, stands for."""
        ...

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """The names in the host's list of models. `HostAnswerInvalid` when it is none."""
        ...


@runtime_checkable
class Windowed(Protocol):
    """A `Language` whose requests say how much of the model's window they need; so it has to be known first."""

    def window_request(self, model: str) -> EncodedRequest:
        """The question how large a model's window is."""
        ...

    def decode_window(self, body: bytes) -> Window | None:
        """The answer to it; None where it does not say. Never raises."""
        ...
