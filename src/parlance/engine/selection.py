"""Which of the tools on offer a message of a chat may use."""

from collections.abc import Mapping

from parlance.core.stores.assistants import Assistant
from parlance.core.stores.chats import Chat
from parlance.core.tool import Tool
from parlance.engine.ask import ChatAsk

ALL = "all"


def select_tools(
    offered: Mapping[str, Tool], asked: ChatAsk, chat: Chat, assistant: Assistant | None
) -> Mapping[str, Tool]:
    """What the message says counts before what the chat says, and that before what the assistant says; where nobody
    says anything, all of them. A name that nothing on offer bears is passed over: tools come and go.
    """
    said = (asked.enabled_functions, chat.enabled_functions, assistant.enabled_functions if assistant else None)
    wanted = next((names for names in said if names is not None), None)
    without = asked.without_functions
    if ALL in without:
        return {}
    return {
        name: tool
        for name, tool in offered.items()
        if (wanted is None or name in wanted or ALL in wanted) and name not in without
    }
