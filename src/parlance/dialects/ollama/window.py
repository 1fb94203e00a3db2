"""How much of a model's window a request needs, and how large the window is.

Unasked, a server reserves what it thinks fit, and leaves out the oldest messages of a larger request without a word.
"""

import re
from typing import Final

import msgspec
from msgspec import Struct

from parlance.core.provider import EncodedRequest
from parlance.core.requests import Window
from parlance.dialects.mend import encode_json, mend_json
from parlance.dialects.raw_fields import Fields, read_count, read_fields, read_text

PATH: Final = "/api/show"

LEAST: Final = 8192
"""Tokens reserved for the shortest request, so that a conversation can grow a while before it is loaded anew."""

ANSWER: Final = 4096
"""Tokens kept for an answer whose length is not limited."""

_BYTES_PER_TOKEN: Final = 3
"""Of JSON. Prose in English has more bytes to a token, Chinese about as many: too much reserved cuts nothing."""

TOKENS_PER_IMAGE: Final = 1000

_SET: Final = re.compile(r"^num_ctx\s+(\d+)\s*$", re.MULTILINE)


class Fit(Struct, frozen=True):
    """`num_ctx`: what to ask for, None where the host holds to its own. `needs`: the part that is this request's."""

    num_ctx: int | None
    needs: int | None
    too_large: bool


def estimate_tokens(encoded_bytes: int, images: int) -> int:
    """Tokens of a prompt from the size of its JSON, its images not among it. Rather too many than too few."""
    return -(-encoded_bytes // _BYTES_PER_TOKEN) + images * TOKENS_PER_IMAGE


def fit_window(prompt: int, max_output: int | None, window: Window | None) -> Fit:
    """What to reserve for a prompt of so many tokens: powers of two, up to the model's own, never less than is held.

    Each other figure than the last would make the host load the model anew.
    """
    wanted = prompt + (ANSWER if max_output is None else max_output)
    needs = max(LEAST, 1 << max(0, wanted - 1).bit_length())
    if window is None:
        return Fit(needs, needs, too_large=False)
    if window.fixed:
        return Fit(None, None, too_large=prompt > window.tokens)
    needs = min(needs, window.tokens)
    return Fit(min(max(needs, window.held), window.tokens), needs, too_large=prompt > window.tokens)


def encode_window_request(model: str) -> EncodedRequest:
    return EncodedRequest(PATH, encode_json({"model": model}))


def decode_window(body: bytes) -> Window | None:
    """What `/api/show` says: the length a model was trained for, or the one that its Modelfile sets."""
    try:
        fields = msgspec.json.decode(mend_json(body), type=Fields)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    trained = _trained(fields)
    found = _SET.search(read_text(fields.get("parameters")) or "")
    if found is not None and 0 < int(found[1]) < 1 << 40:
        own = int(found[1])
        return Window(min(own, trained) if trained else own, fixed=True)
    # What runs in Ollama's cloud always has the whole of its window.
    return Window(trained, fixed=bool(read_text(fields.get("remote_host")))) if trained else None


def _trained(fields: Fields) -> int | None:
    about = read_fields(fields.get("model_info"))
    architecture = read_text(about.get("general.architecture"))
    own = f"{architecture}.context_length"
    named = own if own in about else next((name for name in about if name.endswith(".context_length")), "")
    length = read_count(about.get(named)) if named else None
    return length if length is not None and length > 0 else None
