"""The parts a message is made of.

What a vendor adds travels as data: a signature, an annotation, a cache mark, a kept block.
"""

from msgspec import Raw, Struct

from parlance.core.ids import CallId

Family = str
"""A wire language, by the name of its folder. Its opaque data is understood only by hosts of the same family."""


class Signature(Struct, frozen=True, omit_defaults=True):
    """An opaque proof that a model wrote a part. Kept byte-exact, and sent back only to its own family."""

    family: Family
    value: str
    id: str | None = None


class Annotation(Struct, frozen=True):
    """A citation or another remark on a text, as the wire gave it: `data` is one JSON value."""

    family: Family
    type: str
    data: Raw


class CacheMark(Struct, frozen=True, omit_defaults=True):
    """The caller's wish that the prompt be cached up to here. `ttl` is the wire's own word, such as `5m`."""

    ttl: str | None = None


class Url(Struct, frozen=True, tag_field="at", tag="url"):
    url: str


class Inline(Struct, frozen=True, tag_field="at", tag="inline"):
    """Content that travels inside the request."""

    data: bytes


class Uploaded(Struct, frozen=True, tag_field="at", tag="uploaded"):
    """A file that the caller left with the host of `family` before, under that host's own id."""

    family: Family
    id: str


Source = Url | Inline | Uploaded


class _Part(Struct, frozen=True, tag_field="kind", omit_defaults=True):
    pass


class Text(_Part, frozen=True, tag="text"):
    text: str
    annotations: tuple[Annotation, ...] = ()
    signature: Signature | None = None
    cache: CacheMark | None = None


class Refusal(_Part, frozen=True, tag="refusal"):
    """The model's words where it declines. Languages without a channel for it tell it as text."""

    text: str


class Reasoning(_Part, frozen=True, tag="reasoning"):
    """What the model thought.

    `redacted`: only the signature is there. `summary`: a summary made by the host, not the thought itself.
    """

    text: str
    signature: Signature | None = None
    redacted: bool = False
    summary: bool = False


class ToolCall(_Part, frozen=True, tag="tool_call"):
    """A call that the model asks for.

    `arguments` is the exact JSON text, never a dict: decoding and encoding again would change numbers, key order and
    duplicates. `freeform`: the tool takes plain text instead of JSON. `upstream_id`: the host's own id of the call,
    where it differs from ours.
    """

    id: CallId
    name: str
    arguments: str
    signature: Signature | None = None
    freeform: bool = False
    upstream_id: str | None = None


class Image(_Part, frozen=True, tag="image"):
    source: Source
    media_type: str | None = None
    name: str | None = None
    detail: str | None = None
    cache: CacheMark | None = None


class File(_Part, frozen=True, tag="file"):
    """A document, or audio."""

    source: Source
    media_type: str | None = None
    name: str | None = None
    cache: CacheMark | None = None


ToolOutput = str | tuple[Text | Image | File, ...]


class ToolResult(_Part, frozen=True, tag="tool_result"):
    """What a call returned. `outcome_unknown`: the tool was started and nobody knows whether it took effect."""

    call_id: CallId
    name: str
    output: ToolOutput
    is_error: bool = False
    outcome_unknown: bool = False
    cache: CacheMark | None = None


class Kept(_Part, frozen=True, tag="kept"):
    """A block that only `family` understands, whole: `data` is one JSON value.

    It goes back to that family and to no other.
    """

    family: Family
    type: str
    data: Raw


Part = Text | Refusal | Reasoning | ToolCall | ToolResult | Image | File | Kept
Prose = Text | Refusal | Reasoning


def output_text(result: ToolResult) -> str:
    """The text of a result, for languages and doors that carry only text; images and files are named."""
    if isinstance(result.output, str):
        return result.output
    return "\n".join(part.text if isinstance(part, Text) else f"[{_label(part)}]" for part in result.output)


def part_size(part: Part) -> int:
    """What a part carries, in characters or bytes: about what it costs to keep."""
    match part:
        case Text(text=text) | Refusal(text=text) | Reasoning(text=text):
            return len(text)
        case ToolCall(arguments=arguments):
            return len(arguments)
        case ToolResult(output=output):
            return len(output) if isinstance(output, str) else sum(map(part_size, output))
        case Image(source=Inline(data=data)) | File(source=Inline(data=data)):
            return len(data)
        case Kept(data=data):
            return len(bytes(data))
        case _:
            return 0


def _label(part: Image | File) -> str:
    kind = "image" if isinstance(part, Image) else "file"
    return " ".join(word for word in (kind, part.name, part.media_type) if word)
