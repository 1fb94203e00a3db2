"""Thought signatures: opaque bytes, in base64 on the wire, kept as the text they came as."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Final

from parlance.core.parts import Signature
from parlance.dialects.foreign import unwrap_signature, wrap_signature

FAMILY: Final = "gemini"

UNCHECKED: Final = "skip_thought_signature_validator"
"""What Google documents for calls that another model made: its hosts take it for a signature."""

_FOREIGN: Final = "cGFybGFuY2U6"


def encode_signature(signature: Signature) -> str:
    """A foreign one is wrapped, and in base64 as this wire's clients want it."""
    if signature.family == FAMILY:
        return signature.value
    return b64encode(wrap_signature(signature, family=FAMILY).encode("utf-8", "replace")).decode()


def decode_signature(value: str) -> Signature:
    if value.startswith(_FOREIGN):
        try:
            return unwrap_signature(b64decode(value, validate=True).decode(), family=FAMILY)
        except (Base64Error, ValueError):
            pass
    return Signature(FAMILY, value)
