"""A client's request read into ours. Fields that we have no word for are kept for hosts of this language."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from parlance.core.ids import new_message_id
from parlance.core.json import decode_json
from parlance.core.messages import Message
from parlance.core.parts import Text
from parlance.core.requests import (
    AllowedTools,
    Effort,
    NamedTool,
    OutputFormat,
    ReasoningAsk,
    Request,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from parlance.dialects.gemini.contents_in import GivenContent, checked, decode_contents, refuse
from parlance.dialects.gemini.proofs import FAMILY
from parlance.dialects.gemini.wire_requests import CallingConfig, Declaration, GenerationConfig, ThinkingConfig
from parlance.dialects.raw_fields import Fields, read_fields, read_text

_EFFORTS: Final[dict[str, Effort]] = {
    "MINIMAL": "minimal",
    "LOW": "low",
    "MEDIUM": "medium",
    "HIGH": "high",
    "XHIGH": "xhigh",
}


class _Request(Struct, rename="camel"):
    contents: list[GivenContent]
    system_instruction: GivenContent | None = None
    tools: list[Fields] = []
    tool_config: Fields = {}
    generation_config: Fields = {}


_KNOWN: Final = frozenset({"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"})
_CONFIG: Final = frozenset(field.encode_name for field in msgspec.structs.fields(GenerationConfig))


def decode_request(payload: bytes, *, model: str) -> Request:
    """Raises `InvalidJson`, or `InvalidRequest` whose `fields` say where. `model` stands in this language's paths."""
    given = decode_json(payload, _Request)
    if not given.contents:
        raise refuse("$.contents", "At least one content is needed.")
    config = _decode(given.generation_config, GenerationConfig, "$.generationConfig")
    calling = decode_json(given.tool_config.get("functionCallingConfig", Raw(b"{}")), CallingConfig)
    thinking = config.thinking_config or ThinkingConfig()
    system = _texts(given.system_instruction)
    return Request(
        model=model,
        messages=(*([Message(new_message_id(), "system", system)] if system else []), *decode_contents(given.contents)),
        tools=_tools(given.tools, strict=calling.mode == "VALIDATED" and not calling.allowed_function_names),
        tool_choice=_choice(calling),
        max_output=config.max_output_tokens,
        sampling=Sampling(
            temperature=config.temperature,
            top_p=config.top_p,
            top_k=int(config.top_k) if config.top_k is not None else None,
            seed=config.seed,
            stop=tuple(config.stop_sequences or ()),
        ),
        reasoning=ReasoningAsk(
            effort=_EFFORTS.get(thinking.thinking_level or ""),
            budget=thinking.thinking_budget,
            show=bool(thinking.include_thoughts),
        ),
        output_format=_format(config),
        extra=_extra(payload, given),
    )


def _decode(fields: Fields, kind: type[GenerationConfig], path: str) -> GenerationConfig:
    return decode_json(msgspec.json.encode(fields), kind, at=path)


def _extra(payload: bytes, given: _Request) -> dict[str, Fields]:
    """What we have no word for, each beside where it stood: fields of fields too, and tools of the host's own."""
    rest = {name: raw for name, raw in decode_json(payload, Fields).items() if name not in _KNOWN}
    config = {name: raw for name, raw in given.generation_config.items() if name not in _CONFIG}
    if read_text(given.generation_config.get("responseMimeType")) not in (None, "application/json", "text/plain"):
        config["responseMimeType"] = given.generation_config["responseMimeType"]
    tools = [tool for tool in given.tools if "functionDeclarations" not in tool]
    calling = {name: raw for name, raw in given.tool_config.items() if name != "functionCallingConfig"}
    for name, more in (("generationConfig", config), ("tools", tools), ("toolConfig", calling)):
        if more:
            rest[name] = Raw(msgspec.json.encode(more))
    for name, raw in rest.items():
        try:
            msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise refuse(f"$.{name}", f"It can't be passed on: {error}.") from None
    return {FAMILY: rest} if rest else {}


def _texts(content: GivenContent | None) -> tuple[Text, ...]:
    parts = [read_text(read_fields(raw).get("text")) for raw in content.parts] if content is not None else []
    return tuple(Text(text) for text in parts if text)


def _tools(tools: Sequence[Fields], *, strict: bool) -> tuple[ToolSpec, ...]:
    declared: list[ToolSpec] = []
    for number, tool in enumerate(tools):
        path = f"$.tools[{number}].functionDeclarations"
        for one in decode_json(tool.get("functionDeclarations", Raw(b"[]")), list[Declaration], at=path):
            spec = ToolSpec(one.name, one.description or "", strict=strict or None)
            schema = one.parameters_json_schema or _lowered(one.parameters)
            declared.append(msgspec.structs.replace(spec, parameters=checked(schema, path)) if schema else spec)
    return tuple(declared)


def _lowered(schema: Raw) -> Raw:
    """Google's subset of OpenAPI as JSON Schema: its types are in capitals."""
    return Raw(msgspec.json.encode(_lower(decode_json(schema, object)))) if schema else schema


def _lower(value: object) -> object:
    match value:
        case dict():
            return {
                key: one.lower() if key == "type" and isinstance(one, str) else _lower(one)
                for key, one in value.items()
            }
        case list():
            return [_lower(one) for one in value]
        case _:
            return value


def _choice(config: CallingConfig) -> ToolChoice:
    names = tuple(config.allowed_function_names or ())
    match config.mode:
        case "NONE":
            return "none"
        case "ANY" if len(names) == 1:
            return NamedTool(names[0])
        case "ANY":
            return AllowedTools("required", names) if names else "required"
        case _:
            return AllowedTools("auto", names) if names else "auto"


def _format(config: GenerationConfig) -> OutputFormat | None:
    if config.response_mime_type != "application/json":
        return None
    if not config.response_json_schema:
        return OutputFormat("json")
    schema = checked(config.response_json_schema, "$.generationConfig.responseJsonSchema")
    return OutputFormat("json_schema", schema=schema)
