"""An older service's messages as ours. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from parlance.core.ids import CallId, ChatId, MessageId
from parlance.core.messages import Message, Origin, Role
from parlance.core.parts import Part, Text, ToolCall, ToolResult
from parlance.core.stores.messages import StoredMessage
from parlance.core.usage import Finish, Usage
from parlance.store.porting.wrapper_tables import Found
from parlance.store.porting.wrapper_values import count_of, json_of, moment_of, names_of, text_of, uuid_of

ROLES: Final[Mapping[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}


class Chapter:
    """The messages of one chat behind each other: a result of a tool may need its call's name."""

    def __init__(self, chat: ChatId) -> None:
        self.chat = chat
        self._called: dict[str, str] = {}

    def read(self, row: Found, now: datetime) -> StoredMessage | str:
        """The message, or why there is none."""
        role = ROLES.get(str(row["role"]))
        if role is None:
            return f"of the role {str(row['role'])[:40]!r}, which there is not"
        id = MessageId(uuid_of("messages", row["id"]))
        parts = self._result(row) if role == "tool" else self._said(row, id)
        if isinstance(parts, str):
            return parts
        calls = any(isinstance(part, ToolCall) for part in parts)
        finish: Finish | None = None if role != "assistant" else "tool_calls" if calls else "stop"
        message = Message(id, role, parts, _origin(row), finish, _usage(row) if role == "assistant" else None)
        created = moment_of(row.get("created_at"), now)
        functions, tools = names_of(row.get("enabled_functions")), names_of(row.get("enabled_mcp_tools"))
        return StoredMessage(self.chat, None, message, None, created, functions, tools)

    def _said(self, row: Found, id: MessageId) -> tuple[Part, ...] | str:
        calls = _calls(row, id)
        if isinstance(calls, str):
            return calls
        self._called |= {call.id: call.name for call in calls}
        said = _content(row["content"])
        return (*((Text(said),) if said or not calls else ()), *calls)

    def _result(self, row: Found) -> tuple[Part, ...] | str:
        id = text_of(row.get("tool_call_id")) or self._call_of(text_of(row.get("name")))
        if not id:
            return "results of tools without their calls"
        name = text_of(row.get("name")) or self._called.get(id, "")
        return (ToolResult(CallId(id), name, _content(row["content"])),)

    def _call_of(self, name: str | None) -> str | None:
        """The newest call of that name: results of the older form name no call."""
        return next((id for id, called in reversed(self._called.items()) if called == name), None)


def _content(value: object) -> str:
    if not isinstance(value, list):
        return text_of(value) or ""
    texts = [item.get("text") if isinstance(item, dict) else item for item in value]
    return "".join(text_of(one) or "" for one in texts)


def _calls(row: Found, id: MessageId) -> tuple[ToolCall, ...] | str:
    found = json_of(row.get("tool_calls")) or []
    older = json_of(row.get("function_call"))
    if isinstance(older, dict) and not found:
        found = [{"id": f"call_{id.replace('-', '')}", "function": older}]
    calls = [_call(one) for one in found] if isinstance(found, list) else [None]
    whole = tuple(call for call in calls if call is not None)
    return whole if len(whole) == len(calls) else "with calls of tools in an unknown form"


def _call(found: Any) -> ToolCall | None:
    if not isinstance(found, dict):
        return None
    function = found.get("function", found)
    if not isinstance(function, dict) or not function.get("name") or not found.get("id"):
        return None
    arguments = function.get("arguments", function.get("input", "{}"))
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(CallId(str(found["id"])), str(function["name"]), arguments or "{}")


def _origin(row: Found) -> Origin | None:
    host, model = text_of(row.get("provider")), text_of(row.get("model"))
    # Nothing in these messages is of one family of hosts alone.
    return Origin(host or "", model or "", "") if host or model else None


def _usage(row: Found) -> Usage | None:
    told = json_of(row.get("usage"))
    told = told if isinstance(told, dict) else {}
    tokens_in = count_of(row.get("prompt_tokens")) or count_of(told.get("prompt_tokens", told.get("input_tokens")))
    tokens_out = count_of(row.get("completion_tokens")) or count_of(
        told.get("completion_tokens", told.get("output_tokens"))
    )
    return None if tokens_in is None and tokens_out is None else Usage(tokens_in, tokens_out)
