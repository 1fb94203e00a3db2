"""How the opaque proofs of one language's hosts travel through another language: shared by all of them."""

from typing import Final

from parlance.core.parts import Family, Signature

_MARK: Final = "parlance:"


def wrap_signature(signature: Signature, *, family: Family) -> str:
    """The text to put where `family` keeps signatures: a foreign one becomes `parlance:<its family>:<value>`."""
    return signature.value if signature.family == family else f"{_MARK}{signature.family}:{signature.value}"


def unwrap_signature(value: str, *, family: Family, id: str | None = None) -> Signature:
    """The signature behind what stood where `family` keeps its own."""
    if value.startswith(_MARK):
        foreign, colon, inner = value.removeprefix(_MARK).partition(":")
        if foreign and colon:
            return Signature(foreign, inner, id)
    return Signature(family, value, id)
