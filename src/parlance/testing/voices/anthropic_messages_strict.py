"""Checks messages requests as strictly as Anthropic does: what it finds is what a real host would refuse.

What depends on the model is checked for names of real ones only.
"""

import json
import re

from parlance.core.json import JsonObject, JsonValue

NEWEST = "2026-10-21"
VERSIONS = frozenset({"2023-06-01", NEWEST})
FIELDS = frozenset(
    """cache_control container context_management diagnostics inference_geo max_tokens mcp_servers messages metadata
    model output_config service_tier speed stop_sequences stream system temperature thinking tool_choice tools top_k
    top_p user_profile_id""".split()
)
BLOCKS: dict[str, frozenset[str]] = {
    "text": frozenset({"text", "citations"}),
    "image": frozenset({"source", "transformations"}),
    "document": frozenset({"source", "title", "context", "citations"}),
    "search_result": frozenset({"source", "title", "content", "citations"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
    "tool_use": frozenset({"id", "name", "input", "caller", "toolset_name"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error", "toolset_name"}),
}
IN_ROLE: dict[str, frozenset[str]] = {
    "user": frozenset({"text", "image", "document", "search_result", "tool_result"}),
    "assistant": frozenset({"text", "thinking", "redacted_thinking", "tool_use"}),
    "system": frozenset({"text"}),
}
IN_RESULT = frozenset({"text", "image", "document", "search_result", "tool_reference"})
SERVER = ("server_tool_use", "container_upload", "_tool_result", "compaction")
_WORD = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_WITHOUT_PREFILL = re.compile(r"claude-[a-z]+-(?:[5-9]|4-[6-9])")
_SILENT_WHILE_THINKING = ("temperature", "top_k")


def complaint_about(body: bytes, *, version: str | None) -> str | None:
    """What is wrong with a request, or None."""
    if version is None:
        return "anthropic-version: header is required"
    if version not in VERSIONS:
        return f'anthropic-version: "{version}" is not a valid version'
    try:
        request = json.loads(body)
    except ValueError:
        return "The request body is not valid JSON"
    if not isinstance(request, dict):
        return "The body must be an object."
    if unknown := sorted(request.keys() - FIELDS):
        return f"{unknown[0]}: Extra inputs are not permitted"
    return (
        _about_fields(request, version)
        or _about_messages(request, version)
        or _about_tools(request)
        or _about_thinking(request)
        or _about_marks(request)
    )


def _about_fields(request: JsonObject, version: str) -> str | None:
    if not isinstance(request.get("model"), str) or not request["model"]:
        return "model: Field required"
    if not _is_count(request.get("max_tokens")):
        return "max_tokens: Field required"
    sampling = [name for name in ("temperature", "top_p", "top_k") if name in request]
    if sampling and version == NEWEST:
        return f"{sampling[0]}: not supported in this version"
    temperature = request.get("temperature", 0)
    if not isinstance(temperature, int | float) or not 0 <= temperature <= 1:
        return "temperature: range: 0..1"
    stops = request.get("stop_sequences", ["x"])
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop.strip() for stop in stops):
        return "stop_sequences: each stop sequence must contain non-whitespace"
    return _about_content(request["system"], "system", "system", version) if "system" in request else None


def _about_messages(request: JsonObject, version: str) -> str | None:
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    before: JsonObject = {}
    used: set[str] = set()
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in IN_ROLE:
            return f"messages.{number}.role: Input should be 'user', 'assistant' or 'system'"
        role, content, path = str(message["role"]), message.get("content"), f"messages.{number}"
        after = messages[number + 1] if number + 1 < len(messages) else None
        if wrong := (
            _about_content(content, role, path, version)
            or _about_order(before, role, after, path)
            or _about_results(before, content, role, path)
            or _about_ids(content, used, path)
        ):
            return wrong
        before = message
    return _about_last(before, request)


def _about_order(before: JsonObject, role: str, after: JsonValue, path: str) -> str | None:
    if not before and role != "user":
        return f'{path}: first message must use the "user" role'
    if role == "system" and before.get("role") != "user":
        return f"{path}: role 'system' must follow a 'user' message"
    if role == "system" and isinstance(after, dict) and after.get("role") != "assistant":
        return f"{path}: role 'system' must precede an 'assistant' message or end the array"
    return None


def _about_content(content: JsonValue, role: str, path: str, version: str) -> str | None:
    if isinstance(content, str):
        return None if content.strip() else f"{path}: text content blocks must contain non-whitespace text"
    if not isinstance(content, list) or not content:
        return f"{path}.content: Field required"
    for number, block in enumerate(content):
        if wrong := _about_block(block, role, version):
            return f"{path}.content.{number}: {wrong}"
    last = content[-1]
    if role == "assistant" and isinstance(last, dict) and last.get("type") in ("thinking", "redacted_thinking"):
        return f"{path}: The final block in an assistant message cannot be `thinking`."
    return None


def _about_block(block: JsonValue, role: str, version: str) -> str | None:
    type = str(block.get("type")) if isinstance(block, dict) else ""
    if not isinstance(block, dict) or not type:
        return "Input should be an object with a type"
    if any(mark in type for mark in SERVER) and type != "tool_result":
        return None
    if type not in IN_ROLE[role]:
        return f"blocks of the type {type} are not permitted in the role {role}"
    fields = BLOCKS[type]
    if unknown := sorted(block.keys() - fields - {"type", "cache_control"}):
        return f"{type}.{unknown[0]}: Extra inputs are not permitted"
    if type == "text" and not str(block.get("text") or "").strip():
        return "text content blocks must contain non-whitespace text"
    if type == "text" and role == "user" and block.get("citations") and version == NEWEST:
        return "text.citations: not permitted in a user message"
    if type == "thinking" and not block.get("signature"):
        return "thinking.signature: Field required"
    if "parlance" in str(block.get("signature") or block.get("data") or ""):
        return "Invalid `signature` in `thinking` block"
    if type == "tool_use" and not isinstance(block.get("input"), dict):
        return "tool_use.input: Input should be a valid dictionary"
    return _about_result(block) if type == "tool_result" else None


def _about_result(block: JsonObject) -> str | None:
    content = block.get("content")
    if block.get("is_error") and not content:
        return "tool_result: content cannot be empty if `is_error` is true"
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict) or part.get("type") not in IN_RESULT:
            return "tool_result.content: unknown type"
    return None


def _about_results(before: JsonObject, content: JsonValue, role: str, path: str) -> str | None:
    waiting = _ids(before.get("content"), "tool_use", "id")
    given = _ids(content, "tool_result", "tool_use_id") if role == "user" else []
    if lost := [id for id in given if id not in waiting]:
        return f"{path}: unexpected `tool_use_id` found in `tool_result` blocks: {lost[0]}"
    if missing := [id for id in waiting if id not in given]:
        return f"{path}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing[0]}"
    if len(set(given)) < len(given):
        return f"{path}: each tool_use must have a single result"
    kinds = [block.get("type") for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    if "tool_result" in kinds[len(given) :]:
        return f"{path}: tool_result blocks must come first"
    return None


def _about_ids(content: JsonValue, used: set[str], path: str) -> str | None:
    for id in _ids(content, "tool_use", "id"):
        if not _WORD.fullmatch(id):
            return f"{path}: tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        if id in used:
            return f"{path}: `tool_use` ids must be unique"
        used.add(id)
    return None


def _about_last(last: JsonObject, request: JsonObject) -> str | None:
    if waiting := _ids(last.get("content"), "tool_use", "id"):
        return f"`tool_use` ids were found without `tool_result` blocks immediately after: {waiting[0]}"
    content = last.get("content")
    if last.get("role") == "assistant" and isinstance(content, str) and content != content.rstrip():
        return "messages: final assistant content cannot end with trailing whitespace"
    if last.get("role") == "assistant" and _is_prose(content) and _WITHOUT_PREFILL.search(str(request["model"])):
        return "This model does not support assistant message prefill."
    return None


def _about_tools(request: JsonObject) -> str | None:
    tools, choice = request.get("tools"), request.get("tool_choice")
    if choice is not None and not tools:
        return "tool_choice: may only be specified while providing tools"
    if not isinstance(tools, list):
        return None
    names: list[str] = []
    for number, tool in enumerate(tools):
        name = tool.get("name") if isinstance(tool, dict) else None
        if not isinstance(tool, dict) or not isinstance(name, str) or not _WORD.fullmatch(name):
            return f"tools.{number}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        schema = tool.get("input_schema")
        if tool.get("type", "custom") == "custom" and not (isinstance(schema, dict) and schema.get("type") == "object"):
            return f"tools.{number}.custom.input_schema.type: Field required"
        names.append(name)
    if len(set(names)) < len(names):
        return "tools: Tool names must be unique."
    if isinstance(choice, dict) and choice.get("type") == "tool" and choice.get("name") not in names:
        return f"tool_choice.tool: Tool '{choice.get('name')}' not found in provided tools"
    return None


def _about_thinking(request: JsonObject) -> str | None:
    thinking, choice = request.get("thinking"), request.get("tool_choice")
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return None
    budget, most = thinking.get("budget_tokens"), request["max_tokens"]
    if not isinstance(budget, int) or budget < 1024:
        return "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
    if not isinstance(most, int) or budget >= most:
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    if isinstance(choice, dict) and choice.get("type") in ("any", "tool"):
        return "Thinking may not be enabled when tool_choice forces tool use."
    if silent := [name for name in _SILENT_WHILE_THINKING if name in request]:
        return f"`{silent[0]}` may not be set when thinking is enabled."
    return None


def _about_marks(request: JsonObject) -> str | None:
    found = json.dumps({key: value for key, value in request.items() if key != "cache_control"}).count(
        '"cache_control"'
    )
    return f"A maximum of 4 blocks with cache_control may be provided. Found {found}." if found > 4 else None


def _ids(content: JsonValue, type: str, field: str) -> list[str]:
    blocks = content if isinstance(content, list) else []
    return [str(block.get(field)) for block in blocks if isinstance(block, dict) and block.get("type") == type]


def _is_prose(content: JsonValue) -> bool:
    """Whether it ends with a text of the model's and holds no tools of the host's own, which it goes on from."""
    if not isinstance(content, list):
        return True
    kinds = [str(block.get("type")) for block in content if isinstance(block, dict)]
    return kinds[-1:] == ["text"] and set(kinds) <= IN_ROLE["assistant"]


def _is_count(value: JsonValue) -> bool:
    return isinstance(value, int) and value >= 0
