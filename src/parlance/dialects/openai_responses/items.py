"""Items into parts: those of an answer, and those that a client sends back. What makes no sense counts as absent."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from parlance.core.ids import CallId, new_call_id
from parlance.core.parts import Annotation, Kept, Part, Reasoning, Refusal, Signature, Text, ToolCall
from parlance.dialects.foreign import unwrap_signature, wrap_signature
from parlance.dialects.openai_responses.wire import FAMILY, OWN_IDS, call_key, content_key, summary_key
from parlance.dialects.raw_fields import Fields, read_fields, read_items, read_json, read_text

SIGNATURE: Final = "parlance_signature"
"""Our own field for proofs this language has no place for: of texts and calls, which other families sign."""

SIGNATURE_ID: Final = "parlance_id"

_ECHOED: Final = ("phase", "async", "caller", "namespace")
"""Fields of messages and calls that mean something to the host alone, which wants them back as they were."""


class Place(Struct, frozen=True):
    """A part and its key in the stream."""

    key: int
    part: Part


def parts_of_item(fields: Fields, *, raw: Raw, index: int = 0) -> list[Place]:
    """All parts of a whole item; none for a thought that is empty and unsigned. `index` is its place in the output."""
    match read_text(fields.get("type")) or "":
        case "message":
            return _message(fields, index)
        case "reasoning":
            return _reasoning(fields, index)
        case "function_call" | "custom_tool_call":
            call = call_of_item(fields)
            return [Place(call_key(index), call)] if call is not None else []
        case kind:
            data = read_json(raw)
            return [Place(call_key(index), Kept(FAMILY, kind or "item", data))] if data is not None else []


def call_of_item(fields: Fields) -> ToolCall | None:
    """The call, or its skeleton; None as long as it has no name."""
    name = read_text(fields.get("name"))
    if not name:
        return None
    freeform = "input" in fields or read_text(fields.get("type")) == "custom_tool_call"
    given = fields.get("input") if freeform else fields.get("arguments")
    return ToolCall(
        id=CallId(read_text(fields.get("call_id")) or read_text(fields.get("id")) or new_call_id()),
        name=name,
        arguments=_arguments(given),
        signature=_signature(fields),
        freeform=freeform,
        upstream_id=_foreign_id(fields),
    )


def annotation_of(raw: Raw) -> Annotation | None:
    data = read_json(raw)
    if data is None or not read_fields(data):
        return None
    return Annotation(FAMILY, read_text(read_fields(data).get("type")) or "annotation", data)


def echo_of(signature: Signature | None) -> dict[str, Raw]:
    """The fields that a part's signature stands for, where it is this language's own; empty where it is a proof."""
    if signature is None or signature.family != FAMILY or not signature.value.startswith("{"):
        return {}
    fields = read_fields(Raw(signature.value.encode("utf-8", "replace")))
    return fields if set(fields) <= set(_ECHOED) else {}


def told_signature(signature: Signature | None) -> dict[str, Raw | str]:
    """A text's or a call's signature as fields of its item."""
    if signature is None:
        return {}
    return {**echo_of(signature)} or {SIGNATURE: wrap_signature(signature, family=FAMILY)}


def _message(fields: Fields, index: int) -> list[Place]:
    places: list[Place] = []
    echoed = _signature(fields)
    for number, raw in enumerate(read_items(fields.get("content"))):
        content = read_fields(raw)
        text, refusal = read_text(content.get("text")), read_text(content.get("refusal"))
        part: Part | None = None
        if refusal is not None:
            part = Refusal(refusal)
        elif text is not None:
            part = Text(text, _annotations(content.get("annotations")), _signature(content) or echoed)
        if part is not None:
            places.append(Place(content_key(index, number), part))
    if not places and (text := read_text(fields.get("content"))):
        places.append(Place(content_key(index, 0), Text(text, signature=echoed)))
    return places


def _reasoning(fields: Fields, index: int) -> list[Place]:
    """Its thoughts, then their summaries; the proof is the last one's."""
    thoughts = [
        Place(content_key(index, number), Reasoning(text)) for number, text in enumerate(_texts(fields.get("content")))
    ] + [
        Place(summary_key(index, number), Reasoning(text, summary=True))
        for number, text in enumerate(_texts(fields.get("summary")))
    ]
    sealed = read_text(fields.get("encrypted_content"))
    if not sealed:
        return [*thoughts]
    id = read_text(fields.get(SIGNATURE_ID)) or _foreign_id(fields)
    signature = unwrap_signature(sealed, family=FAMILY, id=id)
    if not thoughts:
        return [Place(summary_key(index, 0), Reasoning("", signature, redacted=True, summary=True))]
    *before, last = thoughts
    return [*before, Place(last.key, msgspec.structs.replace(last.part, signature=signature))]


def _texts(raw: Raw | None) -> Sequence[str]:
    return [read_text(read_fields(one).get("text")) or "" for one in read_items(raw)]


def _annotations(raw: Raw | None) -> tuple[Annotation, ...]:
    return tuple(filter(None, map(annotation_of, read_items(raw))))


def _arguments(raw: Raw | None) -> str:
    """Text; where a host sends an object instead, that object's own text."""
    if raw is None or bytes(raw) == b"null":
        return ""
    text = read_text(raw)
    return bytes(raw).decode("utf-8", "replace") if text is None else text


def _signature(fields: Fields) -> Signature | None:
    value = read_text(fields.get(SIGNATURE))
    if value:
        return unwrap_signature(value, family=FAMILY)
    echoed = {name: data for name in _ECHOED if (data := _said(fields.get(name))) is not None}
    return Signature(FAMILY, msgspec.json.encode(echoed).decode()) if echoed else None


def _said(raw: Raw | None) -> Raw | None:
    """None for what says nothing: null, false, and a call that the model itself makes."""
    if raw is None or bytes(raw) in (b"null", b"false") or read_text(read_fields(raw).get("type")) == "direct":
        return None
    return read_json(raw)


def _foreign_id(fields: Fields) -> str | None:
    id = read_text(fields.get("id"))
    return id if id and not id.startswith(OWN_IDS) else None
