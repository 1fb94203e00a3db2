"""How a scripted upstream speaks one wire language: which requests it knows, what it refuses, and its exact bytes."""

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from parlance.core.parts import Family
from parlance.testing.reply import Reply
from parlance.testing.upstream_connection import UpstreamRequest

Wanted = Literal["answer", "models", "description"]


class StreamedReply(Struct, frozen=True):
    """A stream's events, each with its framing.

    `said` is what comes before the terminal marker; `ending` begins with the event of the marker; `terminator` is what
    may follow it and means nothing by itself, `[DONE]` for one.
    """

    said: tuple[bytes, ...]
    ending: tuple[bytes, ...]
    terminator: tuple[bytes, ...] = ()


class Voice(Protocol):
    """A wire language, from the host's side. It is written apart from the dialect: neither hides the other's mistakes.

    What it says MUST be accepted by the language's official client.
    """

    @property
    def family(self) -> Family: ...

    @property
    def base_path(self) -> str:
        """What follows the host's name in a base URL of this language: `/v1`, or nothing."""
        ...

    @property
    def stream_type(self) -> str:
        """The content type of a stream."""
        ...

    def wants(self, request: UpstreamRequest) -> Wanted | None:
        """What a request asks for; None: it is not of this language."""
        ...

    def key_of(self, request: UpstreamRequest) -> str | None: ...

    def streams(self, request: UpstreamRequest) -> bool: ...

    def complaint_about(self, request: UpstreamRequest) -> str | None:
        """What a real host would refuse in a request, or None."""
        ...

    def encode_stream(self, reply: Reply, request: UpstreamRequest) -> StreamedReply: ...

    def encode_whole(self, reply: Reply, request: UpstreamRequest) -> bytes:
        """The answer as one JSON document."""
        ...

    def encode_models(self, names: Sequence[str]) -> bytes: ...

    def encode_refusal(self, status: int, message: str) -> bytes:
        """The body of an error with this status."""
        ...

    def encode_stream_error(self, message: str) -> bytes:
        """An error told in a stream that had begun well: the host is overloaded, if the language can say so."""
        ...


@runtime_checkable
class DescribingVoice(Protocol):
    """A voice that can be asked about one model."""

    def encode_description(self, name: str, window: int) -> bytes:
        """What a model is, and how many tokens it takes at once."""
        ...
