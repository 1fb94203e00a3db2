"""Parts of a message in this language's words. `contents_out` puts them together."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from mimetypes import guess_type
from typing import Final

import msgspec
from msgspec import Raw, Struct

from parlance.core.parts import (
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
    output_text,
)
from parlance.dialects.gemini.generations import checks_signatures
from parlance.dialects.gemini.names import encode_name
from parlance.dialects.gemini.projection import encode_args
from parlance.dialects.gemini.proofs import FAMILY, UNCHECKED
from parlance.dialects.gemini.wire_requests import Blob, FileUri, SaidCall, SaidPart, SaidResult
from parlance.dialects.losses import Losses
from parlance.dialects.mend import encode_json

_USUAL: Final = {Image: "image/png", File: "application/octet-stream"}


class Listener(Struct, frozen=True):
    """Who a request is said to."""

    host: str
    model: str
    losses: Losses


def encode_prose(parts: Sequence[Part], to: Listener) -> list[SaidPart | Raw]:
    """What a user says."""
    said: list[SaidPart | Raw] = []
    for part in parts:
        match part:
            case Text(text=text) | Refusal(text=text):
                said += [SaidPart(text=text)] if text else []
            case Image() | File():
                said.append(_media(part, to))
            case Kept():
                said += _kept(part, to, back=True)
            case _:
                pass
    return said


def encode_answer(parts: Sequence[Part], to: Listener, *, back: bool) -> list[SaidPart | Raw]:
    """What a model said. `back`: whether its maker is the listener, who then gets its own signatures again."""
    said: list[SaidPart | Raw] = []
    first_call = True
    for part in parts:
        match part:
            case Text(text=text, signature=signature):
                own = _own(signature, to, back=back)
                said += [SaidPart(text=text, thought_signature=own)] if text or own else []
            case Reasoning(text=text, signature=signature):
                # Unsigned thoughts stay here: no host asks for them.
                own = _own(signature, to, back=back)
                said += [SaidPart(text=text, thought=True, thought_signature=own)] if own else []
            case Refusal(text=text):
                said += [SaidPart(text=text)] if text else []
            case ToolCall(signature=signature):
                own = _own(signature, to, back=back)
                if own is None and first_call and checks_signatures(to.model):
                    own = UNCHECKED
                first_call = False
                said.append(SaidPart(function_call=_call(part), thought_signature=own))
            case Image() | File():
                said.append(_media(part, to))
            case Kept():
                said += _kept(part, to, back=back)
            case _:
                pass
    return said


def encode_results(results: Sequence[ToolResult], calls: Mapping[str, ToolCall], to: Listener) -> list[SaidPart | Raw]:
    """The answers to parallel calls. What they hold besides text follows behind the last of them."""
    said: list[SaidPart | Raw] = []
    shown: list[SaidPart | Raw] = []
    for result in results:
        call = calls[result.call_id]
        said.append(SaidPart(function_response=SaidResult(encode_name(call.name), _response(result), call.upstream_id)))
        if not isinstance(result.output, str):
            media = [_media(one, to) for one in result.output if isinstance(one, Image | File)]
            if media:
                shown += [SaidPart(text=f"What the tool {result.name} returned besides its text:"), *media]
    return said + shown


def lose_part(kind: str, family: str, to: Listener) -> None:
    to.losses.add("part_dropped", f"A block of type {kind!r} ({family}) can't be said to {to.host}: left out.")


def _own(signature: Signature | None, to: Listener, *, back: bool) -> str | None:
    if signature is None:
        return None
    if back and signature.family == FAMILY:
        return signature.value
    to.losses.add("signature_dropped", f"The history holds signatures that are not {to.host}'s own: left out.")
    return None


def _call(call: ToolCall) -> SaidCall:
    """Arguments that are no object would have the whole history refused; plain text goes where one can find it."""
    args = encode_json({"input": call.arguments}) if call.freeform else encode_args(call)
    return SaidCall(encode_name(call.name), Raw(args or b"{}"), call.upstream_id)


def _response(result: ToolResult) -> Raw:
    """An object as it is, anything else under the name that this wire has for it."""
    text = output_text(result)
    if result.is_error:
        return Raw(encode_json({"error": text}))
    if text.lstrip().startswith("{"):
        raw = text.encode("utf-8", "replace")
        try:
            msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return Raw(raw)
    return Raw(encode_json({"output": text}))


def _media(part: Image | File, to: Listener) -> SaidPart:
    if isinstance(part, Image) and part.detail not in (None, "auto"):
        to.losses.add("detail_dropped", f"{to.host} takes no level of detail for an image: left out.")
    match part.source:
        case Inline(data=data) if data:
            kind = part.media_type or guess_type(part.name or "")[0] or _USUAL[type(part)]
            return SaidPart(inline_data=Blob(kind, b64encode(data).decode()))
        case Url(url=url):
            return SaidPart(file_data=FileUri(url, part.media_type or guess_type(url.partition("?")[0])[0]))
        case Uploaded(family=family, id=id) if family == FAMILY:
            return SaidPart(file_data=FileUri(id, part.media_type))
        case Inline() | Uploaded():
            kind = "image" if isinstance(part, Image) else "file"
            words = " ".join(word for word in (kind, part.name, part.media_type) if word)
            to.losses.add(
                "part_dropped", f"{to.host} can't be given this {kind} ({words}): it is only named in the text."
            )
            return SaidPart(text=f"[{words}]")


def _kept(part: Kept, to: Listener, *, back: bool) -> list[SaidPart | Raw]:
    if back and part.family == FAMILY:
        return [part.data]
    lose_part(part.type, part.family, to)
    return []
