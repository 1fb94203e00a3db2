"""Embeddings as hosts of each family give them: small vectors that only depend on their text."""

import json
from typing import Final

from msgspec import Struct

from parlance.core.json import JsonObject, JsonValue
from parlance.core.parts import Family
from parlance.testing.upstream_connection import UpstreamRequest

_GEMINI: Final = ":batchEmbedContents"


class ToldEmbeddings(Struct, frozen=True):
    """The answer to a request for embeddings, and in whose words it is."""

    family: Family
    body: bytes


def vector_of(text: str) -> list[float]:
    return [len(text) / 8, text.count(" ") / 4, 0.5]


def encode_embeddings(request: UpstreamRequest) -> ToldEmbeddings | None:
    """None for a request that asks for something else."""
    path = request.path.partition("?")[0]
    match request.method, path:
        case "POST", "/v1/embeddings":
            return ToldEmbeddings("openai_chat", _openai(request.json))
        case "POST", "/api/embed":
            return ToldEmbeddings("ollama", _ollama(request.json))
        case "POST", _ if path.endswith(_GEMINI):
            return ToldEmbeddings("gemini", _gemini(request.json))
        case _:
            return None


def _openai(asked: JsonObject) -> bytes:
    texts = _texts(asked.get("input"))
    rows = [{"object": "embedding", "index": index, "embedding": vector_of(text)} for index, text in enumerate(texts)]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    # In any order: it is the index that counts.
    return json.dumps({"object": "list", "data": rows[::-1], "model": asked.get("model"), "usage": usage}).encode()


def _ollama(asked: JsonObject) -> bytes:
    texts = _texts(asked.get("input"))
    told = {
        "model": asked.get("model"),
        "embeddings": [vector_of(text) for text in texts],
        "total_duration": 1_000_000,
        "prompt_eval_count": len(texts),
    }
    return json.dumps(told).encode()


def _gemini(asked: JsonObject) -> bytes:
    requests = asked.get("requests")
    vectors = [vector_of(_gemini_text(one)) for one in requests] if isinstance(requests, list) else []
    return json.dumps({"embeddings": [{"values": vector} for vector in vectors]}).encode()


def _gemini_text(asked: JsonValue) -> str:
    content = asked.get("content") if isinstance(asked, dict) else None
    parts = content.get("parts") if isinstance(content, dict) else None
    texts = [str(part.get("text", "")) for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "".join(texts)


def _texts(given: JsonValue) -> list[str]:
    return [str(one) for one in given] if isinstance(given, list) else [str(given)]
