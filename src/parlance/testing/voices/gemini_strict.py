"""Checks generateContent requests as strictly as Google does: what it finds is what a real host would refuse."""

import json
import re
from base64 import b64decode

from parlance.core.json import JsonObject, JsonValue

FIELDS = frozenset(
    """contents systemInstruction tools toolConfig safetySettings generationConfig cachedContent labels serviceTier
    store continuationToken""".split()
)
CONFIG_FIELDS = frozenset(
    """temperature topP topK candidateCount maxOutputTokens stopSequences responseLogprobs logprobs presencePenalty
    frequencyPenalty seed responseMimeType responseSchema responseJsonSchema responseModalities mediaResolution
    speechConfig thinkingConfig imageConfig enableEnhancedCivicAnswers audioTranscriptionConfig
    responseFormat""".split()
)
PART_FIELDS = frozenset(
    """text inlineData fileData functionCall functionResponse executableCode codeExecutionResult toolCall
    toolResponse""".split()
)
FLAGS = frozenset("thought thoughtSignature videoMetadata partMetadata mediaResolution mediaProcessing".split())
MODES = frozenset({"AUTO", "ANY", "NONE", "VALIDATED"})
LEVELS = frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_DUMMY = "skip_thought_signature_validator"


def complaint_about(body: bytes, *, signed: bool = True) -> str | None:
    """What is wrong with a request, or None. `signed`: whether the model wants its signatures back."""
    try:
        request = json.loads(body)
    except ValueError:
        return "Invalid JSON payload received."
    if not isinstance(request, dict):
        return "The payload must be an object."
    if unknown := sorted(request.keys() - FIELDS):
        return f"Invalid JSON payload received. Unknown name {', '.join(unknown)}: Cannot find field."
    return (
        _about_contents(request.get("contents"), signed)
        or _about_config(request.get("generationConfig", {}))
        or _about_tools(request)
    )


def _about_contents(contents: JsonValue, signed: bool) -> str | None:
    if not isinstance(contents, list) or not contents:
        return "* GenerateContentRequest.contents: contents is not specified"
    last: JsonValue = "model"
    waiting: list[JsonObject] = []
    for number, content in enumerate(contents):
        if not isinstance(content, dict) or content.get("role") not in ("user", "model"):
            return f"contents[{number}]: Please use a valid role: user, model."
        if content["role"] == last:
            return f"contents[{number}]: roles must alternate, and a user begins"
        last = content["role"]
        parts = content.get("parts")
        if not isinstance(parts, list) or not parts:
            return f"contents[{number}].parts must not be empty."
        for part in parts:
            if wrong := _about_part(part):
                return f"contents[{number}].parts: {wrong}"
        held = [part for part in parts if isinstance(part, dict)]
        if wrong := _about_results(held, waiting) or _about_calls(held, waiting, signed):
            return f"contents[{number}]: {wrong}"
    return None


def _about_part(part: JsonValue) -> str | None:
    if not isinstance(part, dict):
        return "must be an object"
    if unknown := sorted(part.keys() - PART_FIELDS - FLAGS):
        return f"Unknown name {', '.join(unknown)}: Cannot find field."
    held = part.keys() & PART_FIELDS
    if len(held) != 1:
        return "contents.parts must have one initialized field."
    if part.get("text") == "" and "thoughtSignature" not in part:
        return "Unable to submit request because it must have a text parameter."
    return _about_data(part) or _about_signature(part.get("thoughtSignature"))


def _about_data(part: JsonObject) -> str | None:
    blob = part.get("inlineData")
    if isinstance(blob, dict) and not (blob.get("mimeType") and blob.get("data")):
        return "inlineData must have a mimeType and data"
    file = part.get("fileData")
    return "fileData must have a fileUri" if isinstance(file, dict) and not file.get("fileUri") else None


def _about_signature(signature: JsonValue) -> str | None:
    if signature is None or signature == _DUMMY:
        return None
    try:
        proof = b64decode(str(signature), validate=True)
    except ValueError:
        return "Base64 decoding failed for thoughtSignature"
    return "Thought signature is not valid." if proof.startswith(b"parlance:") else None


