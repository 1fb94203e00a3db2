"""The words of a request, in both directions: items of the input, their content, tools, choices and formats."""

from typing import Literal

from msgspec import Raw, Struct

from parlance.dialects.openai_responses.wire import NOTHING

GivenRole = Literal["user", "assistant", "system", "developer"]


class _Content(Struct, tag_field="type", omit_defaults=True):
    pass


class InputText(_Content, tag="input_text"):
    text: str


class InputImage(_Content, tag="input_image"):
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None


class InputFile(_Content, tag="input_file"):
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None


class AudioData(Struct):
    data: str
    format: str


class InputAudio(_Content, tag="input_audio"):
    input_audio: AudioData


Content = InputText | InputImage | InputFile | InputAudio


class WireMessage(Struct, tag_field="type", tag="message", omit_defaults=True):
    """`phase` belongs to an assistant's; a plain text needs no list."""

    role: GivenRole
    content: str | list[Content]
    phase: Raw = NOTHING


class OutputMessage(Struct, tag_field="type", tag="message", omit_defaults=True):
    """An assistant's message with more than plain text, in the full form that hosts ask for then."""

    id: str
    role: str
    status: str
    content: list[Raw]
    phase: Raw = NOTHING


class WireReasoning(Struct, tag_field="type", tag="reasoning", omit_defaults=True):
    id: str
    summary: list[Raw]
    encrypted_content: str
    content: list[Raw] | None = None


class _Echo(Struct, tag_field="type", omit_defaults=True, rename={"asynchronous": "async"}, kw_only=True):
    asynchronous: Raw = NOTHING
    caller: Raw = NOTHING
    namespace: Raw = NOTHING


class FunctionCall(_Echo, tag="function_call"):
    call_id: str
    name: str
    arguments: str


class CustomCall(_Echo, tag="custom_tool_call"):
    call_id: str
    name: str
    input: str


class FunctionOutput(Struct, tag_field="type", tag="function_call_output"):
    call_id: str
    output: str | list[Content]


class CustomOutput(Struct, tag_field="type", tag="custom_tool_call_output"):
    call_id: str
    output: str | list[Content]


Item = WireMessage | OutputMessage | WireReasoning | FunctionCall | CustomCall | FunctionOutput | CustomOutput | Raw


class _Tool(Struct, tag_field="type", omit_defaults=True, kw_only=True):
    name: str
    description: str | None = None


class FunctionTool(_Tool, tag="function"):
    """Without `strict` this language makes every parameter required, so it is always said."""

    parameters: Raw = Raw(b"null")
    strict: bool | None = None


class CustomTool(_Tool, tag="custom"):
    format: Raw = NOTHING


class _Choice(Struct, tag_field="type"):
    pass


class ChosenFunction(_Choice, tag="function"):
    name: str


class ChosenCustom(_Choice, tag="custom"):
    name: str


class ChosenAllowed(_Choice, tag="allowed_tools"):
    mode: Literal["auto", "required"]
    tools: list[ChosenFunction | ChosenCustom]


WireToolChoice = Literal["none", "auto", "required"] | ChosenFunction | ChosenCustom | ChosenAllowed


class _Format(Struct, tag_field="type", omit_defaults=True):
    pass


class TextFormat(_Format, tag="text"):
    pass


class JsonFormat(_Format, tag="json_object"):
    pass


class SchemaFormat(_Format, tag="json_schema"):
    name: str = "answer"
    schema: Raw = NOTHING
    strict: bool | None = None


WireFormat = TextFormat | JsonFormat | SchemaFormat
