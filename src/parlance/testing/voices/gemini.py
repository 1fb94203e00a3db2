"""Google's generateContent, as a host says it."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence

import msgspec

from parlance.core.json import JsonObject, JsonValue
from parlance.core.parts import Family
from parlance.core.usage import Finish
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voice import StreamedReply, Voice, Wanted
from parlance.testing.voices.gemini_strict import complaint_about

ANSWER_ID = "scripted-response"
_VERSIONS = ("/v1beta/", "/v1/")
_STREAM, _WHOLE = ":streamGenerateContent", ":generateContent"

_OLDER = re.compile(r"/gemini-2\b")

_FINISHES: Mapping[Finish, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "filtered": "SAFETY",
    "continue": "CONTINUATION",
    "error": "OTHER",
    "unknown": "SOMETHING_NEW",
}
_STATUSES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GeminiVoice:
    family: Family = "gemini"
    base_path: str = "/v1beta"
    stream_type: str = "text/event-stream"

    def wants(self, request: UpstreamRequest) -> Wanted | None:
        path = request.path.partition("?")[0]
        if request.method == "POST" and path.startswith(_VERSIONS) and path.endswith((_STREAM, _WHOLE)):
            return "answer"
        return "models" if (request.method, path) == ("GET", "/v1beta/models") else None

    def key_of(self, request: UpstreamRequest) -> str | None:
        return request.header("x-goog-api-key")

    def streams(self, request: UpstreamRequest) -> bool:
        return request.path.partition("?")[0].endswith(_STREAM)

    def complaint_about(self, request: UpstreamRequest) -> str | None:
        if self.streams(request) and request.path.partition("?")[2] != "alt=sse":
            return "Only alt=sse streams events."
        return complaint_about(request.body, signed=_identified(request))

    def encode_stream(self, reply: Reply, request: UpstreamRequest) -> StreamedReply:
        *said, ending = encode_stream(reply, identified=_identified(request))
        return StreamedReply(tuple(said), (ending,))

    def encode_whole(self, reply: Reply, request: UpstreamRequest) -> bytes:
        return encode_whole(reply, identified=_identified(request))

    def encode_models(self, names: Sequence[str]) -> bytes:
        models: list[JsonValue] = [
            {
                "name": f"models/{name}",
                "version": "1",
                "displayName": name,
                "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }
            for name in names
        ]
        return json.dumps({"models": models}, indent=2).encode()

    def encode_refusal(self, status: int, message: str) -> bytes:
        return encode_error(status, message)

    def encode_stream_error(self, message: str) -> bytes:
        """The bare lines that Google's hosts break a stream off with."""
        return encode_error(503, message)


VOICE: Voice = GeminiVoice()


def encode_stream(reply: Reply, *, identified: bool = True) -> list[bytes]:
    """The answer as events, the last of them with the finish reason. The count of tokens runs along."""
    chunks = [_chunk(reply, [part]) for part in _parts(reply, identified=identified)]
    return [encode_event(chunk) for chunk in [*chunks, _ending(reply, _last(reply))]]


def encode_event(value: JsonValue) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\r\n\r\n"


def encode_whole(reply: Reply, *, identified: bool = True) -> bytes:
    """The answer as one JSON document."""
    parts = _parts(msgspec.structs.replace(reply, signature=None), identified=identified)
    melted: list[JsonObject] = []
    for part in parts:
        if melted and "text" in part and melted[-1].keys() == part.keys():
            melted[-1] = {**part, "text": f"{melted[-1]['text']}{part['text']}"}
        else:
            melted.append(part)
    if reply.signature is not None:
        at = 0 if reply.reasoning else -1
        melted[at] = {**melted[at], "thoughtSignature": _base64(reply.signature)}
    return json.dumps(_ending(reply, melted), indent=2).encode()


def encode_error(status: int, message: str, *details: JsonValue) -> bytes:
    error: JsonObject = {"code": status, "message": message, "status": _STATUSES.get(status, "UNKNOWN")}
    if details:
        error["details"] = list(details)
    return json.dumps({"error": error}, indent=2).encode()


def _identified(request: UpstreamRequest) -> bool:
    """Newer models give each call an id, and want their signatures back."""
    return _OLDER.search(request.path) is None


def _parts(reply: Reply, *, identified: bool = True) -> list[JsonObject]:
    """Thoughts with their signature behind them, text (this language has no other place for a refusal), calls."""
    parts: list[JsonObject] = [{"text": piece, "thought": True} for piece in reply.reasoning]
    if reply.reasoning and reply.signature is not None:
        parts.append({"text": "", "thought": True, "thoughtSignature": _base64(reply.signature)})
    parts += [{"text": piece} for piece in (*reply.text, *reply.refusal)]
    return parts + [_call(index, call, identified) for index, call in enumerate(reply.calls)]


def _call(index: int, call: ScriptedCall, identified: bool) -> JsonObject:
    told: JsonObject = {"name": call.name, "args": json.loads(call.arguments)}
    if identified:
        told["id"] = call.id or f"call_{index}"
    part: JsonObject = {"functionCall": told}
    if call.signature is not None:
        part["thoughtSignature"] = _base64(call.signature)
    return part


def _base64(proof: str) -> str:
    """Signatures are bytes, and travel in base64."""
    return b64encode(proof.encode()).decode()


def _last(reply: Reply) -> list[JsonObject]:
    """What the last chunk holds besides its ending: nothing, but for the signature of an answer without thoughts."""
    signed = reply.signature is not None and not reply.reasoning
    return [{"text": "", "thoughtSignature": _base64(reply.signature or "")}] if signed else [{"text": ""}]


def _chunk(reply: Reply, parts: Sequence[JsonObject]) -> JsonObject:
    content: JsonObject = {"parts": list(parts), "role": "model"}
    chunk: JsonObject = {"candidates": [{"content": content, "index": 0}]}
    if reply.usage:
        chunk["usageMetadata"] = {"promptTokenCount": reply.usage[0], "totalTokenCount": reply.usage[0]}
    return {**chunk, "modelVersion": reply.model, "responseId": ANSWER_ID}


def _ending(reply: Reply, parts: Sequence[JsonObject]) -> JsonObject:
    finish = reply.raw_finish or _FINISHES[reply.ending]
    content: JsonObject = {"parts": list(parts), "role": "model"}
    chunk: JsonObject = {"candidates": [{"content": content, "finishReason": finish, "index": 0}]}
    if reply.usage:
        chunk["usageMetadata"] = _usage(reply, *reply.usage)
    return {**chunk, "modelVersion": reply.model, "responseId": ANSWER_ID}


def _usage(reply: Reply, given: int, made: int) -> JsonObject:
    """Thoughts are counted beside the answer."""
    told: JsonObject = {"promptTokenCount": given, "candidatesTokenCount": made - (reply.thought or 0)}
    told["totalTokenCount"] = given + made
    if reply.thought is not None:
        told["thoughtsTokenCount"] = reply.thought
    if reply.cached is not None:
        told["cachedContentTokenCount"] = reply.cached
    return told
