"""What our answers are made of: the response that every snapshot shows, and its items."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from parlance.core.errors import Fault
from parlance.core.parts import Kept, Part, Reasoning, Refusal, Text, ToolCall
from parlance.core.usage import Usage
from parlance.dialects.foreign import wrap_signature
from parlance.dialects.mend import encode_json
from parlance.dialects.openai_responses.endings import tell_usage
from parlance.dialects.openai_responses.faults import tell_failure
from parlance.dialects.openai_responses.items import SIGNATURE_ID, told_signature
from parlance.dialects.openai_responses.wire import FAMILY
from parlance.dialects.raw_fields import read_fields

_ECHO: Final = """
{"background":false,"frequency_penalty":0.0,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,
"metadata":{},"parallel_tool_calls":true,"presence_penalty":0.0,"previous_response_id":null,"prompt_cache_key":null,
"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","store":false,
"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1.0,
"truncation":"disabled","user":null}
"""
_DEFAULTS: Final = msgspec.json.decode(_ECHO, type=dict[str, Raw])


def echo_request(given: Mapping[str, Raw]) -> dict[str, Raw]:
    """The fields of a request that its response shows again, each with its default where it was not given."""
    said = {name: raw for name, raw in given.items() if name in _DEFAULTS and bytes(raw) != b"null"}
    for name in ("reasoning", "text"):
        said[name] = Raw(msgspec.json.encode({**read_fields(_DEFAULTS[name]), **read_fields(said.get(name))}))
    # Nothing is kept here, whatever was asked for.
    return {**_DEFAULTS, **said, "store": Raw(b"false")}


class Answer:
    """One turn's response. `created` is in seconds since 1970."""

    def __init__(self, *, created: int, echo: Mapping[str, Raw]) -> None:
        self.id = self.model = ""
        self.items: dict[int, bytes] = {}
        self._created = created
        self._echo = echo

    def tell(
        self, status: str, *, reason: str | None = None, fault: Fault | None = None, usage: Usage | None = None
    ) -> Raw:
        """The response as it stands; `reason` is why it is incomplete, `fault` why it failed."""
        fields: dict[str, object] = {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "completed_at": self._created if status == "completed" else None,
            "status": status,
            "error": None if fault is None else tell_failure(fault),
            "incomplete_details": None if reason is None else {"reason": reason},
            "model": self.model,
            "output": [Raw(item) for _, item in sorted(self.items.items())],
            "usage": None if usage is None else tell_usage(usage),
        }
        return Raw(encode_json({**fields, **self._echo}))


def tell_item(part: Part, id: str, *, done: bool) -> dict[str, object]:
    """A part as an item of its own, as it begins or as it is at its end."""
    status = "completed" if done else "in_progress"
    match part:
        case Text() | Refusal():
            content = [tell_content(part)] if done else []
            message = {"id": id, "type": "message", "status": status, "role": "assistant", "content": content}
            return {**message, **told_signature(part.signature if done and isinstance(part, Text) else None)}
        case Reasoning():
            return _reasoning(part, id, done=done)
        case ToolCall():
            return _call(part, id, status, done=done)
        case Kept(data=data):
            return dict(read_fields(data))
        case _:
            raise TypeError(f"{type(part).__name__} is no part of an answer.")


def tell_content(part: Text | Refusal) -> dict[str, object]:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    own = [annotation.data for annotation in part.annotations if annotation.family == FAMILY]
    return {"type": "output_text", "annotations": own, "logprobs": [], "text": part.text}


def tell_summary(text: str) -> dict[str, object]:
    return {"type": "summary_text", "text": text}


def tell_thought(text: str) -> dict[str, object]:
    return {"type": "reasoning_text", "text": text}


def _reasoning(part: Reasoning, id: str, *, done: bool) -> dict[str, object]:
    item: dict[str, object] = {"id": id, "type": "reasoning", "summary": []}
    if not done:
        # A thought that will be known by its proof alone says so from the first.
        return {**item, "encrypted_content": ""} if part.redacted else item
    if part.text or not part.redacted:
        item["summary"] = [tell_summary(part.text)]
    if part.signature is not None:
        item["encrypted_content"] = wrap_signature(part.signature, family=FAMILY)
        if part.signature.id is not None:
            item[SIGNATURE_ID] = part.signature.id
    return item


def _call(call: ToolCall, id: str, status: str, *, done: bool) -> dict[str, object]:
    item: dict[str, object] = {"id": id, "type": "function_call", "status": status}
    item |= {"call_id": call.id, "name": call.name}
    if call.freeform:
        item |= {"type": "custom_tool_call", "input": call.arguments if done else ""}
        del item["status"]
    else:
        item["arguments"] = call.arguments if done else ""
    return {**item, **told_signature(call.signature if done else None)}
