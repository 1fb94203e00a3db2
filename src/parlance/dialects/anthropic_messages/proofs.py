"""Opaque proofs on this wire: thinking is signed natively; what calls bear rides beside them.

A call has no field for a signature. A foreign one travels in a `redacted_thinking` of its own, which names the call,
so that every client sends it back; what the API itself adds to a call is kept as a signature of this family.
"""

from typing import Final
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw

from parlance.core.parts import Signature, ToolCall
from parlance.dialects.anthropic_messages.wire import FAMILY
from parlance.dialects.raw_fields import read_fields, read_json

_RIDER: Final = "parlance-call:"
_ADDITIONS: Final = ("caller", "toolset_name")


def encode_rider(call: ToolCall, signature: Signature) -> str:
    """The `data` of the block that bears a call's signature."""
    return f"{_RIDER}{signature.family}:{quote(call.id, safe='')}:{signature.value}"


def decode_rider(data: str) -> tuple[str, Signature] | None:
    """The id of the call and its signature; None for a thought that is sealed."""
    family, colon, rest = data.removeprefix(_RIDER).partition(":")
    id, other, value = rest.partition(":")
    if not data.startswith(_RIDER) or not (family and colon and id and other):
        return None
    return unquote(id), Signature(family, value)


def keep_additions(caller: Raw, toolset_name: str | None) -> Signature | None:
    """What a call bears beyond its name and input, where that is not the usual."""
    added: dict[str, object] = {}
    if bytes(caller) not in (b"", b"null") and bytes(read_fields(caller).get("type", b"")) != b'"direct"':
        mended = read_json(caller)
        if mended is not None:
            added["caller"] = mended
    if toolset_name:
        added["toolset_name"] = toolset_name
    return Signature(FAMILY, msgspec.json.encode(added).decode()) if added else None


def additions_of(call: ToolCall) -> dict[str, Raw]:
    """The same, as fields of the call again."""
    signature = call.signature
    if signature is None or signature.family != FAMILY or not signature.value.startswith("{"):
        return {}
    fields = read_fields(Raw(signature.value.encode("utf-8", "replace")))
    return {name: fields[name] for name in _ADDITIONS if name in fields}
