"""How each family of hosts is asked for embeddings. Pure; the chat languages know nothing of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from parlance.core.embeddings import Embeddings
from parlance.core.errors import HostAnswerInvalid
from parlance.core.parts import Family
from parlance.core.provider import EncodedRequest
from parlance.core.usage import Usage
from parlance.dialects.mend import encode_json

Vector = tuple[float, ...]


class EmbeddingLanguage(Struct, frozen=True):
    """`most` texts go into one request. `decode` reads the vectors in the order of the texts."""

    most: int
    encode: Callable[[str, Sequence[str]], EncodedRequest]
    decode: Callable[[bytes], Embeddings]


class _Row(Struct):
    embedding: Vector
    index: int = 0


class _Counts(Struct):
    prompt_tokens: int | None = None


class _OpenAI(Struct):
    data: list[_Row]
    model: str = ""
    usage: _Counts | None = None


class _Ollama(Struct):
    embeddings: tuple[Vector, ...]
    model: str = ""
    prompt_eval_count: int | None = None


class _Values(Struct):
    values: Vector


class _Gemini(Struct):
    embeddings: list[_Values]


def decode_vectors(language: EmbeddingLanguage, body: bytes, *, count: int, host: str) -> Embeddings:
    """The vectors of so many texts. `HostAnswerInvalid` for anything else."""
    try:
        made = language.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = (
            f"{host} answered with something that is no list of embeddings. Check its base URL, and the model's name."
        )
        raise HostAnswerInvalid(text, host=host) from error
    if len(made.vectors) != count:
        text = f"{host} was asked for {count} embeddings and gave {len(made.vectors)}. Try again, or ask another host."
        raise HostAnswerInvalid(text, host=host)
    return made


def _encode_openai(model: str, texts: Sequence[str]) -> EncodedRequest:
    return EncodedRequest(
        "/embeddings", encode_json({"model": model, "input": list(texts), "encoding_format": "float"})
    )


def _decode_openai(body: bytes) -> Embeddings:
    told = msgspec.json.decode(body, type=_OpenAI)
    rows = sorted(told.data, key=lambda row: row.index)
    usage = Usage(input=told.usage.prompt_tokens) if told.usage is not None else None
    return Embeddings(tuple(row.embedding for row in rows), told.model, usage)


def _encode_ollama(model: str, texts: Sequence[str]) -> EncodedRequest:
    # Unasked, it would cut what is too long, and say nothing.
    return EncodedRequest("/api/embed", encode_json({"model": model, "input": list(texts), "truncate": False}))


def _decode_ollama(body: bytes) -> Embeddings:
    told = msgspec.json.decode(body, type=_Ollama)
    usage = Usage(input=told.prompt_eval_count) if told.prompt_eval_count is not None else None
    return Embeddings(told.embeddings, told.model, usage)


def _encode_gemini(model: str, texts: Sequence[str]) -> EncodedRequest:
    name = model if "/" in model else f"models/{model}"
    requests = [{"model": name, "content": {"parts": [{"text": text}]}} for text in texts]
    return EncodedRequest(f"/{name}:batchEmbedContents", encode_json({"requests": requests}))


def _decode_gemini(body: bytes) -> Embeddings:
    told = msgspec.json.decode(body, type=_Gemini)
    return Embeddings(tuple(one.values for one in told.embeddings), "")


_OPENAI: Final = EmbeddingLanguage(most=256, encode=_encode_openai, decode=_decode_openai)

EMBEDDING_LANGUAGES: Final[Mapping[Family, EmbeddingLanguage]] = {
    "openai_chat": _OPENAI,
    "openai_responses": _OPENAI,
    "ollama": EmbeddingLanguage(most=256, encode=_encode_ollama, decode=_decode_ollama),
    "gemini": EmbeddingLanguage(most=100, encode=_encode_gemini, decode=_decode_gemini),
}
"""By the family that a host of the catalogue is spoken to in. A family that is not here makes no embeddings."""
