"""What the REST door reads and writes."""

from msgspec import Struct

from parlance.core.stores.answers import Answers
from parlance.core.stores.assistants import Assistants
from parlance.core.stores.bells import Bells
from parlance.core.stores.chats import Chats
from parlance.core.stores.memories import Memories
from parlance.core.stores.messages import Messages
from parlance.core.stores.model_calls import ModelCalls
from parlance.core.stores.subtenants import Subtenants
from parlance.core.stores.turns import Turns


class Stores(Struct, frozen=True, kw_only=True):
    subtenants: Subtenants
    chats: Chats
    messages: Messages
    memories: Memories
    assistants: Assistants
    calls: ModelCalls
    turns: Turns
    answers: Answers
    bells: Bells
