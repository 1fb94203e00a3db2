"""What a door asks of the engine, and the bounds the engine keeps."""

import msgspec
from msgspec import Struct

from parlance.core.ids import ChatId
from parlance.core.messages import Message
from parlance.core.principal import Principal
from parlance.core.requests import Request
from parlance.core.stores.chats import Names, NewChat
from parlance.core.stores.turns import SendPolicy
from parlance.engine.idempotency import Idempotency


class ChatAsk(Struct, frozen=True, kw_only=True):
    """The stored chat that a message is for; one that is `new` is made with its turn.

    The selections are of this message alone: None where it says nothing. `without_functions` may hold `all`. `policy`:
    what happens if the chat is being answered; None: what the server does.
    """

    id: ChatId
    new: NewChat | None = None
    include_memories: bool = False
    enabled_functions: Names = None
    without_functions: tuple[str, ...] = ()
    enabled_mcp_tools: Names = None
    without_mcp_tools: tuple[str, ...] = ()
    policy: SendPolicy | None = None


class Ask(Struct, frozen=True):
    """A turn as a door decoded it, not yet accepted.

    `request.messages` is the history, with `input`, the message to answer, at its end; in a `chat`, which has a
    history of its own, it is the input alone. `request.model` may be empty: the door's default then. `request.tools`
    are the caller's own; it will be asked to run them. A `passing` turn does not wait for that: it ends with the calls,
    and the caller comes back with another request.
    """

    principal: Principal
    door: str
    request_id: str
    request: Request
    input: Message | None = None
    idempotency: Idempotency | None = None
    chat: ChatAsk | None = None
    passing: bool = False


class _Asked(Struct, frozen=True):
    request: Request
    chat: ChatAsk


def encode_asked(request: Request, chat: ChatAsk) -> bytes:
    """What it takes to go on with a stored turn, beside what was said: that stands in its log."""
    kept = msgspec.structs.replace(request, messages=())
    return msgspec.json.encode(_Asked(kept, msgspec.structs.replace(chat, new=None)))


def decode_asked(asked: bytes) -> tuple[Request, ChatAsk]:
    kept = msgspec.json.decode(asked, type=_Asked)
    return kept.request, kept.chat


class EngineOptions(Struct, frozen=True):
    """Times are in seconds. `turns` and `turns_per_key` count turns that have not ended.

    Ended turns are kept for `live_retention`, but no more of them than fit into `live_memory` bytes.
    """

    rounds: int = 25
    parallel_calls: int = 8
    tool_timeout: float = 60.0
    answer_timeout: float = 600.0
    live_grace: float = 60.0
    live_retention: float = 900.0
    live_memory: int = 64 << 20
    turns: int = 2000
    turns_per_key: int = 200
