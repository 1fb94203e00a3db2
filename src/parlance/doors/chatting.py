"""Which stored chat a message of a door without chats of its own belongs to."""

from parlance.core.ids import ChatId, new_chat_id
from parlance.core.principal import Principal
from parlance.core.stores.chats import NewChat
from parlance.core.stores.turns import SendPolicy
from parlance.dialects.chat_request import NEW_CHAT
from parlance.engine.ask import ChatAsk


def chat_ask(wanted: str, principal: Principal, policy: SendPolicy | None = None) -> ChatAsk:
    """`wanted`: a chat's id, or `NEW_CHAT`; that one is the subtenant's of whoever asks."""
    if wanted != NEW_CHAT:
        return ChatAsk(id=ChatId(wanted), policy=policy)
    chat = new_chat_id()
    return ChatAsk(id=chat, new=NewChat(id=chat, subtenant_id=principal.home), policy=policy)
