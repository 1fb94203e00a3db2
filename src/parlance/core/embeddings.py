"""Texts as vectors: what makes them, and what it gives."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from parlance.core.usage import Usage


class Embeddings(Struct, frozen=True):
    """One vector per text, in the order of the texts. `model` is what the host calls itself."""

    vectors: tuple[tuple[float, ...], ...]
    model: str
    usage: Usage | None = None


class Embedder(Protocol):
    """Makes vectors with one model of one host. Vectors of different models can't be compared."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    async def embed(self, texts: Sequence[str]) -> Embeddings:
        """A vector for each text. Raises `UpstreamError`; a text that is too long for the model is refused, not cut."""
        ...
