"""What a door asks of the engine, and the bounds the engine keeps."""

from msgspec import Struct

from parlance.core.messages import Message
from parlance.core.principal import Principal
from parlance.core.requests import Request
from parlance.engine.idempotency import Idempotency


class Ask(Struct, frozen=True):
    """A turn as a door decoded it, not yet accepted.

    `request.messages` is the history, with `input`, the message to answer, at its end. `request.model` may be empty:
    the door's default then. `request.tools` are the caller's own; it will be asked to run them.
    """

    principal: Principal
    door: str
    request_id: str
    request: Request
    input: Message | None = None
    idempotency: Idempotency | None = None


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
