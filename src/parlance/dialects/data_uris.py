"""Content that travels inside a request as base64, bare or in a `data:` URI."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from parlance.core.parts import Inline, Source, Url
from parlance.dialects.chat_request import refused


def encode_data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"


def decode_source(url: str, path: str) -> tuple[Source, str | None]:
    """What a `data:` URI holds, with its media type, or the address itself. `path` is its place in the request."""
    if not url.startswith("data:"):
        if not url.startswith(("https://", "http://")):
            raise refused(path, "It must be an http(s) address or a data: URI.")
        return Url(url), None
    head, comma, data = url.removeprefix("data:").partition(",")
    if not comma or not head.endswith(";base64"):
        raise refused(path, "A data: URI must be of the form data:<media type>;base64,<data>.")
    return Inline(decode_base64(data, path)), head.removesuffix(";base64").split(";")[0] or None


def decode_base64(data: str, path: str) -> bytes:
    """Raises `InvalidRequest` with the place for what is none."""
    try:
        return b64decode(data, validate=True)
    except (Base64Error, ValueError) as error:
        raise refused(path, "It is not valid base64.") from error