def _about_results(parts: list[JsonObject], waiting: list[JsonObject]) -> str | None:
    """`waiting` holds the calls of the content before, which this one must answer."""
    responses = [part["functionResponse"] for part in parts if "functionResponse" in part]
    if len(responses) != len(waiting):
        return "Please ensure that the number of function response parts is equal to the number of function call parts."
    for response, call in zip(responses, waiting, strict=True):
        if not isinstance(response, dict) or not isinstance(response.get("response"), dict):
            return "functionResponse.response must be an object"
        if response.get("name") != call.get("name") or response.get("id") != call.get("id"):
            return "a functionResponse must have the name and the id of its call"
    waiting.clear()
    return None


def _about_calls(parts: list[JsonObject], waiting: list[JsonObject], signed: bool) -> str | None:
    called = [part for part in parts if "functionCall" in part]
    if signed and called and "thoughtSignature" not in called[0]:
        return "Function call is missing a thought_signature in functionCall parts."
    for part in called:
        call = part["functionCall"]
        if not isinstance(call, dict) or not isinstance(call.get("args", {}), dict) or not _is_name(call.get("name")):
            return "a functionCall must have a name, and an object for its args"
        waiting.append(call)
    return None


def _about_config(config: JsonValue) -> str | None:
    if not isinstance(config, dict):
        return "generationConfig must be an object."
    if unknown := sorted(config.keys() - CONFIG_FIELDS):
        return f"generationConfig: Unknown name {', '.join(unknown)}: Cannot find field."
    if ("responseSchema" in config or "responseJsonSchema" in config) and "responseMimeType" not in config:
        return "A schema needs the responseMimeType application/json."
    return _about_thinking(config.get("thinkingConfig", {}))


def _about_thinking(thinking: JsonValue) -> str | None:
    if not isinstance(thinking, dict) or thinking.get("thinkingLevel", "LOW") not in LEVELS:
        return "generationConfig.thinkingConfig: not a valid level"
    if "thinkingLevel" in thinking and "thinkingBudget" in thinking:
        return "You can only set only one of thinking budget and thinking level."
    return None


def _about_tools(request: JsonObject) -> str | None:
    declared: set[JsonValue] = set()
    tools = request.get("tools", [])
    if not isinstance(tools, list):
        return "tools must be a list"
    for tool in tools:
        declarations = tool.get("functionDeclarations", []) if isinstance(tool, dict) and tool else None
        if not isinstance(declarations, list):
            return "a tool must be an object with one kind of tool in it"
        for one in declarations:
            if not isinstance(one, dict) or not _is_name(one.get("name")):
                return "Invalid function name. Must start with a letter or an underscore."
            if "parameters" in one and "parametersJsonSchema" in one:
                return "parameters and parametersJsonSchema are mutually exclusive."
            if one["name"] in declared:
                return f"Duplicate function declaration found: {one['name']}"
            declared.add(one["name"])
    config = request.get("toolConfig", {})
    calling = config.get("functionCallingConfig", {}) if isinstance(config, dict) else None
    return _about_choice(calling, declared)


def _about_choice(calling: JsonValue, declared: set[JsonValue]) -> str | None:
    if not isinstance(calling, dict) or calling.get("mode", "AUTO") not in MODES:
        return "toolConfig.functionCallingConfig: not a valid mode"
    mode, allowed = calling.get("mode", "AUTO"), calling.get("allowedFunctionNames", [])
    if mode != "AUTO" and not declared:
        return "Function calling config is set without function_declarations."
    if not isinstance(allowed, list) or (allowed and mode not in ("ANY", "VALIDATED")):
        return "allowed_function_names should only be set when the mode is ANY or VALIDATED."
    if unknown := [name for name in allowed if name not in declared]:
        return f"allowed_function_names are not declared: {unknown}"
    return None


def _is_name(name: JsonValue) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None
