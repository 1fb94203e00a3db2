"""`Models` and `Toolbox` in memory."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from parlance.core.errors import ModelForbidden, ModelNotFound
from parlance.core.json import JsonObject
from parlance.core.parts import ToolOutput
from parlance.core.principal import Principal
from parlance.core.provider import ModelInfo, Provider, Target
from parlance.core.requests import ToolSpec
from parlance.core.tool import Invocation, Tool


class FixedModels:
    """`Models`: these names lead to these providers, the first being the default at every door."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = dict(providers)

    async def resolve(self, name: str | None, principal: Principal, *, door: str) -> Target:
        model = next(iter(self._providers)) if name is None else name
        if model not in self._providers:
            raise ModelNotFound(f"There is no model {model[:80]!r}. On offer: {', '.join(self._providers)}.")
        if not principal.may_use(model):
            raise ModelForbidden(f"This key may not use the model {model[:80]!r}.")
        return Target(self._providers[model], model)

    async def offered(self, principal: Principal, *, door: str) -> Sequence[ModelInfo]:
        default = next(iter(self._providers), None)
        return [
            ModelInfo(model, provider.name, default=model == default)
            for model, provider in self._providers.items()
            if principal.may_use(model)
        ]


class FunctionTool:
    """A `Tool` that runs an async function of its arguments, and keeps them in `calls`."""

    def __init__(self, name: str, function: Callable[[JsonObject], Awaitable[ToolOutput]]) -> None:
        self.calls: list[JsonObject] = []
        self._spec = ToolSpec(name, f"The scripted tool {name}.")
        self._function = function

    @property
    def spec(self) -> ToolSpec:
        return self._spec

    async def run(self, arguments: JsonObject, invocation: Invocation) -> ToolOutput:
        self.calls.append(arguments)
        return await self._function(arguments)


class FixedToolbox:
    """A `Toolbox` that offers the same tools to everybody."""

    def __init__(self, *tools: Tool) -> None:
        self._tools = {tool.spec.name: tool for tool in tools}

    def offered(self, principal: Principal) -> Mapping[str, Tool]:
        return self._tools
