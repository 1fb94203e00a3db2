"""A turn as observers see it, with words in every place that can hold some."""

from parlance.core.errors import Fault
from parlance.core.events import (
    Event,
    PartClosed,
    PartOpened,
    StepEnded,
    StepStarted,
    ToolCalled,
    ToolReturned,
    TurnEnded,
    TurnStarted,
    Warned,
)
from parlance.core.ids import CallId, KeyId, MessageId, TurnId
from parlance.core.messages import Origin, user_message
from parlance.core.observers import TurnFacts
from parlance.core.parts import Text, ToolCall, ToolResult
from parlance.core.principal import Principal
from parlance.core.usage import Usage

FACTS = TurnFacts(
    turn=TurnId("turn-1"),
    principal=Principal("subtenant", KeyId("web"), "acme"),
    door="ws_chat",
    model="fast",
    provider="lab",
    request_id="request-1",
    started=100.0,
)
CALL = ToolCall(CallId("call-1"), "get_weather", '{"city":"WORDS-ARGUMENTS"}')
ORIGIN = Origin("lab", "qwen3-32b", "openai_chat")


def events(ending: TurnEnded | None = None, result: str = "WORDS-RESULT", *, is_error: bool = False) -> list[Event]:
    return [
        TurnStarted(FACTS.turn, "fast", user_message("WORDS-PROMPT")),
        StepStarted(1, ORIGIN),
        PartOpened(1, Text("WORDS-OPENED")),
        PartClosed(1, Text("WORDS-ANSWER")),
        PartClosed(2, CALL),
        StepEnded(1, "tool_calls", MessageId("message-1"), "WORDS-RAW"),
        ToolCalled(CALL, "server"),
        ToolReturned(ToolResult(CALL.id, CALL.name, result, is_error=is_error)),
        Warned("dropped", "WORDS-WARNING"),
        StepStarted(2, ORIGIN),
        StepEnded(2, "stop", MessageId("message-2")),
        ending or TurnEnded("completed", "stop", Usage(input=12, output=34)),
    ]


FAILED = TurnEnded("failed", fault=Fault("upstream_failed", "WORDS-FAULT"))
