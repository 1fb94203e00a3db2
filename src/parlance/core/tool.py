"""What a tool is to the engine."""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from parlance.core.ids import CallId, TurnId
from parlance.core.json import JsonObject
from parlance.core.parts import ToolOutput
from parlance.core.principal import Principal
from parlance.core.requests import ToolSpec


class Invocation(Struct, frozen=True):
    """For whom and in which turn a tool runs."""

    turn: TurnId
    call: CallId
    principal: Principal


class Answer(Struct, frozen=True):
    """What a caller returns for a call of its own tool."""

    call_id: CallId
    output: ToolOutput
    is_error: bool = False


class Tool(Protocol):
    """Something this server can do for a model. Cancelling `run` must stop it."""

    @property
    def spec(self) -> ToolSpec: ...

    async def run(self, arguments: JsonObject, invocation: Invocation) -> ToolOutput:
        """Carry out one call.

        `ToolFailed` says to the model what went wrong; any other exception is a bug, and told as one.
        """
        ...


class Toolbox(Protocol):
    def offered(self, principal: Principal) -> Mapping[str, Tool]:
        """The tools on offer to this principal, by name."""
        ...
