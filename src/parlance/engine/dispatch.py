"""Runs the calls of one round side by side.

Whatever goes wrong with a call becomes its result, and the turn goes on.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from parlance.core.errors import ToolFailed
from parlance.core.events import Event, ToolCalled, ToolReturned
from parlance.core.json import JsonObject
from parlance.core.messages import Message
from parlance.core.parts import Text, ToolCall, ToolOutput, ToolResult
from parlance.core.tool import Invocation, Tool
from parlance.core.transcript import tool_message
from parlance.engine.open_part import clean
from parlance.engine.turn_state import Turn

log = logging.getLogger(__name__)


class _Refused(Struct):
    """A call that is not made; the model is told why, and nobody is asked to run it."""

    result: ToolResult


class _OnServer(Struct):
    tool: Tool
    arguments: JsonObject


class _OnClient(Struct):
    result: "asyncio.Future[ToolResult]"


_Plan = _Refused | _OnServer | _OnClient


async def run_calls(turn: Turn, calls: Sequence[ToolCall]) -> list[Message]:
    """The results, in the order of the calls. All calls are announced before any of them runs."""
    plans = [_plan(turn, call) for call in calls]
    turn.tell([event for call, plan in zip(calls, plans, strict=True) for event in _announce(turn, call, plan)])
    slots = asyncio.Semaphore(turn.parts.options.parallel_calls)
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(_run_call(turn, call, plan, slots)) for call, plan in zip(calls, plans, strict=True)]
    return [tool_message(run.result()) for run in runs]


def _plan(turn: Turn, call: ToolCall) -> _Plan:
    tool = None if turn.runner_of(call.name) == "client" else turn.tools.get(call.name)
    if tool is None and turn.runner_of(call.name) == "server":
        return _Refused(_failure(call, f"There is no tool named {call.name!r}. On offer: {_names_on_offer(turn)}."))
    arguments: JsonObject = {}
    if not call.freeform:
        try:
            arguments = msgspec.json.decode(call.arguments, type=dict[str, object])
        except (msgspec.DecodeError, RecursionError) as error:
            return _Refused(_failure(call, f"The arguments are not a JSON object ({error}). Call again with one."))
    if tool is None:
        return _OnClient(turn.pending.ask(call))
    return _OnServer(tool, arguments)


def _announce(turn: Turn, call: ToolCall, plan: _Plan) -> list[Event]:
    match plan:
        case _Refused():
            return []
        case _OnServer():
            return [ToolCalled(call, "server")]
        case _OnClient():
            due = datetime.now(UTC) + timedelta(seconds=turn.parts.options.answer_timeout)
            return [ToolCalled(call, "client", due.isoformat(timespec="seconds").replace("+00:00", "Z"))]


async def _run_call(turn: Turn, call: ToolCall, plan: _Plan, slots: asyncio.Semaphore) -> ToolResult:
    result = await _result(turn, call, plan, slots)
    if not isinstance(plan, _OnClient):
        turn.tell((ToolReturned(result),))
    return result


async def _result(turn: Turn, call: ToolCall, plan: _Plan, slots: asyncio.Semaphore) -> ToolResult:
    match plan:
        case _Refused(result=refusal):
            return refusal
        case _OnServer(tool=tool, arguments=arguments):
            async with slots:
                return await _run_tool(turn, call, tool, arguments)
        case _OnClient(result=result):
            return await turn.pending.wait(call, result, turn.parts.options.answer_timeout)


async def _run_tool(turn: Turn, call: ToolCall, tool: Tool, arguments: JsonObject) -> ToolResult:
    limit = turn.parts.options.tool_timeout
    deadline = asyncio.timeout(limit)
    try:
        async with deadline:
            output = _clean(await tool.run(arguments, Invocation(turn.id, call.id, turn.facts.principal)))
    except ToolFailed as error:
        return _failure(call, error.message)
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and _is_cancelled():
            raise
        if deadline.expired():
            return _failure(call, f"The tool {call.name!r} did not return within {limit:g} s.")
        log.exception("The tool %s failed by a bug", tool.spec.name)
        return _failure(call, f"The tool {call.name!r} failed inside. Go on without it.")
    return ToolResult(call.id, call.name, output)


def _is_cancelled() -> bool:
    """Whether somebody cancels us; else what the tool itself waited for was cancelled, which is its failure alone."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _clean(output: ToolOutput) -> ToolOutput:
    if isinstance(output, str):
        return clean(output)
    return tuple(
        msgspec.structs.replace(part, text=clean(part.text)) if isinstance(part, Text) else part for part in output
    )


def _failure(call: ToolCall, message: str) -> ToolResult:
    return ToolResult(call.id, call.name, clean(message), is_error=True)


def _names_on_offer(turn: Turn) -> str:
    return ", ".join(sorted({*turn.tools, *(tool.name for tool in turn.request.tools)})) or "none"
