"""Ollama's own chat, as a server of it says it."""

import json
from collections.abc import Mapping, Sequence

from parlance.core.json import JsonObject, JsonValue
from parlance.core.parts import Family
from parlance.core.usage import Finish
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voice import StreamedReply, Voice, Wanted
from parlance.testing.voices.ollama_strict import complaint_about

CREATED = "2026-01-02T03:04:05.678901Z"

_FINISHES: Mapping[Finish, str] = {"tool_calls": "stop", "unknown": "something_new"}


class OllamaVoice:
    """A `DescribingVoice`, too: `/api/show` tells how long a model's window is."""

    family: Family = "ollama"
    base_path: str = ""
    stream_type: str = "application/x-ndjson"

    def wants(self, request: UpstreamRequest) -> Wanted | None:
        match request.method, request.path.partition("?")[0]:
            case "POST", "/api/chat":
                return "answer"
            case "GET", "/api/tags":
                return "models"
            case "POST", "/api/show":
                return "description"
            case _:
                return None

    def key_of(self, request: UpstreamRequest) -> str | None:
        return (request.header("authorization") or "").removeprefix("Bearer ") or None

    def streams(self, request: UpstreamRequest) -> bool:
        return request.json.get("stream") is not False

    def complaint_about(self, request: UpstreamRequest) -> str | None:
        return complaint_about(request.body)

    def encode_stream(self, reply: Reply, request: UpstreamRequest) -> StreamedReply:
        said = tuple(_line({**_envelope(reply), "message": message, "done": False}) for message in _messages(reply))
        return StreamedReply(said, (_line({**_envelope(reply), "message": _message(""), **_end(reply)}),))

    def encode_whole(self, reply: Reply, request: UpstreamRequest) -> bytes:
        return encode_whole(reply)

    def encode_models(self, names: Sequence[str]) -> bytes:
        details: JsonObject = {"parent_model": "", "format": "gguf", "family": "scripted", "quantization_level": "Q4_0"}
        models: list[JsonValue] = [
            {"name": name, "model": name, "modified_at": CREATED, "size": 4_000_000_000, "details": details}
            for name in names
        ]
        return json.dumps({"models": models}).encode()

    def encode_description(self, name: str, window: int) -> bytes:
        about: JsonObject = {"general.architecture": "scripted", "scripted.context_length": window}
        told: JsonObject = {
            "parameters": 'stop                           "<|end|>"',
            "template": "{{ .Prompt }}",
            "details": {"format": "gguf", "family": "scripted"},
            "model_info": about,
            "capabilities": ["completion", "tools", "thinking"],
        }
        return json.dumps(told).encode()

    def encode_refusal(self, status: int, message: str) -> bytes:
        return json.dumps({"error": message}).encode()

    def encode_stream_error(self, message: str) -> bytes:
        return _line({"error": message})


VOICE: Voice = OllamaVoice()


def encode_whole(reply: Reply) -> bytes:
    """The answer as one JSON document."""
    message = _message("".join((*reply.text, *reply.refusal)))
    if reply.reasoning:
        message["thinking"] = "".join(reply.reasoning)
    if reply.calls:
        message["tool_calls"] = [_call(index, call) for index, call in enumerate(reply.calls)]
    return json.dumps({**_envelope(reply), "message": message, **_end(reply)}).encode()


def _messages(reply: Reply) -> list[JsonObject]:
    """What each line adds: thoughts have lines of their own, and so has each call."""
    thoughts: list[JsonObject] = [{**_message(""), "thinking": piece} for piece in reply.reasoning]
    texts = [_message(piece) for piece in (*reply.text, *reply.refusal)]
    calls: list[JsonObject] = [
        {**_message(""), "tool_calls": [_call(index, call)]} for index, call in enumerate(reply.calls)
    ]
    return thoughts + texts + calls


def _message(content: str) -> JsonObject:
    return {"role": "assistant", "content": content}


def _call(index: int, call: ScriptedCall) -> JsonObject:
    """Only newer servers give ids, so one is told only where it is scripted."""
    function: JsonObject = {"index": index, "name": call.name, "arguments": json.loads(call.arguments)}
    return {"id": call.id, "function": function} if call.id is not None else {"function": function}


def _envelope(reply: Reply) -> JsonObject:
    return {"model": reply.model, "created_at": CREATED}


def _end(reply: Reply) -> JsonObject:
    reason = reply.raw_finish or _FINISHES.get(reply.ending, reply.ending)
    end: JsonObject = {"done": True, "done_reason": reason, "total_duration": 3_000_000, "load_duration": 1_000_000}
    if reply.usage:
        end["prompt_eval_count"], end["eval_count"] = reply.usage
        end["prompt_eval_duration"] = end["eval_duration"] = 1_000_000
    return end


def _line(value: JsonObject) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
