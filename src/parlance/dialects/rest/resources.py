"""What is kept, as the resources of the REST service."""

from parlance.core.journal import Cursor
from parlance.core.messages import Message
from parlance.core.parts import ToolCall, ToolResult, output_text
from parlance.core.stores.assistants import Assistant
from parlance.core.stores.chats import Chat, Names
from parlance.core.stores.memories import Memory
from parlance.core.stores.messages import StoredMessage
from parlance.core.stores.model_calls import ModelCall, UsageTotal
from parlance.core.stores.subtenants import Subtenant
from parlance.core.stores.turns import TurnRecord
from parlance.core.usage import Usage
from parlance.dialects.rest.wire import (
    AssistantResource,
    CalledFunction,
    CalledTool,
    CallResource,
    ChatResource,
    CompletionDetails,
    MemoryResource,
    MessageResource,
    PromptDetails,
    SubtenantResource,
    TurnResource,
    UsageResource,
    UsageRow,
)


def encode_subtenant(subtenant: Subtenant) -> SubtenantResource:
    return SubtenantResource(
        subtenant.id, subtenant.name, {**subtenant.metadata}, subtenant.created_at, subtenant.updated_at
    )


def encode_chat(chat: Chat) -> ChatResource:
    return ChatResource(
        id=chat.id,
        subtenant_id=chat.subtenant_id,
        title=chat.title,
        system_message=chat.system_message,
        assistant_id=chat.assistant_id,
        enabled_functions=_names(chat.enabled_functions),
        enabled_mcp_tools=_names(chat.enabled_mcp_tools),
        created_at=chat.created_at,
        updated_at=chat.updated_at,
    )


def encode_message(stored: StoredMessage) -> MessageResource:
    message, origin = stored.message, stored.message.origin
    result = next((part for part in message.parts if type(part) is ToolResult), None)
    return MessageResource(
        id=message.id,
        chat_id=stored.chat_id,
        role=message.role,
        content=message.text if result is None else output_text(result),
        tool_calls=encode_calls(message) if message.role == "assistant" else None,
        tool_call_id=result.call_id if result is not None else None,
        name=result.name if result is not None else None,
        enabled_functions=_names(stored.enabled_functions),
        enabled_mcp_tools=_names(stored.enabled_mcp_tools),
        created_at=stored.created_at,
        model=origin.model if origin is not None else None,
        provider=origin.host if origin is not None else None,
        usage=encode_usage(message.usage) if message.usage is not None else None,
        status=stored.status,
        turn_id=stored.turn_id,
    )


def encode_calls(message: Message) -> list[CalledTool] | None:
    """Null where it makes none."""
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    return [CalledTool(call.id, CalledFunction(call.name, call.arguments)) for call in calls] or None


def encode_usage(usage: Usage | None) -> UsageResource:
    usage = usage or Usage()
    return UsageResource(
        prompt_tokens=usage.input,
        completion_tokens=usage.output,
        total_tokens=usage.total,
        prompt_tokens_details=PromptDetails(usage.cached, usage.cache_written),
        completion_tokens_details=CompletionDetails(usage.reasoning),
        estimated=usage.estimated,
    )


def encode_memory(memory: Memory) -> MemoryResource:
    return MemoryResource(
        memory.id, memory.subtenant_id, memory.key, memory.value, memory.created_at, memory.updated_at
    )


def encode_assistant(assistant: Assistant) -> AssistantResource:
    return AssistantResource(
        id=assistant.id,
        subtenant_id=assistant.subtenant_id,
        name=assistant.name,
        description=assistant.description,
        system_prompt=assistant.system_prompt,
        enabled_functions=_names(assistant.enabled_functions),
        enabled_mcp_tools=_names(assistant.enabled_mcp_tools),
        function_parameters={**assistant.function_parameters},
        mcp_tool_parameters={**assistant.mcp_tool_parameters},
        is_active=assistant.is_active,
        created_at=assistant.created_at,
        updated_at=assistant.updated_at,
    )


def encode_turn(record: TurnRecord, message: MessageResource | None) -> TurnResource:
    return TurnResource(
        id=record.id,
        chat_id=record.chat,
        subtenant_id=record.subtenant,
        status=record.state,
        door=record.door,
        model=record.model,
        provider=record.provider,
        finish_reason=record.finish,
        usage=encode_usage(record.usage) if record.usage is not None else None,
        error=record.fault,
        message=message,
        cursor=Cursor(record.epoch, record.head).encode(),
        created_at=record.accepted_at,
        ended_at=record.ended_at,
    )


def encode_model_call(call: ModelCall) -> CallResource:
    return CallResource(
        id=call.id,
        subtenant_id=call.subtenant_id,
        chat_id=call.chat_id,
        turn_id=call.turn_id,
        request_id=call.request_id,
        door=call.door,
        provider=call.provider,
        model=call.model,
        attempt=call.number,
        status=call.outcome,
        error=call.error,
        upstream_id=call.upstream_id,
        usage=encode_usage(call.usage) if call.usage is not None else None,
        cost=call.cost,
        first_token_seconds=call.first,
        latency_seconds=call.duration,
        created_at=call.created_at,
    )


def encode_total(total: UsageTotal) -> UsageRow:
    return UsageRow(
        provider=total.provider,
        model=total.model,
        requests=total.calls,
        failed=total.failed,
        prompt_tokens=total.input,
        completion_tokens=total.output,
        total_tokens=total.input + total.output,
        cost=total.cost,
        unpriced=total.unpriced,
    )


def _names(names: Names) -> list[str] | None:
    return None if names is None else list(names)
