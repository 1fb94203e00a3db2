"""What a scripted model says, and its exact bytes in OpenAI's chat completions, streamed and whole.

Written apart from the dialect on purpose: neither can hide the other's mistakes.
"""

import json
from collections.abc import Mapping, Sequence

from msgspec import Struct

from parlance.core.json import JsonObject, JsonValue

CREATED = 1_700_000_000
ANSWER_ID = "chatcmpl-scripted"


class ScriptedCall(Struct, frozen=True):
    """A tool call. `arguments` is JSON text; it streams in three pieces. Without an id one is made from its place."""

    name: str
    arguments: str = "{}"
    id: str | None = None


class Reply(Struct, frozen=True, kw_only=True):
    """What the model says: each text and each thought is one chunk. `finish` None: `stop`, or `tool_calls` with calls.

    `usage`: tokens in and out, told when asked for; None tells none.
    """

    text: tuple[str, ...] = ("Hello", " there", "!")
    reasoning: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    calls: tuple[ScriptedCall, ...] = ()
    finish: str | None = None
    usage: tuple[int, int] | None = (5, 3)
    model: str = "scripted-model"

    @property
    def finish_reason(self) -> str:
        return self.finish or ("tool_calls" if self.calls else "stop")


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
    chunks.append(_chunk(reply, [_choice({}, reply.finish_reason)], null))
    if with_usage and reply.usage:
        chunks.append(_chunk(reply, [], {"usage": _usage(reply.usage)}))
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
    choice: JsonObject = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    whole = _envelope(reply, "chat.completion", [choice])
    if reply.usage:
        whole["usage"] = _usage(reply.usage)
    return json.dumps(whole).encode()


def encode_models(names: Sequence[str]) -> bytes:
    models: list[JsonValue] = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "scripted"} for name in names
    ]
    return json.dumps({"object": "list", "data": models}).encode()


def encode_error(message: str, *, type: str = "invalid_request_error", code: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": type, "param": None, "code": code}}).encode()


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


def _usage(usage: tuple[int, int]) -> JsonObject:
    return {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
