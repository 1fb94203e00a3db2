"""A tool made from a Python function: its signature becomes the JSON Schema, its docstring the description."""

import asyncio
import copy
import inspect
import typing
from collections.abc import Awaitable, Callable
from typing import overload

import msgspec
from msgspec import Raw, Struct

from parlance.core.errors import ToolFailed
from parlance.core.json import JsonObject, JsonValue
from parlance.core.parts import File, Image, Text, ToolOutput
from parlance.core.requests import ToolSpec
from parlance.core.tool import Invocation

Result = JsonValue | Struct | tuple[Text | Image | File, ...]
Function = Callable[..., Result | Awaitable[Result]]


class FunctionTool:
    """A `Tool`.

    A blocking function runs in a worker thread, so that it holds nobody up; a cancelled call is then no longer waited
    for, but the thread runs to its end. All others run on the event loop.
    """

    def __init__(self, function: Function, spec: ToolSpec, arguments: type[Struct], *, blocking: bool) -> None:
        self._function = function
        self._spec = spec
        self._arguments = arguments
        self._blocking = blocking

    @property
    def spec(self) -> ToolSpec:
        return self._spec

    async def run(self, arguments: JsonObject, invocation: Invocation) -> ToolOutput:
        given = self._check(arguments)
        result = await asyncio.to_thread(self._call, given) if self._blocking else self._call(given)
        return _output(await result if inspect.isawaitable(result) else result)

    def _check(self, arguments: JsonObject) -> Struct:
        try:
            return msgspec.convert(arguments, self._arguments)
        except msgspec.ValidationError as error:
            raise ToolFailed(f"The arguments of {self._spec.name} don't fit: {error}.") from None

    def _call(self, given: Struct) -> Result | Awaitable[Result]:
        return self._function(**{name: getattr(given, name) for name in given.__struct_fields__})


@overload
def function_tool(function: Function, /) -> FunctionTool: ...
@overload
def function_tool(
    *, name: str | None = None, description: str | None = None, blocking: bool = False
) -> Callable[[Function], FunctionTool]: ...
def function_tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    blocking: bool = False,
) -> FunctionTool | Callable[[Function], FunctionTool]:
    """A typed function, sync or async, as a tool; also as a decorator, with arguments or without.

    Parameters may be str, int, float, bool, list, dict, Literal, Optional, and what else msgspec knows; `Annotated`
    with `msgspec.Meta(description=…)` describes one. `blocking`: the function is sync and waits for something.
    `TypeError` for a signature that can't be told in JSON.
    """
    if function is None:
        return lambda function: tool_from_function(function, name=name, description=description, blocking=blocking)
    return tool_from_function(function, name=name, description=description, blocking=blocking)


def tool_from_function(
    function: Function, *, name: str | None = None, description: str | None = None, blocking: bool = False
) -> FunctionTool:
    """See `function_tool`."""
    name = function.__name__ if name is None else name
    if blocking and inspect.iscoroutinefunction(function):
        raise TypeError(f"The tool {name} is async and can't be blocking; await what it waits for.")
    arguments = _arguments_type(function, name)
    text = inspect.cleandoc(function.__doc__ or "") if description is None else description
    return FunctionTool(function, ToolSpec(name, text, _schema(arguments, name)), arguments, blocking=blocking)


def _arguments_type(function: Function, name: str) -> type[Struct]:
    hints = typing.get_type_hints(function, include_extras=True)
    fields = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"The tool {name} takes {parameter}, but models pass arguments by name only.")
        if parameter.name not in hints:
            raise TypeError(f"The tool {name} does not say the type of its parameter {parameter.name}.")
        fields.append((parameter.name, hints[parameter.name], _default(parameter)))
    return msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)


def _default(parameter: inspect.Parameter) -> object:
    default = parameter.default
    if default is parameter.empty:
        return msgspec.field()
    if isinstance(default, str | int | float | bool | None):
        return msgspec.field(default=default)
    return msgspec.field(default_factory=lambda: copy.deepcopy(default))


def _schema(arguments: type[Struct], name: str) -> Raw:
    try:
        (reference,), definitions = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    except TypeError as error:
        raise TypeError(f"The parameters of the tool {name} can't be told in JSON: {error}") from error
    schema = definitions.pop(str(reference["$ref"]).removeprefix("#/$defs/"))
    schema.pop("title", None)
    if definitions:
        schema["$defs"] = definitions
    return Raw(msgspec.json.encode(schema))


def _output(result: Result) -> ToolOutput:
    match result:
        case str():
            return result
        case tuple() if result and all(isinstance(part, Text | Image | File) for part in result):
            return result
        case None:
            return ""
        case _:
            return msgspec.json.encode(result).decode()
