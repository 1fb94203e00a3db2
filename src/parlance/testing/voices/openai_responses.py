"""OpenAI's responses, as a host says them."""

import json
from collections.abc import Mapping, Sequence

from parlance.core.json import JsonObject, JsonValue
from parlance.core.parts import Family
from parlance.core.usage import Finish
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voice import StreamedReply, Voice, Wanted
from parlance.testing.voices.openai_chat import encode_error, encode_models
from parlance.testing.voices.openai_responses_strict import complaint_about

CREATED = 1_700_000_000
ANSWER_ID = "resp_scripted"

_REASONS: Mapping[Finish, str] = {
    "length": "max_output_tokens",
    "filtered": "content_filter",
    "continue": "steered",
    "unknown": "something_new",
}
_TYPES: Mapping[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("server_error", None),
    503: ("service_unavailable_error", "server_is_overloaded"),
}


class OpenAIResponsesVoice:
    family: Family = "openai_responses"
    base_path: str = "/v1"
    stream_type: str = "text/event-stream"

    def wants(self, request: UpstreamRequest) -> Wanted | None:
        asked = (request.method, request.path.partition("?")[0])
        return "answer" if asked == ("POST", "/v1/responses") else None

    def key_of(self, request: UpstreamRequest) -> str | None:
        return (request.header("authorization") or "").removeprefix("Bearer ") or None

    def streams(self, request: UpstreamRequest) -> bool:
        return request.json.get("stream") is True

    def complaint_about(self, request: UpstreamRequest) -> str | None:
        return complaint_about(request.body)

    def encode_stream(self, reply: Reply, request: UpstreamRequest) -> StreamedReply:
        events = _Numbered()
        begun = _response(reply, request.json, "in_progress")
        for kind in ("response.created", "response.in_progress"):
            events.tell(kind, {"response": begun})
        for index, item in enumerate(_items(reply)):
            _tell_item(events, index, item, reply)
        ended = _response(reply, request.json, _status(reply))
        events.tell(f"response.{_status(reply)}", {"response": ended})
        return StreamedReply(tuple(events.frames[:-1]), tuple(events.frames[-1:]))

    def encode_whole(self, reply: Reply, request: UpstreamRequest) -> bytes:
        return encode_whole(reply, request.json)

    def encode_models(self, names: Sequence[str]) -> bytes:
        return encode_models(names)

    def encode_refusal(self, status: int, message: str) -> bytes:
        type, code = _TYPES.get(status, ("invalid_request_error", None))
        return encode_error(message, type=type, code=code)

    def encode_stream_error(self, message: str) -> bytes:
        return encode_event({
            "type": "error", "code": "server_error", "message": message, "param": None, "sequence_number": 99,
        })  # fmt: skip


VOICE: Voice = OpenAIResponsesVoice()


def encode_event(event: JsonObject) -> bytes:
    data = json.dumps(event, separators=(",", ":")).encode()
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), data)


def encode_whole(reply: Reply, asked: JsonObject) -> bytes:
    """The answer as one JSON document."""
    return json.dumps(_response(reply, asked, _status(reply))).encode()


