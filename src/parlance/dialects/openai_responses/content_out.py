"""Parts of a message in this language's words. `input_out` puts them in order."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
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
)
from parlance.dialects.data_uris import encode_data_uri
from parlance.dialects.losses import Losses
from parlance.dialects.mend import encode_json
from parlance.dialects.openai_responses import quirks as quirk
from parlance.dialects.openai_responses.items import echo_of
from parlance.dialects.openai_responses.told import tell_content, tell_summary, tell_thought
from parlance.dialects.openai_responses.wire import FAMILY, NOTHING
from parlance.dialects.openai_responses.wire_requests import (
    AudioData,
    Content,
    CustomCall,
    CustomOutput,
    FunctionCall,
    FunctionOutput,
    InputAudio,
    InputFile,
    InputImage,
    InputText,
    OutputMessage,
    WireMessage,
    WireReasoning,
)

_LONGEST_ID: Final = 64
_AUDIO: Final = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


class Listener(Struct, frozen=True):
    """Who a request is said to."""

    host: str
    quirks: frozenset[str]
    losses: Losses

    def owns(self, signature: Signature | None, origin_host: str | None) -> bool:
        """Whether a proof goes back: only this language's, and only to the host that made it."""
        return signature is not None and signature.family == FAMILY and origin_host in (None, self.host)

    def lose_signature(self) -> None:
        self.losses.add("signature_dropped", f"The history holds signatures that are not {self.host}'s own: left out.")

    def lose_kept(self, part: Kept) -> None:
        self.losses.add(
            "part_dropped", f"A block of type {part.type!r} ({part.family}) can't be said to {self.host}: left out."
        )


def encode_content(parts: Iterable[Part], to: Listener) -> str | list[Content]:
    """Plain text as one string, which every host takes; else a list."""
    contents = [content for part in parts if (content := _content(part, to)) is not None]
    texts = [content.text for content in contents if isinstance(content, InputText)]
    return "\n\n".join(texts) if len(texts) == len(contents) else contents


def encode_said(parts: Sequence[Text | Refusal], to: Listener, *, back: bool) -> WireMessage | OutputMessage | None:
    """What an assistant said between two other items; None for nothing."""
    phase: Raw | None = None
    for part in parts:
        if isinstance(part, Text) and part.signature is not None:
            echoed = echo_of(part.signature) if back else {}
            phase = echoed.get("phase", phase)
            if not echoed:
                to.lose_signature()
    said = [part for part in parts if part.text]
    if not said:
        return None
    if not any(isinstance(part, Refusal) or _own_annotations(part) for part in said):
        return WireMessage("assistant", "".join(part.text for part in said), phase or NOTHING)
    contents = [Raw(encode_json(tell_content(part))) for part in said]
    id = f"msg_{_digest(''.join(part.text for part in said))}"
    return OutputMessage(id, "assistant", "completed", contents, phase or NOTHING)


def encode_thought(thoughts: Sequence[Reasoning], signature: Signature) -> WireReasoning:
    """A signed thought, with what was told of it before its proof: its own words, and summaries."""
    summary = [Raw(encode_json(tell_summary(one.text))) for one in thoughts if one.text and one.summary]
    content = [Raw(encode_json(tell_thought(one.text))) for one in thoughts if one.text and not one.summary]
    return WireReasoning(signature.id or f"rs_{_digest(signature.value)}", summary, signature.value, content or None)


def encode_call(call: ToolCall, to: Listener, *, back: bool) -> FunctionCall | CustomCall:
    echoed = echo_of(call.signature) if back else {}
    if call.signature is not None and not echoed:
        to.lose_signature()
    id, name = encode_call_id(call.id), encode_name(call.name)
    fields = {("asynchronous" if key == "async" else key): raw for key, raw in echoed.items() if key != "phase"}
    if call.freeform:
        return CustomCall(call_id=id, name=name, input=call.arguments, **fields)
    arguments = call.arguments if _is_object(call.arguments) else "{}"
    return FunctionCall(call_id=id, name=name, arguments=arguments, **fields)


def encode_result(result: ToolResult, to: Listener, *, freeform: bool) -> FunctionOutput | CustomOutput:
    output = result.output if isinstance(result.output, str) else encode_content(result.output, to)
    kind = CustomOutput if freeform else FunctionOutput
    return kind(encode_call_id(result.call_id), output)


def encode_call_id(id: str) -> str:
    """The id as hosts take it, the same for a call and its result."""
    return id if 0 < len(id) <= _LONGEST_ID else f"call_{_digest(id)}"


def encode_name(name: str) -> str:
    """A tool's name in the history, in the characters that hosts take."""
    safe = "".join(one if one.isascii() and (one.isalnum() or one in "_-") else "_" for one in name)
    return safe[:_LONGEST_ID] or "tool"


def _content(part: Part, to: Listener) -> Content | None:
    match part:
        case Text(text=text):
            return InputText(text) if text else None
        case Image():
            return _image(part, to)
        case File():
            return _file(part, to)
        case _:
            return None


def _image(part: Image, to: Listener) -> Content:
    match part.source:
        case _ if quirk.TEXT_ONLY in to.quirks:
            pass
        case Inline(data=b""):
            pass
        case Url(url=url):
            return InputImage(image_url=url, detail=part.detail or "auto")
        case Inline(data=data):
            return InputImage(
                image_url=encode_data_uri(part.media_type or "image/png", data), detail=part.detail or "auto"
            )
        case Uploaded(family=family, id=id) if family == FAMILY:
            return InputImage(file_id=id, detail=part.detail or "auto")
        case _:
            pass
    return _named(part, "image", to)


def _file(part: File, to: Listener) -> Content:
    match part.source:
        case _ if quirk.TEXT_ONLY in to.quirks:
            pass
        case Inline(data=b""):
            pass
        case Inline(data=data) if part.media_type in _AUDIO:
            return InputAudio(AudioData(b64encode(data).decode(), _AUDIO[part.media_type or ""]))
        case Inline(data=data):
            uri = encode_data_uri(part.media_type or "application/octet-stream", data)
            return InputFile(file_data=uri, filename=part.name or "file")
        case Url(url=url):
            return InputFile(file_url=url)
        case Uploaded(family=family, id=id) if family == FAMILY:
            return InputFile(file_id=id)
        case _:
            pass
    return _named(part, "file", to)


def _named(part: Image | File, kind: str, to: Listener) -> Content:
    words = " ".join(word for word in (kind, part.name, part.media_type) if word)
    to.losses.add("part_dropped", f"{to.host} can't be given this {kind} ({words}): it is only named in the text.")
    return InputText(f"[{words}]")


def _own_annotations(part: Text | Refusal) -> bool:
    return isinstance(part, Text) and any(one.family == FAMILY for one in part.annotations)


def _is_object(arguments: str) -> bool:
    """Hosts parse what they get back. A call whose arguments are none would have the whole history refused."""
    try:
        msgspec.json.decode(arguments, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
