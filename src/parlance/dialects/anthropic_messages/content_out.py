"""Parts of a message as blocks of this language. `messages_out` puts them together."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from parlance.core.messages import Message
from parlance.core.parts import (
    CacheMark,
    File,
    Image,
    Inline,
    Kept,
    Part,
    Reasoning,
    Refusal,
    Signature,
    Text,
    ToolCall,
    ToolResult,
    Uploaded,
    Url,
)
from parlance.dialects.anthropic_messages import quirks as quirk
from parlance.dialects.anthropic_messages.abilities import Abilities, kind_of
from parlance.dialects.anthropic_messages.names import encode_name
from parlance.dialects.anthropic_messages.projection import freeform_input
from parlance.dialects.anthropic_messages.proofs import additions_of
from parlance.dialects.anthropic_messages.wire import FAMILY
from parlance.dialects.anthropic_messages.wire_requests import (
    AnyBlock,
    CacheControl,
    CallBlock,
    Content,
    DocumentBlock,
    ImageBlock,
    RedactedBlock,
    ResultBlock,
    Source,
    TextBlock,
    ThinkingBlock,
)
from parlance.dialects.losses import Losses

_IMAGES: Final = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
_PDF: Final = "application/pdf"


class Listener(Struct, frozen=True):
    """Who a request is said to. `thoughts`: whether it takes its own thoughts back this time."""

    host: str
    model: str
    quirks: frozenset[str]
    can: Abilities
    thoughts: bool
    losses: Losses

    def made(self, message: Message) -> bool:
        """Whether a message is its own, so that its proofs and kept blocks may go back."""
        origin = message.origin
        if origin is None:
            return True
        return origin.host == self.host and origin.family == FAMILY

    def takes_thoughts_of(self, message: Message) -> bool:
        """Thoughts count only where they were made; those of the newer models, only for the very model."""
        origin = message.origin
        same = origin is None or not self.can.bound or kind_of(origin.model) == kind_of(self.model)
        return self.thoughts and same and self.made(message)


def encode_said(parts: Iterable[Part], to: Listener) -> list[AnyBlock]:
    """What the user said."""
    return [block for part in parts for block in _said(part, to)]


def _said(part: Part, to: Listener) -> list[AnyBlock]:
    match part:
        case Text(text=text, cache=cache):
            return [TextBlock(text=text, cache_control=encode_mark(cache))] if text.strip() else []
        case Image() | File():
            return [_shown(part, to)]
        case Kept(family=family, data=data) if family == FAMILY:
            return [data]
        case Kept():
            lose_kept(part, to)
        case _:
            pass
    return []


def encode_mark(cache: CacheMark | None) -> CacheControl | None:
    return CacheControl("ephemeral", cache.ttl) if cache is not None else None


def lose_kept(part: Kept, to: Listener) -> None:
    to.losses.add(
        "part_dropped", f"A block of type {part.type!r} ({part.family}) can't be said to {to.host}: left out."
    )


def _shown(part: Image | File, to: Listener) -> Content:
    mark = encode_mark(part.cache)
    source = None if quirk.TEXT_ONLY in to.quirks else _source(part)
    if source is None:
        return _named(part, to)
    if isinstance(part, Image):
        return ImageBlock(source=source, cache_control=mark)
    return DocumentBlock(source=source, title=part.name, cache_control=mark)


def _source(part: Image | File) -> Source | None:
    """Where the host finds it; None for what it can't be shown."""
    match part:
        case Image(source=Inline(data=b"")) | File(source=Inline(data=b"")):
            return None
        case Image(source=Url(url=url)) | File(source=Url(url=url), media_type=("application/pdf" | None)):
            return Source("url", url=url)
        case Image(source=Uploaded(family=family, id=id)) | File(source=Uploaded(family=family, id=id)):
            return Source("file", file_id=id) if family == FAMILY else None
        case Image(source=Inline(data=data), media_type=given):
            # What the bytes say counts: the host compares, and refuses what is called otherwise.
            media_type = next((type for head, type in _IMAGES.items() if data.startswith(head)), given)
            known = media_type in _IMAGES.values()
            return Source("base64", media_type=media_type, data=b64encode(data).decode()) if known else None
        case File(source=Inline(data=data), media_type=given):
            return _document(data, given)
        case _:
            return None


