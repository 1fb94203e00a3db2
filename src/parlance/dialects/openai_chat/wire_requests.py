"""The words of a request, in both directions: messages, their content, tools, choices and formats."""

from typing import Literal

from msgspec import Raw, Struct

from parlance.dialects.openai_chat.wire import Custom, ExtraContent, Function

WireRole = Literal["system", "developer", "user", "assistant", "tool"]


class CacheControl(Struct, omit_defaults=True):
    """The mark that some hosts of this language took over from Anthropic's."""

    type: str = ""
    ttl: str | None = None


class ImageUrl(Struct, omit_defaults=True):
    url: str
    detail: str | None = None


class Audio(Struct):
    data: str
    format: str


class FileContent(Struct, omit_defaults=True):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _Content(Struct, tag_field="type", omit_defaults=True, kw_only=True):
    cache_control: CacheControl | None = None


class TextContent(_Content, tag="text"):
    text: str


class ImageContent(_Content, tag="image_url"):
    image_url: ImageUrl


class AudioContent(_Content, tag="input_audio"):
    input_audio: Audio


class FileContentPart(_Content, tag="file"):
    file: FileContent


class RefusalContent(_Content, tag="refusal"):
    refusal: str


Content = TextContent | ImageContent | AudioContent | FileContentPart | RefusalContent


class WireCall(Struct, omit_defaults=True):
    id: str
    type: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: ExtraContent | None = None


class WireMessage(Struct, omit_defaults=True):
    """`content` comes as null or not at all where there is none; we always write it."""

    role: WireRole
    content: str | list[Content] | None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[WireCall] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[Raw] | None = None
    extra_content: ExtraContent | None = None


class GivenMessage(WireMessage):
    """A message as a client sends it."""

    content: str | list[Content] | None = None
    function_call: Function | None = None


class FunctionTool(Struct, omit_defaults=True):
    name: str
    description: str | None = None
    parameters: Raw = Raw(b"")
    strict: bool | None = None


class CustomTool(Struct, omit_defaults=True):
    name: str
    description: str | None = None


class _Tool(Struct, tag_field="type", omit_defaults=True):
    pass


class OfferedFunction(_Tool, tag="function"):
    function: FunctionTool


class OfferedCustom(_Tool, tag="custom"):
    custom: CustomTool


WireTool = OfferedFunction | OfferedCustom


class ToolName(Struct):
    name: str


class _Choice(Struct, tag_field="type", omit_defaults=True):
    pass


class ChosenFunction(_Choice, tag="function"):
    function: ToolName


class ChosenCustom(_Choice, tag="custom"):
    custom: ToolName


class AllowedSet(Struct):
    mode: Literal["auto", "required"]
    tools: list[ChosenFunction | ChosenCustom]


class ChosenAllowed(_Choice, tag="allowed_tools"):
    allowed_tools: AllowedSet


WireToolChoice = Literal["none", "auto", "required"] | ChosenFunction | ChosenCustom | ChosenAllowed


class JsonSchema(Struct, omit_defaults=True):
    name: str
    schema: Raw = Raw(b"")
    strict: bool | None = None
    description: str | None = None


class _Format(Struct, tag_field="type", omit_defaults=True):
    pass


class TextFormat(_Format, tag="text"):
    pass


class JsonFormat(_Format, tag="json_object"):
    pass


class SchemaFormat(_Format, tag="json_schema"):
    json_schema: JsonSchema


WireFormat = TextFormat | JsonFormat | SchemaFormat


class StreamOptions(Struct, omit_defaults=True):
    include_usage: bool = False
