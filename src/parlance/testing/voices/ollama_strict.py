"""Checks requests for Ollama's chat more strictly than its server does, which skips what it does not know."""

import base64
import json

from parlance.core.json import JsonObject, JsonValue

ROLES = frozenset({"system", "user", "assistant", "tool"})
FIELDS = frozenset(
    "model messages stream format keep_alive tools options think truncate shift logprobs top_logprobs".split()
)
MESSAGE_FIELDS = frozenset("role content thinking images tool_calls tool_name tool_call_id".split())
NUMBERS = frozenset(
    """num_ctx num_batch num_gpu main_gpu num_thread num_keep seed num_predict top_k top_p min_p typical_p repeat_last_n
    temperature repeat_penalty presence_penalty frequency_penalty""".split()
)
LEVELS = ("high", "medium", "low", "max")


def complaint_about(body: bytes) -> str | None:
    """What is wrong with a request, or None."""
    try:
        request = json.loads(body)
    except ValueError as error:
        return f"invalid character: {error}"
    if not isinstance(request, dict):
        return "json: cannot unmarshal into Go value of type api.ChatRequest"
    if unknown := sorted(request.keys() - FIELDS):
        return f"unknown fields {', '.join(unknown)}"
    if not isinstance(request.get("model"), str) or not request["model"]:
        return "model is required"
    return _about_fields(request) or _about_messages(request.get("messages")) or _about_tools(request.get("tools", []))


def _about_fields(request: JsonObject) -> str | None:
    think, form, options = request.get("think"), request.get("format"), request.get("options", {})
    if not isinstance(request.get("stream", True), bool):
        return "stream must be a boolean"
    if not (think is None or isinstance(think, bool) or think in LEVELS):
        return f"invalid think value: {think!r} (must be {', '.join(LEVELS)}, true, or false)"
    if not (form is None or form in ("", "json") or isinstance(form, dict)):
        return f"invalid format: {form!r}; expected json or a valid JSON Schema object"
    if not isinstance(options, dict):
        return "options must be an object"
    for name, value in options.items():
        if name in NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
            return f"option {name!r} must be a number"
        if name == "stop" and not _are_texts(value):
            return "option 'stop' must be an array of strings"
        if name not in NUMBERS | {"stop"}:
            return f"invalid option provided: {name}"
    return None


def _are_texts(value: JsonValue) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _about_messages(messages: JsonValue) -> str | None:
    if not isinstance(messages, list) or not messages:
        return "messages must be an array of at least one message: without any the model is only loaded"
    waiting: list[str] = []
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            return f"messages[{number}] must be an object"
        if wrong := _about_message(message, waiting):
            return f"messages[{number}]: {wrong}"
    return _unanswered(waiting)


def _about_message(message: JsonObject, waiting: list[str]) -> str | None:
    """`waiting` holds the names of calls that have no result yet, and is brought up to date."""
    if unknown := sorted(message.keys() - MESSAGE_FIELDS):
        return f"unknown fields {', '.join(unknown)}"
    role = message.get("role")
    if role not in ROLES:
        return f"unknown role {role!r}"
    if not isinstance(message.get("content"), str):
        return "content must be a string"
    if role == "tool":
        if message.get("tool_name") not in waiting:
            return "a message with role 'tool' must name the tool of a call before it"
        waiting.remove(str(message["tool_name"]))
    elif waiting:
        return _unanswered(waiting)
    if not isinstance(message.get("thinking", ""), str):
        return "thinking must be a string"
    if wrong := _about_images(message.get("images", [])):
        return wrong
    return _about_calls(message.get("tool_calls", []), waiting)


def _about_images(images: JsonValue) -> str | None:
    if not _are_texts(images) or not isinstance(images, list):
        return "images must be an array of strings"
    try:
        for image in images:
            base64.b64decode(str(image), validate=True)
    except ValueError as error:
        return f"illegal base64 data: {error}"
    return None


def _about_calls(calls: JsonValue, waiting: list[str]) -> str | None:
    if not isinstance(calls, list):
        return "tool_calls must be an array"
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return "a tool call must have a function with a name"
        if not isinstance(function.get("arguments"), dict):
            return "a call's arguments must be an object"
        waiting.append(str(function["name"]))
    return None


def _unanswered(waiting: list[str]) -> str | None:
    return f"calls without a result: {', '.join(waiting)}" if waiting else None


def _about_tools(tools: JsonValue) -> str | None:
    if not isinstance(tools, list):
        return "tools must be an array"
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return "a tool must be of the type function, and have a function with a name"
        if not isinstance(function.get("parameters", {}), dict):
            return "a tool's parameters must be an object"
    return None
