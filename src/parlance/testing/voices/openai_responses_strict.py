"""Checks requests for responses as strictly as OpenAI does: what it finds is what a real host would refuse."""

import json
import re
from collections.abc import Mapping

from parlance.core.json import JsonObject, JsonValue

FIELDS = frozenset(
    """background context_management conversation include input instructions max_output_tokens max_tool_calls metadata
    model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options
    prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options temperature text
    tool_choice tools top_logprobs top_p truncation user""".split()
)
INCLUDABLE = frozenset(
    """file_search_call.results web_search_call.results web_search_call.action.sources message.input_image.image_url
    computer_call_output.output.image_url code_interpreter_call.outputs reasoning.encrypted_content
    message.output_text.logprobs""".split()
)
_CALL = frozenset({"type", "id", "call_id", "name", "status", "async", "caller", "namespace"})
_OUTPUT = frozenset({"type", "id", "call_id", "output", "status", "caller", "name", "namespace"})
ITEM_FIELDS: Mapping[str, frozenset[str]] = {
    "message": frozenset({"type", "id", "role", "content", "status", "phase"}),
    "reasoning": frozenset({"type", "id", "summary", "content", "encrypted_content", "status"}),
    "function_call": _CALL | {"arguments"},
    "custom_tool_call": _CALL | {"input"},
    "function_call_output": _OUTPUT,
    "custom_tool_call_output": _OUTPUT,
}
HOSTED = frozenset(
    """file_search_call web_search_call computer_call computer_call_output image_generation_call code_interpreter_call
    local_shell_call local_shell_call_output shell_call shell_call_output apply_patch_call apply_patch_call_output
    mcp_list_tools mcp_approval_request mcp_approval_response mcp_call compaction compaction_trigger item_reference
    tool_search_call tool_search_output program program_output additional_tools""".split()
)
CONTENT_FIELDS: Mapping[str, frozenset[str]] = {
    "input_text": frozenset({"type", "text", "prompt_cache_breakpoint"}),
    "input_image": frozenset({"type", "image_url", "file_id", "detail", "prompt_cache_breakpoint"}),
    "input_file": frozenset({"type", "file_data", "file_url", "file_id", "filename", "detail"}),
    "input_audio": frozenset({"type", "input_audio"}),
}
SAID_FIELDS: Mapping[str, frozenset[str]] = {
    "output_text": frozenset({"type", "text", "annotations", "logprobs"}),
    "refusal": frozenset({"type", "refusal"}),
}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PLAIN_MODELS = ("gpt-3", "gpt-4", "chatgpt-")


def complaint_about(body: bytes) -> str | None:
    """What is wrong with a request, or None."""
    try:
        request = json.loads(body)
    except ValueError:
        return "We could not parse the JSON body of your request."
    if not isinstance(request, dict):
        return "The body must be an object."
    if unknown := sorted(request.keys() - FIELDS):
        return f"Unknown parameter: {', '.join(unknown)}."
    if not isinstance(request.get("model"), str) or not request["model"]:
        return "Missing required parameter: 'model'."
    return _about_parameters(request) or _about_tools(request) or _about_input(request)


def _about_parameters(request: JsonObject) -> str | None:
    include = request.get("include") or []
    if not isinstance(include, list) or not {*map(str, include)} <= INCLUDABLE:
        return "Invalid value in 'include'."
    plain = str(request["model"]).startswith(_PLAIN_MODELS)
    if plain and "reasoning.encrypted_content" in include:
        return "Encrypted content is not supported with this model."
    if plain and request.get("reasoning"):
        return "Unsupported parameter: 'reasoning' is not supported with this model."
    limit = request.get("max_output_tokens")
    if isinstance(limit, int) and limit < 16:
        return "Invalid 'max_output_tokens': expected a value >= 16."
    text = request.get("text")
    form = text.get("format") if isinstance(text, dict) else None
    if isinstance(form, dict) and form.get("type") == "json_schema" and not {"name", "schema"} <= form.keys():
        return "Missing required parameter: 'text.format.name' or 'text.format.schema'."
    return None