def _document(data: bytes, media_type: str | None) -> Source | None:
    if media_type == _PDF or (media_type is None and data.startswith(b"%PDF")):
        return Source("base64", media_type=_PDF, data=b64encode(data).decode())
    if media_type is not None and not media_type.startswith("text/") and media_type != "application/json":
        return None
    try:
        return Source("text", media_type="text/plain", data=data.decode())
    except UnicodeDecodeError:
        return None


def _named(part: Image | File, to: Listener) -> TextBlock:
    kind = "image" if isinstance(part, Image) else "file"
    words = " ".join(word for word in (kind, part.name, part.media_type) if word)
    to.losses.add("part_dropped", f"{to.host} can't be given this {kind} ({words}): it is only named in the text.")
    return TextBlock(text=f"[{words}]")


def encode_answered(message: Message, to: Listener, *, call_ids: dict[str, str]) -> list[AnyBlock]:
    """What the model said. `call_ids` are the host's ids of its calls."""
    blocks: list[AnyBlock] = []
    for part in message.parts:
        match part:
            case Text(text=text) | Refusal(text=text):
                if text.strip():
                    blocks.append(TextBlock(text=text, citations=_citations(part), cache_control=_mark_of(part)))
                if isinstance(part, Text) and part.signature is not None:
                    _lose_signature(to)
            case Reasoning(signature=signature) if signature is not None:
                blocks += _thought(part, signature, to, back=to.takes_thoughts_of(message))
            case ToolCall():
                blocks.append(_call(part, to, id=call_ids[part.id]))
            case Image() | File():
                blocks.append(_named(part, to))
            case Kept(family=family, data=data):
                if family == FAMILY and to.made(message):
                    blocks.append(data)
                else:
                    lose_kept(part, to)
            case _:
                pass  # a thought without a proof is refused
    return blocks


def _mark_of(part: Text | Refusal) -> CacheControl | None:
    return encode_mark(part.cache) if isinstance(part, Text) else None


def _citations(part: Text | Refusal) -> list[Raw] | None:
    given = part.annotations if isinstance(part, Text) else ()
    return [one.data for one in given if one.family == FAMILY] or None


def _thought(part: Reasoning, signature: Signature, to: Listener, *, back: bool) -> list[AnyBlock]:
    if signature.family != FAMILY or not back:
        _lose_signature(to)
        return []
    if part.redacted and not part.text:
        return [RedactedBlock(data=signature.value)]
    return [ThinkingBlock(thinking=part.text, signature=signature.value)]


def _lose_signature(to: Listener) -> None:
    to.losses.add("signature_dropped", f"The history holds signatures that are not {to.host}'s own: left out.")


def _call(call: ToolCall, to: Listener, *, id: str) -> CallBlock:
    added = additions_of(call)
    if call.signature is not None and not added:
        _lose_signature(to)
    given = freeform_input(call.arguments) if call.freeform else call.arguments
    block = CallBlock(id=id, name=encode_name(call.name), input=_object(given))
    return msgspec.structs.replace(block, **added)


def _object(arguments: str) -> Raw:
    """The input has to be an object. A call whose arguments are none would have the whole history refused."""
    try:
        text = arguments.encode()
        msgspec.json.decode(text, type=dict[str, Raw])
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Raw(b"{}")
    return Raw(text)


def encode_result(result: ToolResult, to: Listener, *, id: str) -> ResultBlock:
    output = result.output
    content = (output if isinstance(output, str) else _shown_results(output, to)) or None
    if content is None and result.is_error:
        content = "error"  # it must not be empty then
    return ResultBlock(
        tool_use_id=id, content=content, is_error=result.is_error, cache_control=encode_mark(result.cache)
    )


def _shown_results(output: Sequence[Text | Image | File], to: Listener) -> list[Content]:
    shown: list[Content] = []
    for part in output:
        if isinstance(part, Text):
            shown += [TextBlock(text=part.text, cache_control=encode_mark(part.cache))] if part.text.strip() else []
        else:
            shown.append(_shown(part, to))
    return shown
