"""Anthropic's messages, as a host says them."""

import json
from collections.abc import Mapping, Sequence

from parlance.core.json import JsonObject, JsonValue
from parlance.core.parts import Family
from parlance.core.usage import Finish
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voice import StreamedReply, Voice, Wanted
from parlance.testing.voices.anthropic_messages_strict import complaint_about

ANSWER_ID = "msg_scripted"
REQUEST_ID = "req_scripted"
PING = b'event: ping\ndata: {"type": "ping"}\n\n'

_STOPS: Mapping[Finish, str] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "filtered": "refusal",
    "continue": "pause_turn",
    "unknown": "something_new",
    "error": "something_broken",
}
_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicMessagesVoice:
    family: Family = "anthropic_messages"
    base_path: str = "/v1"
    stream_type: str = "text/event-stream; charset=utf-8"

    def wants(self, request: UpstreamRequest) -> Wanted | None:
        match request.method, request.path.partition("?")[0]:
            case "POST", "/v1/messages":
                return "answer"
            case "GET", "/v1/models" if request.header("anthropic-version"):
                return "models"
            case _:
                return None

    def key_of(self, request: UpstreamRequest) -> str | None:
        bearer = (request.header("authorization") or "").removeprefix("Bearer ")
        return request.header("x-api-key") or bearer or None

    def streams(self, request: UpstreamRequest) -> bool:
        return request.json.get("stream") is True

    def complaint_about(self, request: UpstreamRequest) -> str | None:
        return complaint_about(request.body, version=request.header("anthropic-version"))

    def encode_stream(self, reply: Reply, request: UpstreamRequest) -> StreamedReply:
        *said, stop = encode_stream(reply)
        return StreamedReply(tuple(said), (stop,))

    def encode_whole(self, reply: Reply, request: UpstreamRequest) -> bytes:
        return encode_whole(reply)

    def encode_models(self, names: Sequence[str]) -> bytes:
        models: list[JsonValue] = [_model(name) for name in names]
        ends: JsonObject = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
        return json.dumps({"data": models, "has_more": False, **ends}).encode()

    def encode_refusal(self, status: int, message: str) -> bytes:
        usual = "api_error" if status >= 500 else "invalid_request_error"
        return encode_error(message, type=_TYPES.get(status, usual))

    def encode_stream_error(self, message: str) -> bytes:
        return b"event: error\ndata: %b\n\n" % encode_error(message, type="overloaded_error")


VOICE: Voice = AnthropicMessagesVoice()


def encode_stream(reply: Reply) -> list[bytes]:
    """The answer as events: the message's start, its blocks one after the other, how it ended, and its stop."""
    events = [_event("message_start", {"message": _message(reply, [], _start_usage(reply), stop=None)}), PING]
    for index, (skeleton, deltas) in enumerate(_blocks(reply)):
        events.append(_event("content_block_start", {"index": index, "content_block": skeleton}))
        events += [_event("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
        events.append(_event("content_block_stop", {"index": index}))
    delta: JsonObject = {"stop_reason": _stop(reply), "stop_sequence": None, "stop_details": _details(reply)}
    events.append(_event("message_delta", {"delta": delta, "usage": _end_usage(reply)}))
    return [*events, _event("message_stop", {})]


def encode_whole(reply: Reply) -> bytes:
    """The answer as one JSON document."""
    content: list[JsonValue] = [_joined(skeleton, deltas) for skeleton, deltas in _blocks(reply)]
    usage = {**_start_usage(reply), **_end_usage(reply)}
    return json.dumps(_message(reply, content, usage, stop=_stop(reply))).encode()


def encode_error(message: str, *, type: str = "invalid_request_error", code: str | None = None) -> bytes:
    error: JsonObject = {"type": type, "message": message}
    if code is not None:
        error["details"] = {"error_code": code}
    return json.dumps({"type": "error", "error": error, "request_id": REQUEST_ID}).encode()


def _event(name: str, fields: JsonObject) -> bytes:
    data = json.dumps({"type": name, **fields}, separators=(",", ":"))
    return f"event: {name}\ndata: {data}\n\n".encode()


def _blocks(reply: Reply) -> list[tuple[JsonObject, list[JsonObject]]]:
    """Each block as it starts, and what grows in it. A refusal has no channel of its own."""
    blocks: list[tuple[JsonObject, list[JsonObject]]] = []
    if reply.reasoning or reply.signature:
        thoughts: list[JsonObject] = [{"type": "thinking_delta", "thinking": piece} for piece in reply.reasoning]
        thoughts.append({"type": "signature_delta", "signature": reply.signature or "c2NyaXB0ZWQ="})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, thoughts))
    if texts := [*reply.text, *reply.refusal]:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in texts]))
    for number, call in enumerate(reply.calls):
        skeleton: JsonObject = {"type": "tool_use", "id": call.id or f"toolu_{number}", "name": call.name, "input": {}}
        blocks.append((skeleton, _pieces(call)))
    return blocks


def _pieces(call: ScriptedCall) -> list[JsonObject]:
    third = max(1, -(-len(call.arguments) // 3))
    pieces = ["", *(call.arguments[at : at + third] for at in range(0, len(call.arguments), third))]
    return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def _joined(skeleton: JsonObject, deltas: list[JsonObject]) -> JsonObject:
    whole = dict(skeleton)
    for field in ("text", "thinking", "signature"):
        if field in skeleton:
            whole[field] = "".join(str(delta.get(field, "")) for delta in deltas)
    if "input" in skeleton:
        whole["input"] = json.loads("".join(str(delta["partial_json"]) for delta in deltas) or "{}")
    return whole


def _message(reply: Reply, content: list[JsonValue], usage: JsonObject, *, stop: str | None) -> JsonObject:
    return {
        "id": ANSWER_ID,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


def _start_usage(reply: Reply) -> JsonObject:
    """What was read from the cache is counted beside the input."""
    if reply.usage is None:
        return {}
    cached = reply.cached or 0
    return {
        "input_tokens": reply.usage[0] - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": 1,
        "service_tier": "standard",
    }


def _end_usage(reply: Reply) -> JsonObject:
    if reply.usage is None:
        return {}
    told: JsonObject = {"output_tokens": reply.usage[1]}
    if reply.thought is not None:
        told["output_tokens_details"] = {"thinking_tokens": reply.thought}
    return told


def _stop(reply: Reply) -> str:
    return reply.raw_finish or _STOPS[reply.ending]


def _details(reply: Reply) -> JsonObject | None:
    if reply.ending != "filtered":
        return None
    return {"type": "refusal", "category": None, "explanation": None}


def _model(name: str) -> JsonObject:
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }
