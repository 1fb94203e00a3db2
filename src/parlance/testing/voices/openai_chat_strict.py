"""Checks chat completions requests as strictly as OpenAI does: what it finds is what a real host would refuse."""

import json

from parlance.core.json import JsonObject, JsonValue

ROLES = frozenset({"developer", "system", "user", "assistant", "tool", "function"})
FIELDS = frozenset(
    """audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages
    metadata modalities model moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key
    prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store stream
    stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options""".split()
)
MESSAGE_FIELDS = frozenset("role content name tool_calls tool_call_id refusal audio function_call".split())
_GIVEN = {"function": "arguments", "custom": "input"}


def complaint_about(body: bytes) -> str | None:
    """What is wrong with a request, or None."""
    try:
        request = json.loads(body)
    except ValueError:
        return "We could not parse the JSON body of your request."
    if not isinstance(request, dict):
        return "The body must be an object."
    if unknown := sorted(request.keys() - FIELDS):
        return f"Unrecognized request argument supplied: {', '.join(unknown)}"
    if not isinstance(request.get("model"), str) or not request["model"]:
        return "you must provide a model parameter"
    if "stream_options" in request and not request.get("stream"):
        return "The 'stream_options' parameter is only allowed when 'stream' is enabled."
    return _about_messages(request.get("messages")) or _about_tools(request)


def _about_messages(messages: JsonValue) -> str | None:
    if not isinstance(messages, list) or not messages:
        return "'messages' must be an array of at least one message."
    waiting: set[str] = set()
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            return f"messages[{number}] must be an object."
        if wrong := _about_message(message, waiting):
            return f"messages[{number}]: {wrong}"
    return _unanswered(waiting)


def _about_message(message: JsonObject, waiting: set[str]) -> str | None:
    """`waiting` holds the ids of calls that have no result yet, and is brought up to date."""
    if unknown := sorted(message.keys() - MESSAGE_FIELDS):
        return f"unknown fields {', '.join(unknown)}"
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        return f"unknown role {role!r}"
    if role == "tool":
        if message.get("tool_call_id") not in waiting:
            return "a message with role 'tool' must answer a preceding tool call"
        waiting.discard(str(message["tool_call_id"]))
    elif waiting:
        return _unanswered(waiting)
    if content is None and not (message.get("tool_calls") or message.get("refusal")):
        return "content must not be null"
    if not (content is None or isinstance(content, str) or (isinstance(content, list) and content)):
        return "content must be a string or a list of parts that is not empty"
    return _about_calls(message.get("tool_calls"), waiting)


def _about_calls(calls: JsonValue, waiting: set[str]) -> str | None:
    if calls is None:
        return None
    if not isinstance(calls, list) or not calls:
        return "tool_calls must be a list that is not empty"
    for call in calls:
        kind = str(call.get("type")) if isinstance(call, dict) else ""
        called = call.get(kind) if isinstance(call, dict) and kind in _GIVEN else None
        if not isinstance(call, dict) or not isinstance(call.get("id"), str) or not isinstance(called, dict):
            return "a tool call must have an id and a function, or a custom tool"
        if not isinstance(called.get("name"), str) or not isinstance(called.get(_GIVEN[kind]), str):
            return "a call's name and arguments must be strings"
        waiting.add(str(call["id"]))
    return None


def _unanswered(waiting: set[str]) -> str | None:
    if not waiting:
        return None
    return f"tool_call_ids did not have response messages: {', '.join(sorted(waiting))}"


def _about_tools(request: JsonObject) -> str | None:
    tools = request.get("tools")
    if tools is None:
        if "tool_choice" in request or "parallel_tool_calls" in request:
            return "'tool_choice' and 'parallel_tool_calls' are only allowed when 'tools' are specified."
        return None
    if not isinstance(tools, list) or not tools:
        return "'tools' must be an array of at least one tool."
    for tool in tools:
        function = tool.get(str(tool.get("type"))) if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return "a tool must have a type and, under its name, an object with a name"
    return None
