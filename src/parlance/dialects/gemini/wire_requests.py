"""The words of a request, in both directions."""

from typing import Literal

from msgspec import Raw, Struct

from parlance.dialects.gemini.wire import NOTHING


class _Words(Struct, omit_defaults=True, rename="camel"):
    pass


class Blob(_Words):
    """`data` is base64."""

    mime_type: str | None = None
    data: str = ""


class FileUri(_Words):
    file_uri: str
    mime_type: str | None = None


class SaidCall(_Words):
    name: str
    args: Raw = NOTHING
    id: str | None = None


class SaidResult(_Words):
    """`response` is an object: `output` or `error`, or anything else, which is then the output itself."""

    name: str
    response: Raw = NOTHING
    id: str | None = None
    parts: list[Raw] | None = None


class SaidPart(_Words):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Blob | None = None
    file_data: FileUri | None = None
    function_call: SaidCall | None = None
    function_response: SaidResult | None = None


class SaidContent(_Words):
    """`role` is `user` or `model`. A kept part goes as it came."""

    parts: list[SaidPart | Raw]
    role: str | None = None


class Declaration(_Words):
    """`parameters` is in Google's subset of OpenAPI, which we only read; `parameters_json_schema` is JSON Schema."""

    name: str
    description: str | None = None
    parameters_json_schema: Raw = NOTHING
    parameters: Raw = NOTHING


Mode = Literal["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"]


class CallingConfig(_Words):
    mode: Mode | None = None
    allowed_function_names: list[str] | None = None


Level = Literal["THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"]


class ThinkingConfig(_Words):
    """`thinking_budget` is in tokens: 0 is off, -1 is up to the model. Never together with a level."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: Level | None = None


class GenerationConfig(_Words):
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    seed: int | None = None
    stop_sequences: list[str] | None = None
    thinking_config: ThinkingConfig | None = None
    response_mime_type: str | None = None
    response_json_schema: Raw = NOTHING