class _Numbered:
    """Frames, numbered from 0 in the order they are told."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def tell(self, kind: str, fields: JsonObject) -> None:
        self.frames.append(encode_event({"type": kind, "sequence_number": len(self.frames), **fields}))


def _tell_item(events: _Numbered, index: int, item: JsonObject, reply: Reply) -> None:
    begun = {**item, "status": "in_progress"} if "status" in item else {**item}
    where: JsonObject = {"item_id": item["id"], "output_index": index}
    match item["type"]:
        case "reasoning":
            events.tell("response.output_item.added", {"output_index": index, "item": {**begun, "summary": []}})
            if reply.reasoning:
                _tell_summary(events, where, reply.reasoning)
        case "message":
            events.tell("response.output_item.added", {"output_index": index, "item": {**begun, "content": []}})
            contents = [pieces for pieces in (("text", reply.text), ("refusal", reply.refusal)) if pieces[1]]
            for number, (kind, pieces) in enumerate(contents):
                _tell_content(events, {**where, "content_index": number}, kind, pieces)
        case _:
            events.tell("response.output_item.added", {"output_index": index, "item": {**begun, "arguments": ""}})
            arguments = str(item["arguments"])
            third = max(1, -(-len(arguments) // 3))
            for at in range(0, len(arguments), third):
                events.tell("response.function_call_arguments.delta", {**where, "delta": arguments[at : at + third]})
            events.tell("response.function_call_arguments.done", {**where, "arguments": arguments})
    events.tell("response.output_item.done", {"output_index": index, "item": item})


def _tell_summary(events: _Numbered, where: JsonObject, pieces: Sequence[str]) -> None:
    place: JsonObject = {**where, "summary_index": 0}
    events.tell("response.reasoning_summary_part.added", {**place, "part": {"type": "summary_text", "text": ""}})
    for piece in pieces:
        events.tell("response.reasoning_summary_text.delta", {**place, "delta": piece, "obfuscation": "x7"})
    text = "".join(pieces)
    events.tell("response.reasoning_summary_text.done", {**place, "text": text})
    events.tell("response.reasoning_summary_part.done", {**place, "part": {"type": "summary_text", "text": text}})


def _tell_content(events: _Numbered, place: JsonObject, kind: str, pieces: Sequence[str]) -> None:
    channel = "output_text" if kind == "text" else "refusal"
    logprobs: JsonObject = {"logprobs": []} if kind == "text" else {}
    events.tell("response.content_part.added", {**place, "part": _content(kind, "")})
    for piece in pieces:
        events.tell(f"response.{channel}.delta", {**place, "delta": piece, **logprobs, "obfuscation": "x7"})
    text = "".join(pieces)
    done: JsonObject = {kind: text}
    events.tell(f"response.{channel}.done", {**place, **done, **logprobs})
    events.tell("response.content_part.done", {**place, "part": _content(kind, text)})


def _content(kind: str, text: str) -> JsonObject:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _items(reply: Reply) -> list[JsonObject]:
    items: list[JsonObject] = []
    if reply.reasoning or reply.signature is not None:
        thought = "".join(reply.reasoning)
        summary: list[JsonValue] = [{"type": "summary_text", "text": thought}] if thought else []
        items.append({"id": "rs_0", "type": "reasoning", "summary": summary, "encrypted_content": reply.signature})
    said = [
        _content(kind, "".join(pieces)) for kind, pieces in (("text", reply.text), ("refusal", reply.refusal)) if pieces
    ]
    if said:
        message: JsonObject = {"id": "msg_0", "type": "message", "status": "completed", "role": "assistant"}
        items.append({**message, "content": [*said]})
    return items + [_call(number, call) for number, call in enumerate(reply.calls)]


def _call(number: int, call: ScriptedCall) -> JsonObject:
    return {
        "id": f"fc_{number}",
        "type": "function_call",
        "status": "completed",
        "arguments": call.arguments,
        "call_id": call.id or f"call_{number}",
        "name": call.name,
    }


def _reason(reply: Reply) -> str | None:
    return reply.raw_finish or _REASONS.get(reply.ending)


def _status(reply: Reply) -> str:
    if reply.ending == "error":
        return "failed"
    return "incomplete" if _reason(reply) else "completed"


def _response(reply: Reply, asked: JsonObject, status: str) -> JsonObject:
    """The whole response, with what it shows of its request."""
    ended = status != "in_progress"
    reason = _reason(reply) if status == "incomplete" else None
    failed: JsonObject = {"code": "server_error", "message": "The model failed."}
    return {
        "id": ANSWER_ID,
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "completed_at": CREATED if status == "completed" else None,
        "error": failed if status == "failed" else None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "max_tool_calls": None,
        "metadata": {},
        "model": reply.model,
        "output": [*_items(reply)] if ended else [],
        "parallel_tool_calls": asked.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": asked.get("reasoning") or {"effort": None, "summary": None},
        "service_tier": "default" if ended else "auto",
        "store": asked.get("store", True),
        "temperature": asked.get("temperature", 1.0),
        "text": asked.get("text") or {"format": {"type": "text"}},
        "tool_choice": asked.get("tool_choice", "auto"),
        "tools": asked.get("tools") or [],
        "top_logprobs": 0,
        "top_p": asked.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": _usage(reply, reply.usage) if ended and reply.usage else None,
        "user": None,
    }


def _usage(reply: Reply, usage: tuple[int, int]) -> JsonObject:
    return {
        "input_tokens": usage[0],
        "input_tokens_details": {"cached_tokens": reply.cached or 0, "cache_write_tokens": 0},
        "output_tokens": usage[1],
        "output_tokens_details": {"reasoning_tokens": reply.thought or 0},
        "total_tokens": sum(usage),
    }
