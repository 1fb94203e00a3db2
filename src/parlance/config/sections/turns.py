"""How turns are kept, bounded, and what tools they may call."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from parlance.config.sections.fields import (
    HeaderSecret,
    ListOf,
    MapOf,
    Name,
    NamedMapOf,
    Seconds,
    Section,
    ToolAddress,
    empty_map,
)

Count = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=1_024)]
Age = Annotated[float, Field(ge=0, le=315_360_000)]
Transport = Literal["http", "sse", "websocket", "stdio"]
TRANSPORT_ALIASES = {"streamable-http": "http", "streamable_http": "http", "ws": "websocket"}


class HistorySettings(Section):
    """`reserve_output`: tokens of the model's window kept free for its answer."""

    reserve_output: Annotated[int, Field(ge=0)] = 4_096


class ChatsSettings(Section):
    store: Literal["asked", "always"] = "asked"
    send_policy: Literal["queue", "reject", "interrupt"] = "queue"
    queue_size: Count = 16
    history: HistorySettings = HistorySettings()


class JournalSettings(Section):
    """Times in seconds.

    `live_memory`: bytes that ended live turns may hold, of which the oldest are forgotten first. `live_window`: bytes
    of a live turn's newest events that can be told again one by one; of what is older a snapshot tells.
    """

    durability: Literal["grouped", "strict"] = "grouped"
    live_retention: Annotated[float, Field(ge=0, le=604_800)] = 900.0
    live_memory: Annotated[int, Field(ge=0)] = 67_108_864
    live_window: Annotated[int, Field(ge=4_096)] = 1_048_576
    live_grace: Annotated[float, Field(ge=0, le=604_800)] = 60.0
    keep_deltas: Age = 86_400.0


class RetentionSettings(Section):
    """Seconds for which is remembered what nobody deletes: requests under an idempotency key, and single calls of
    models.
    """

    idempotency_keys: Age = 86_400.0
    model_calls: Age = 2_592_000.0


class PerKeySettings(Section):
    sockets: Count = 1_000
    turns: Count = 200
    bytes: Size = 67_108_864


class LimitsSettings(Section):
    """What is refused beyond them. `body` and `message` are bytes: of one HTTP body, and of one WebSocket message;
    `bytes` are those of all of them that are on their way. `patience` and `stall` are seconds.
    """

    connections: Count = 10_000
    sockets: Count = 5_000
    turns: Count = 2_000
    bytes: Size = 268_435_456
    body: Size = 4_194_304
    message: Size = 1_048_576
    patience: Seconds = 10.0
    stall: Seconds = 15.0
    per_key: PerKeySettings = PerKeySettings()

    @model_validator(mode="after")
    def check_bytes(self) -> "LimitsSettings":
        if max(self.body, self.message) > min(self.bytes, self.per_key.bytes):
            raise ValueError("bytes and per_key.bytes must be at least as large as body and message")
        return self


class ToolsSettings(Section):
    """`timeout`: seconds for one call on the server. `wait`: seconds for a client to answer one."""

    rounds: Annotated[int, Field(ge=1, le=1_000)] = 25
    parallel: Annotated[int, Field(ge=1, le=256)] = 8
    timeout: Seconds = 60.0
    wait: Seconds = 600.0


def read_transport(value: object) -> object:
    if not isinstance(value, str):
        return value
    transport = value.strip().lower()
    return TRANSPORT_ALIASES.get(transport, transport)


class McpServerSettings(Section):
    """One tool server. `name` prefixes its tools. `stdio` takes `command` and `args`; the others an address."""

    name: Name
    url: ToolAddress | None = None
    transport: Annotated[Transport, BeforeValidator(read_transport)] = "http"
    timeout: Seconds = 30.0
    auth_token: HeaderSecret | None = None
    bind_localhost: bool = False
    command: Name | None = None
    args: ListOf[str] = ()
    env: NamedMapOf[SecretStr] = Field(default_factory=empty_map)

    @model_validator(mode="after")
    def check_reach(self) -> "McpServerSettings":
        needed = "command" if self.transport == "stdio" else "url"
        if getattr(self, needed) is None:
            raise ValueError(f"needs {needed}, as its transport is {self.transport}")
        return self


class McpSettings(Section):
    enabled: bool = True
    servers: MapOf[McpServerSettings] = Field(default_factory=empty_map)