def _about_input(request: JsonObject) -> str | None:
    given = request.get("input")
    if isinstance(given, str) and given:
        return None
    if not isinstance(given, list) or not given:
        return "'input' must be a text or an array of at least one item."
    waiting: dict[str, str] = {}
    thought: JsonValue = None
    for number, item in enumerate(given):
        if not isinstance(item, dict):
            return f"input[{number}] must be an object."
        if wrong := _about_item(item, waiting):
            return f"input[{number}]: {wrong}"
        made = item.get("type") != "message" or item.get("role") == "assistant"
        if thought is not None and (not made or str(item.get("type")).endswith("_output")):
            return f"Item '{thought}' of type 'reasoning' was provided without its required following item."
        thought = item.get("id") if item.get("type") == "reasoning" else None
    if thought is not None:
        return f"Item '{thought}' of type 'reasoning' was provided without its required following item."
    if waiting:
        return f"No tool output found for function call {', '.join(sorted(waiting))}."
    return None


def _about_item(item: JsonObject, waiting: dict[str, str]) -> str | None:
    """`waiting` holds the calls that have no output yet with the type of their output, and is brought up to date."""
    kind = str(item.get("type", "message"))
    if kind in HOSTED:
        return None
    if kind not in ITEM_FIELDS:
        return f"Invalid value: '{kind}'."
    if unknown := sorted(item.keys() - ITEM_FIELDS[kind]):
        return f"Unknown parameter: {', '.join(unknown)}."
    match kind:
        case "message":
            return _about_message(item, waiting)
        case "reasoning":
            return _about_reasoning(item)
        case "function_call" | "custom_tool_call":
            return _about_call(item, kind, waiting)
        case _:
            if waiting.pop(str(item.get("call_id")), None) != kind:
                return f"No tool call found for function call output with call_id {item.get('call_id')}."
            return None if isinstance(item.get("output"), str) else _about_content(item.get("output"), CONTENT_FIELDS)


def _about_message(item: JsonObject, waiting: dict[str, str]) -> str | None:
    role, content = item.get("role"), item.get("content")
    if role not in ("user", "assistant", "system", "developer"):
        return f"Invalid value: {role!r} is no role."
    if waiting and role != "assistant":
        return f"No tool output found for function call {', '.join(sorted(waiting))}."
    if isinstance(content, str):
        return None
    if role == "assistant" and not {"id", "status"} <= item.keys():
        return "Missing required parameter: 'id' or 'status'."
    return _about_content(content, SAID_FIELDS if role == "assistant" else CONTENT_FIELDS)


def _about_content(content: JsonValue, kinds: Mapping[str, frozenset[str]]) -> str | None:
    if not isinstance(content, list) or not content:
        return "content must be a text or a list of parts that is not empty"
    for part in content:
        kind = str(part.get("type")) if isinstance(part, dict) else ""
        if not isinstance(part, dict) or kind not in kinds:
            return f"Invalid value: '{kind}'. Supported values are: {', '.join(sorted(kinds))}."
        if unknown := sorted(part.keys() - kinds[kind]):
            return f"Unknown parameter: {', '.join(unknown)}."
    return None


def _about_reasoning(item: JsonObject) -> str | None:
    if not isinstance(item.get("id"), str) or not isinstance(item.get("summary"), list):
        return "Missing required parameter: 'id' or 'summary'."
    sealed = item.get("encrypted_content")
    if not isinstance(sealed, str) or not sealed:
        return f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set to false."
    if sealed.startswith("parlance:"):
        return "The encrypted content could not be verified."
    return None


def _about_call(item: JsonObject, kind: str, waiting: dict[str, str]) -> str | None:
    id, name = item.get("call_id"), item.get("name")
    given = item.get("arguments" if kind == "function_call" else "input")
    if not isinstance(id, str) or not 1 <= len(id) <= 64:
        return "Invalid 'call_id': expected a string of at most 64 characters."
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "Invalid 'name': expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    if not isinstance(given, str):
        return "A call's arguments must be a string."
    waiting[id] = f"{kind}_output"
    return None


def _about_tools(request: JsonObject) -> str | None:
    tools = request.get("tools")
    if tools is None or tools == []:
        named = request.get("tool_choice") not in (None, "auto", "none")
        return "Tool choice must be 'auto' or 'none' without tools." if named else None
    if not isinstance(tools, list):
        return "'tools' must be an array."
    for tool in tools:
        kind = tool.get("type") if isinstance(tool, dict) else None
        if not isinstance(tool, dict) or not isinstance(kind, str):
            return "Missing required parameter: 'tools[].type'."
        if kind in ("function", "custom") and not _NAME.fullmatch(str(tool.get("name", ""))):
            return "Missing required parameter: 'tools[].name'."
        if kind == "function" and not isinstance(tool.get("parameters"), dict):
            return "Missing required parameter: 'tools[].parameters'."
    return None
