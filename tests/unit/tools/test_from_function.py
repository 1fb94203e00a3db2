"""Functions as tools: the schema, the check of arguments, and how they are run."""

import asyncio
import threading
from typing import Annotated, Literal, Optional

import msgspec
import pytest
from msgspec import Meta

from parlance.core.errors import ToolFailed
from parlance.core.json import JsonObject, JsonValue
from parlance.core.parts import Text
from parlance.tools.from_function import FunctionTool, Result, function_tool, tool_from_function
from tests.unit.tools.invocations import INVOCATION


@function_tool
def plan(
    city: Annotated[str, Meta(description="where")],
    days: int,
    *,
    budget: float = 1.5,
    dry: bool = False,
    stops: list[str] = ["home"],  # noqa: B006 - that a mutable default is never shared is what is tested
    extras: dict[str, int] | None = None,
    pace: Literal["slow", "fast"] = "slow",
    note: Optional[str] = None,  # noqa: UP045 - the older way to write it is to be understood as well
) -> dict[str, JsonValue]:
    """Plan a journey.

    Twice indented, so that it shows.
    """
    stops.append(city)
    given: dict[str, JsonValue] = {"days": days, "budget": budget, "dry": dry, "pace": pace, "note": note}
    return given | {"stops": [*stops], "extras": dict(extras or {})}


def schema(tool: FunctionTool) -> JsonObject:
    decoded: JsonObject = msgspec.json.decode(tool.spec.parameters)
    return decoded


def test_the_signature_becomes_the_schema() -> None:
    assert plan.spec.name == "plan"
    assert plan.spec.description == "Plan a journey.\n\nTwice indented, so that it shows."
    assert schema(plan) == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "where"},
            "days": {"type": "integer"},
            "budget": {"type": "number", "default": 1.5},
            "dry": {"type": "boolean", "default": False},
            "stops": {"type": "array", "items": {"type": "string"}},
            "extras": {
                "anyOf": [{"type": "object", "additionalProperties": {"type": "integer"}}, {"type": "null"}],
                "default": None,
            },
            "pace": {"enum": ["fast", "slow"], "default": "slow"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["city", "days"],
        "additionalProperties": False,
    }


def test_a_function_without_parameters_takes_an_empty_object() -> None:
    @function_tool(name="ping", description="Says pong.")
    def anything() -> str:
        return "pong"

    assert (anything.spec.name, anything.spec.description) == ("ping", "Says pong.")
    assert schema(anything)["properties"] == {}


async def test_arguments_come_with_their_defaults_and_no_call_sees_anothers() -> None:
    for _ in range(2):
        output = await plan.run({"city": "Oslo", "days": 2}, INVOCATION)
        assert isinstance(output, str)
        assert msgspec.json.decode(output) == {
            "days": 2,
            "budget": 1.5,
            "dry": False,
            "pace": "slow",
            "note": None,
            "stops": ["home", "Oslo"],
            "extras": {},
        }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "missing required field `city`"),
        ({"city": 1, "days": 1}, r"Expected `str`, got `int` - at `\$.city`"),
        ({"city": "Oslo", "days": "1"}, r"Expected `int`, got `str` - at `\$.days`"),
        ({"city": "Oslo", "days": 1.5}, r"at `\$.days`"),
        ({"city": "Oslo", "days": 1, "stops": [1]}, r"at `\$.stops\[...\]`|at `\$.stops\[0\]`"),
        ({"city": "Oslo", "days": 1, "pace": "mad"}, r"'mad' - at `\$.pace`"),
        ({"city": "Oslo", "days": 1, "hotel": True}, "unknown field `hotel`"),
        ({"city": None, "days": 1}, r"got `null` - at `\$.city`"),
    ],
)
async def test_wrong_arguments_tell_the_model_what_is_wrong(arguments: JsonObject, complaint: str) -> None:
    with pytest.raises(ToolFailed, match=f"arguments of plan don't fit: .*({complaint})"):
        await plan.run(arguments, INVOCATION)


async def test_an_async_function_is_awaited_and_a_cancel_reaches_it() -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    @function_tool
    async def wait() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return ""

    running = asyncio.ensure_future(wait.run({}, INVOCATION))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stopped.is_set()


async def test_a_blocking_function_holds_nobody_up() -> None:
    released = threading.Event()

    @function_tool(blocking=True)
    def block() -> str:
        return str(released.wait(timeout=30))

    running = asyncio.ensure_future(block.run({}, INVOCATION))
    await asyncio.sleep(0)
    released.set()
    assert await running == "True"


async def test_other_functions_run_where_they_are_called() -> None:
    @function_tool
    def here() -> str:
        return str(threading.get_ident())

    assert await here.run({}, INVOCATION) == str(threading.get_ident())


async def test_results_become_text_unless_they_are_parts() -> None:
    def give(result: Result) -> FunctionTool:
        return tool_from_function(lambda: result, name="give")

    assert await give("as it is").run({}, INVOCATION) == "as it is"
    assert await give(None).run({}, INVOCATION) == ""
    assert await give([1, {"ü": None}]).run({}, INVOCATION) == '[1,{"ü":null}]'
    assert await give((Text("a"), Text("b"))).run({}, INVOCATION) == (Text("a"), Text("b"))


async def test_what_a_function_raises_is_passed_on() -> None:
    @function_tool
    def fail() -> str:
        raise ToolFailed("the lamp is broken")

    with pytest.raises(ToolFailed, match="the lamp is broken"):
        await fail.run({}, INVOCATION)


def test_a_signature_that_json_cannot_say_is_refused() -> None:
    def untyped(city) -> str:  # type: ignore[no-untyped-def]  # what is refused is exactly that
        return str(city)

    def endless(*cities: str) -> str:
        return "".join(cities)

    def strange(lock: threading.Event) -> str:
        return str(lock)

    async def patient() -> str:
        return ""

    for function, complaint in ((untyped, "city"), (endless, "by name only"), (strange, "strange can't be told")):
        with pytest.raises(TypeError, match=complaint):
            tool_from_function(function)
    with pytest.raises(TypeError, match="can't be blocking"):
        tool_from_function(patient, blocking=True)
