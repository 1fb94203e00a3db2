"""Reasoning with proofs: the `reasoning_details` that some hosts of this language add, and want back as they were.

An entry's signature is kept as its bare value. Where the entry bears a `format`, which such a host needs to take it
back, the value is the whole entry without its text, as JSON.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Raw, Struct

from parlance.core.parts import Reasoning, Signature, Text, ToolCall
from parlance.dialects.foreign import unwrap_signature, wrap_signature
from parlance.dialects.mend import encode_json
from parlance.dialects.openai_chat.wire import ExtraContent, Google
from parlance.dialects.raw_fields import read_fields, read_json, read_text

FAMILY: Final = "openai_chat"


class Entry(Struct):
    """One entry. `sealed`: an encrypted thought of its own, and no proof for the text before it."""

    text: str = ""
    signature: Signature | None = None
    sealed: bool = False


def decode_entry(raw: Raw) -> Entry:
    fields = read_fields(read_json(raw))
    text = read_text(fields.get("text")) or read_text(fields.get("summary")) or ""
    signed, data = read_text(fields.get("signature")), read_text(fields.get("data"))
    value = signed or data
    if not value:
        return Entry(text)
    if read_text(fields.get("format")):
        value = encode_json(
            {key: one for key, one in fields.items() if key not in ("text", "summary", "index")}
        ).decode()
    return Entry(text, unwrap_signature(value, family=FAMILY, id=read_text(fields.get("id"))), sealed=not signed)


def decode_entries(entries: Iterable[Raw], *, beside: str = "") -> list[Reasoning]:
    """The thoughts of a whole message: text up to its signature is one. `beside`: the same text, said once more."""
    read = [decode_entry(raw) for raw in entries]
    proofs = [entry for entry in read if entry.signature is not None and not entry.sealed]
    if beside and not any(entry.text for entry in read):
        # Whoever kept a stream's pieces has the text here and its proof there; several proofs can't be told apart.
        if len(proofs) == 1:
            proofs[0].text = beside
        else:
            read.insert(0, Entry(beside))
    thoughts: list[Reasoning] = []
    text = ""
    for entry in read:
        text += entry.text
        if entry.sealed:
            thoughts += [Reasoning(text)] if text else []
            thoughts.append(Reasoning("", entry.signature, redacted=True))
            text = ""
        elif entry.signature is not None:
            thoughts.append(Reasoning(text, entry.signature, redacted=not text))
            text = ""
    return [*thoughts, Reasoning(text)] if text else thoughts


def encode_entry(signature: Signature, *, sealed: bool, text: str = "") -> Raw:
    """The entry that bears a signature: `sealed` on its own, else for `text`, which may also be said beside it."""
    value = wrap_signature(signature, family=FAMILY)
    fields: dict[str, object] = {}
    if value.startswith("{") and signature.family == FAMILY:
        fields |= _kept_entry(value)
    if not fields:
        fields |= {"type": "reasoning.encrypted", "data": value} if sealed else {"type": "reasoning.text"}
        if not sealed:
            fields["signature"] = value
        if signature.id is not None:
            fields["id"] = signature.id
    if text and not sealed:
        fields["text"] = text
    return Raw(encode_json(fields))


def _kept_entry(value: str) -> dict[str, Raw]:
    fields = read_fields(Raw(value.encode("utf-8", "replace")))
    return fields if (read_text(fields.get("type")) or "").startswith("reasoning.") else {}


def encode_signature(part: Text | ToolCall) -> ExtraContent | None:
    """A text's or a call's signature, where Google's hosts of this language keep it."""
    if part.signature is None:
        return None
    return ExtraContent(Google(wrap_signature(part.signature, family=FAMILY)))


def decode_signature(extra: ExtraContent | None) -> Signature | None:
    if extra is None or extra.google is None or not extra.google.thought_signature:
        return None
    return unwrap_signature(extra.google.thought_signature, family=FAMILY)
