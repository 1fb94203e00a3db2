"""OpenAI's chat completions, as a host says them."""

import json
from collections.abc import Mapping, Sequence

from parlance.core.json import JsonObject, JsonValue
from parlance.core.parts import Family
from parlance.core.usage import Finish
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voice import StreamedReply, Voice, Wanted
from parlance.testing.voices.openai_chat_strict import complaint_about

CREATED = 1_700_000_000
ANSWER_ID = "chatcmpl-scripted"
DONE = b"data: [DONE]\n\n"

_FINISHES: Mapping[Finish, str] = {"filtered": "content_filter", "unknown": "something_new"}
_TYPES: Mapping[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("permission_error", None),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
    503: ("service_unavailable_error", "server_is_overloaded"),
}


class OpenAIChatVoice:
    family: Family = "openai_chat"
    base_path: str = "/v1"
    stream_type: str = "text/event-stream"

    def wants(self, request: UpstreamRequest) -> Wanted | None:
        match request.method, request.path.partition("?")[0]:
            case "POST", "/v1/chat/completions":
                return "answer"
            case "GET", "/v1/models":
                return "models"
            case _:
                return None

    def key_of(self, request: UpstreamRequest) -> str | None:
        return (request.header("authorization") or "").removeprefix("Bearer ") or None

    def streams(self, request: UpstreamRequest) -> bool:
        return request.json.get("stream") is True

    def complaint_about(self, request: UpstreamRequest) -> str | None:
        return complaint_about(request.body)

    def encode_stream(self, reply: Reply, request: UpstreamRequest) -> StreamedReply:
        options = request.json.get("stream_options")
        with_usage = isinstance(options, dict) and options.get("include_usage") is True
        events = encode_stream(reply, with_usage=with_usage)
        at = -2 if with_usage and reply.usage else -1
        return StreamedReply(tuple(events[:at]), tuple(events[at:]), (DONE,))

    def encode_whole(self, reply: Reply, request: UpstreamRequest) -> bytes:
        return encode_whole(reply)

    def encode_models(self, names: Sequence[str]) -> bytes:
        return encode_models(names)

    def encode_refusal(self, status: int, message: str) -> bytes:
        type, code = _TYPES.get(status, ("invalid_request_error", None))
        return encode_error(message, type=type, code=code)

    def encode_stream_error(self, message: str) -> bytes:
        return encode_event({"error": {"message": message, "type": "server_error", "param": None, "code": None}})


VOICE: Voice = OpenAIChatVoice()


def encode_stream(reply: Reply, *, with_usage: bool = False) -> list[bytes]:
    """The answer as events, `[DONE]` not among them: role, content, finish, and usage where it is asked for."""
    deltas: list[JsonObject] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in reply.reasoning]
    deltas += [{"content": piece} for piece in reply.text]
    deltas += [{"refusal": piece} for piece in reply.refusal]
    for index, call in enumerate(reply.calls):
        deltas += [{"tool_calls": [fragment]} for fragment in _fragments(index, call)]
    null: Mapping[str, JsonValue] = {"usage": None} if with_usage else {}
    chunks = [_chunk(reply, [_choice(delta, None)], null) for delta in deltas]
    chunks.append(_chunk(reply, [_choice({}, _finish(reply))], null))
    if with_usage and reply.usage:
        chunks.append(_chunk(reply, [], {"usage": _usage(reply, reply.usage)}))
    return [encode_event(chunk) for chunk in chunks]


def encode_event(value: JsonValue) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def encode_whole(reply: Reply) -> bytes:
    """The answer as one JSON document."""
    message: JsonObject = {"role": "assistant", "content": "".join(reply.text) or None}
    if reply.reasoning:
        message["reasoning_content"] = "".join(reply.reasoning)
    if reply.refusal:
        message["refusal"] = "".join(reply.refusal)
    if reply.calls:
        message["tool_calls"] = [_call(index, call) for index, call in enumerate(reply.calls)]
    choice: JsonObject = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply)}
    whole = _envelope(reply, "chat.completion", [choice])
    if reply.usage:
        whole["usage"] = _usage(reply, reply.usage)
    return json.dumps(whole).encode()


def encode_models(names: Sequence[str]) -> bytes:
    models: list[JsonValue] = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "scripted"} for name in names
    ]
    return json.dumps({"object": "list", "data": models}).encode()


def encode_error(message: str, *, type: str = "invalid_request_error", code: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": type, "param": None, "code": code}}).encode()


def _finish(reply: Reply) -> str:
    return reply.raw_finish or _FINISHES.get(reply.ending, reply.ending)


def _envelope(reply: Reply, kind: str, choices: list[JsonValue]) -> JsonObject:
    return {"id": ANSWER_ID, "object": kind, "created": CREATED, "model": reply.model, "choices": choices}


def _chunk(reply: Reply, choices: list[JsonValue], more: Mapping[str, JsonValue]) -> JsonObject:
    return {**_envelope(reply, "chat.completion.chunk", choices), **more}


def _choice(delta: JsonObject, finish: str | None) -> JsonObject:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _call(index: int, call: ScriptedCall) -> JsonObject:
    function: JsonObject = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id or f"call_{index}", "type": "function", "function": function}


def _fragments(index: int, call: ScriptedCall) -> list[JsonObject]:
    third = max(1, -(-len(call.arguments) // 3))
    pieces = [call.arguments[at : at + third] for at in range(0, len(call.arguments), third)]
    head: JsonObject = {"index": index, **_call(index, ScriptedCall(call.name, "", call.id))}
    tail: list[JsonObject] = [{"index": index, "function": {"arguments": piece}} for piece in pieces]
    return [head, *tail]


def _usage(reply: Reply, usage: tuple[int, int]) -> JsonObject:
    told: JsonObject = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
    if reply.cached is not None:
        told["prompt_tokens_details"] = {"cached_tokens": reply.cached}
    if reply.thought is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": reply.thought}
    return told
