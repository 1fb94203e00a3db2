"""Parts of a message in this language's words: content, calls, thoughts. `messages_out` puts them together."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Raw, Struct

from parlance.core.parts import CacheMark, File, Image, Inline, Kept, Part, Reasoning, Text, ToolCall, Uploaded, Url
from parlance.dialects.data_uris import encode_data_uri
from parlance.dialects.losses import Losses
from parlance.dialects.openai_chat import quirks as quirk
from parlance.dialects.openai_chat.thoughts import FAMILY, encode_entry, encode_signature
from parlance.dialects.openai_chat.wire import Custom, Function
from parlance.dialects.openai_chat.wire_requests import (
    Audio,
    AudioContent,
    CacheControl,
    Content,
    FileContent,
    FileContentPart,
    ImageContent,
    ImageUrl,
    TextContent,
    WireCall,
)

_LONGEST_ID: Final = 40
_AUDIO: Final = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


class Listener(Struct, frozen=True):
    """Who a request is said to."""

    host: str
    quirks: frozenset[str]
    losses: Losses

    def takes_fields_of(self, origin_host: str | None) -> bool:
        """Whether to send back what a host added beyond the specification: only to that host itself."""
        return quirk.STRICT_FIELDS not in self.quirks and origin_host in (None, self.host)


def encode_content(parts: Sequence[Part], to: Listener) -> str | list[Content]:
    """Plain text as one string, which every host takes; else a list."""
    contents = [content for part in parts for content in _content(part, to)]
    texts = [content for content in contents if isinstance(content, TextContent) and content.cache_control is None]
    return "\n\n".join(one.text for one in texts) if len(texts) == len(contents) else contents


def _content(part: Part, to: Listener) -> list[Content]:
    match part:
        case Text(text=text, cache=cache):
            return [TextContent(text=text, cache_control=_mark(cache, to))] if text else []
        case Image():
            return [_image(part, to)]
        case File():
            return [_file(part, to)]
        case Kept():
            lose_kept(part, to)
        case _:
            pass
    return []


def lose_kept(part: Kept, to: Listener) -> None:
    to.losses.add(
        "part_dropped", f"A block of type {part.type!r} ({part.family}) can't be said to {to.host}: left out."
    )


def _image(part: Image, to: Listener) -> Content:
    match part.source:
        case _ if quirk.TEXT_ONLY in to.quirks:
            pass
        case Url(url=url):
            return ImageContent(image_url=ImageUrl(url, part.detail), cache_control=_mark(part.cache, to))
        case Inline(data=data):
            url = encode_data_uri(part.media_type or "image/png", data)
            return ImageContent(image_url=ImageUrl(url, part.detail), cache_control=_mark(part.cache, to))
        case _:
            pass
    return _named(part, "image", to)


def _file(part: File, to: Listener) -> Content:
    match part.source:
        case _ if quirk.TEXT_ONLY in to.quirks:
            pass
        case Inline(data=data) if part.media_type in _AUDIO:
            return AudioContent(input_audio=Audio(b64encode(data).decode(), _AUDIO[part.media_type or ""]))
        case Inline(data=data):
            url = encode_data_uri(part.media_type or "application/octet-stream", data)
            return FileContentPart(file=FileContent(file_data=url, filename=part.name or "file"))
        case Uploaded(family=family, id=id) if family == FAMILY:
            return FileContentPart(file=FileContent(file_id=id))
        case _:
            pass
    return _named(part, "file", to)


def _named(part: Image | File, kind: str, to: Listener) -> Content:
    words = " ".join(word for word in (kind, part.name, part.media_type) if word)
    to.losses.add("part_dropped", f"{to.host} can't be given this {kind} ({words}): it is only named in the text.")
    return TextContent(text=f"[{words}]")


def _mark(cache: CacheMark | None, to: Listener) -> CacheControl | None:
    return CacheControl("ephemeral", cache.ttl) if cache is not None and quirk.CACHE_MARKS in to.quirks else None


def encode_call(call: ToolCall, to: Listener, *, back: bool) -> WireCall:
    """`back`: whether its maker is the listener, who then gets its own signature again."""
    signed = encode_signature(call) if back and call.signature is not None and call.signature.family == FAMILY else None
    if call.signature is not None and signed is None:
        lose_signature(to)
    id = encode_call_id(call.id, to.quirks)
    if call.freeform:
        return WireCall(id, "custom", custom=Custom(call.name, call.arguments), extra_content=signed)
    function = Function(call.name, call.arguments if _is_object(call.arguments) else "{}")
    return WireCall(id, "function", function=function, extra_content=signed)


def _is_object(arguments: str) -> bool:
    """Hosts parse what they get back. A call whose arguments are none would have the whole history refused."""
    try:
        msgspec.json.decode(arguments, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def encode_call_id(id: str, quirks: frozenset[str]) -> str:
    """The id as the host takes it, the same for a call and its result."""
    if quirk.SHORT_CALL_IDS in quirks:
        return (
            id
            if len(id) == 9 and id.isascii() and id.isalnum()
            else sha256(id.encode("utf-8", "replace")).hexdigest()[:9]
        )
    return id if len(id) <= _LONGEST_ID else f"call_{sha256(id.encode('utf-8', 'replace')).hexdigest()[:32]}"


def encode_thoughts(parts: Sequence[Part], to: Listener, *, back: bool) -> list[Raw]:
    """The signed thoughts, for the host that signed them. Unsigned ones stay here: no host asks for them."""
    entries = []
    for part in parts:
        if isinstance(part, Reasoning) and part.signature is not None:
            if back and part.signature.family == FAMILY:
                entries.append(encode_entry(part.signature, sealed=not part.text, text=part.text))
            else:
                lose_signature(to)
    return entries


def lose_signature(to: Listener) -> None:
    to.losses.add("signature_dropped", f"The history holds signatures that are not {to.host}'s own: left out.")
