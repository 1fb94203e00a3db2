"""An example of each body and each resource, for the OpenAPI document."""

from collections.abc import Mapping
from datetime import UTC, datetime

from parlance.dialects.rest.wire import (
    AssistantResource,
    ChatResource,
    Completion,
    CompletionDetails,
    MemoryResource,
    MessageResource,
    PromptDetails,
    SentMessage,
    SubtenantResource,
    UsageResource,
)
from parlance.dialects.rest.wire_requests import (
    ChangedAssistant,
    ChangedChat,
    ChangedMemory,
    ChangedSubtenant,
    CompletionBody,
    GivenMessage,
    NewAssistantBody,
    NewChatBody,
    NewMemory,
    NewSubtenant,
    ResultsBody,
    SendBody,
)

_THEN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_SUBTENANT = "0199f3c2-0000-7000-8000-000000000001"
_CHAT = "0199f3c2-0000-7000-8000-000000000002"
_TURN = "0199f3c2-0000-7000-8000-000000000003"
_USAGE = UsageResource(14, 4, 18, PromptDetails(None, None), CompletionDetails(None), estimated=False)
_MESSAGE = MessageResource(
    id="0199f3c2-0000-7000-8000-000000000004",
    chat_id=_CHAT,
    role="assistant",
    content="It is ten past four.",
    tool_calls=None,
    tool_call_id=None,
    name=None,
    enabled_functions=None,
    enabled_mcp_tools=None,
    created_at=_THEN,
    model="qwen3-32b",
    provider="lab",
    usage=_USAGE,
    status="completed",
    turn_id=_TURN,
)

EXAMPLES: Mapping[object, object] = {
    NewSubtenant: {"name": "Weather desk"},
    ChangedSubtenant: {"name": None, "metadata": {"plan": "small"}},
    SubtenantResource: SubtenantResource(_SUBTENANT, "Weather desk", {}, _THEN, _THEN),
    NewChatBody: {"title": "Umbrellas", "system_message": "Answer in one sentence."},
    ChangedChat: {"title": "Umbrellas and coats"},
    ChatResource: ChatResource(
        id=_CHAT,
        subtenant_id=_SUBTENANT,
        title="Umbrellas",
        system_message="Answer in one sentence.",
        assistant_id=None,
        enabled_functions=None,
        enabled_mcp_tools=None,
        created_at=_THEN,
        updated_at=_THEN,
    ),
    SendBody: {"content": "What time is it?", "include_memories": False},
    MessageResource: _MESSAGE,
    SentMessage: SentMessage(message=_MESSAGE, usage=_USAGE, turn_id=_TURN, status="completed"),
    ResultsBody: {"results": [{"tool_call_id": "call_8d1f", "result": {"pieces": 12}}]},
    NewMemory: NewMemory("home/city", "Oslo"),
    ChangedMemory: ChangedMemory({"name": "Oslo", "country": "Norway"}),
    MemoryResource: MemoryResource(
        "0199f3c2-0000-7000-8000-000000000005", _SUBTENANT, "home/city", "Oslo", _THEN, _THEN
    ),
    NewAssistantBody: {"name": "Clerk", "system_prompt": "You are brief.", "enabled_functions": ["get_current_time"]},
    ChangedAssistant: {"is_active": False},
    AssistantResource: AssistantResource(
        id="0199f3c2-0000-7000-8000-000000000006",
        subtenant_id=None,
        name="Clerk",
        description=None,
        system_prompt="You are brief.",
        enabled_functions=["get_current_time"],
        enabled_mcp_tools=None,
        function_parameters={},
        mcp_tool_parameters={},
        is_active=True,
        created_at=_THEN,
        updated_at=_THEN,
    ),
    CompletionBody: CompletionBody([GivenMessage("user", "Say hello.")]),
    Completion: Completion(
        content="Hello.",
        role="assistant",
        tool_calls=None,
        usage=_USAGE,
        model="qwen3-32b",
        provider="lab",
        finish_reason="stop",
    ),
}
