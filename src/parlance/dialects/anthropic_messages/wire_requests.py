"""The words of a request, in both directions: messages, their blocks, tools, and what is asked of the answer."""

from typing import Literal

from msgspec import Raw, Struct

from parlance.dialects.anthropic_messages.wire import NOTHING


class CacheControl(Struct, omit_defaults=True, frozen=True):
    type: str = ""
    ttl: str | None = None


class Source(Struct, omit_defaults=True):
    """Where an image or a document is: `base64`, `text`, `url`, `file`. Others are kept as they are."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


class _Block(Struct, tag_field="type", omit_defaults=True, kw_only=True):
    cache_control: CacheControl | None = None


class TextBlock(_Block, tag="text"):
    text: str
    citations: list[Raw] | None = None


class ImageBlock(_Block, tag="image"):
    source: Source


class DocumentBlock(_Block, tag="document"):
    source: Source
    title: str | None = None


class ThinkingBlock(_Block, tag="thinking"):
    thinking: str
    signature: str


class RedactedBlock(_Block, tag="redacted_thinking"):
    data: str


class CallBlock(_Block, tag="tool_use"):
    id: str
    name: str
    input: Raw
    caller: Raw = NOTHING
    toolset_name: Raw = NOTHING


class ResultBlock(_Block, tag="tool_result"):
    tool_use_id: str
    content: "str | list[Content] | None" = None
    is_error: bool = False


Content = TextBlock | ImageBlock | DocumentBlock
SaidBlock = TextBlock | ImageBlock | DocumentBlock | ThinkingBlock | RedactedBlock | CallBlock | ResultBlock
AnyBlock = SaidBlock | Raw
"""A block in our words, or one that is passed on as it came."""

WireRole = Literal["user", "assistant", "system"]


class RequestMessage(Struct):
    role: WireRole
    content: str | list[AnyBlock]


class WireTool(Struct, omit_defaults=True):
    name: str
    description: str | None = None
    input_schema: Raw = NOTHING
    strict: bool | None = None
    cache_control: CacheControl | None = None
    type: str | None = None


class WireChoice(Struct, omit_defaults=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class BlockBinding(Struct, omit_defaults=True):
    """What happens to thinking that is sent back behind another history than it was made in."""

    prefix_mismatch_behavior: str


class Thinking(Struct, omit_defaults=True):
    type: str
    budget_tokens: int | None = None
    display: str | None = None
    block_binding: BlockBinding | None = None


class Format(Struct):
    type: str
    schema: Raw


class OutputConfig(Struct, omit_defaults=True):
    effort: str | None = None
    format: Format | None = None


class WireRequest(Struct, omit_defaults=True):
    model: str
    max_tokens: int
    messages: list[RequestMessage]
    system: str | list[TextBlock] | None = None
    stream: bool = False
    tools: list[WireTool | Raw] | None = None
    tool_choice: WireChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
