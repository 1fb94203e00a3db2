"""The loop: model steps and tool rounds in turn, until there is an answer. Exactly one ending, always."""

import asyncio
import logging

import msgspec

from parlance.core.errors import (
    Fault,
    HostFailed,
    HostTimeout,
    ParlanceError,
    TooManyRounds,
    TruncatedAnswer,
    TurnAbandoned,
    TurnInterrupted,
    TurnSuperseded,
    fault_of,
)
from parlance.core.events import Status, ToolCalled, TurnEnded, Warned
from parlance.core.requests import AllowedTools, NamedTool, Request, ToolChoice, ToolSpec
from parlance.core.usage import Finish
from parlance.engine.assemble import whole_calls
from parlance.engine.dispatch import run_calls
from parlance.engine.prepare.preparer import prepare
from parlance.engine.step import run_step
from parlance.engine.turn_state import Turn

log = logging.getLogger(__name__)


async def run_turn(turn: Turn) -> None:
    """Answer one user message.

    Told after `TurnStarted`; ends with `TurnEnded`, once, on every path, and never raises. Only one that is parked
    does not end: whoever takes it up goes on with it.
    """
    finish: Finish | None = None
    status: Status
    fault: Fault | None = None
    turn.begun = True
    try:
        if turn.stopping is None:
            finish = await _answer(turn)
        status, fault = ("failed", _unexplained(turn)) if finish == "error" else ("completed", None)
    except asyncio.CancelledError:
        turn.stopping = turn.stopping or "interrupted"
        status = "incomplete"
    except ParlanceError as error:
        status, fault = _status_of(turn, error), error.fault()
    except Exception as error:
        log.exception("A turn failed by a bug")
        status, fault = "failed", fault_of(error)
    if turn.parked:
        # It waits for its caller, and so it does when somebody takes it up again.
        return
    if turn.stopping is not None and finish is None:
        # What broke while the turn was being stopped is no failure of the answer.
        status, fault = _stopped(turn)
    await turn.end(TurnEnded(status, finish, turn.usage, fault))


async def _answer(turn: Turn) -> Finish:
    """Steps and rounds until the model is done. Raises what the provider raises, and `TooManyRounds`."""
    if turn.moment is not None:
        beginning = await turn.moment()
        turn.request = msgspec.structs.replace(turn.request, messages=beginning.messages)
        if beginning.tools is not None:
            turn.tools = beginning.tools
    if turn.resume is not None:
        turn.messages += await turn.resume()
    for left in reversed(range(max(1, turn.parts.options.rounds - turn.next_step + 1))):
        message = await run_step(turn, await _next_request(turn))
        if message.parts:
            turn.messages.append(message)
        finish = message.finish or "unknown"
        calls = whole_calls(message.parts) if finish == "tool_calls" else ()
        if not calls and finish != "continue":
            return finish
        if turn.passing and (own := [call for call in calls if turn.runner_of(call.name) == "client"]):
            # None of the server's own runs either: the caller's next request could not tell of it.
            turn.tell([ToolCalled(call, "client") for call in own])
            return finish
        # Behind the last step nobody would read what the tools return.
        if calls and left:
            turn.messages += await run_calls(turn, calls)
    rounds = turn.parts.options.rounds
    raise TooManyRounds(
        f"The model asked for tools {rounds} times without coming to an answer. Ask for less at a time."
    )


async def _next_request(turn: Turn) -> Request:
    request = msgspec.structs.replace(
        turn.request,
        messages=turn.request.messages + tuple(turn.messages),
        tools=_tools_on_offer(turn),
        tool_choice=_choice(turn),
    )
    prepared = await prepare(request, turn.facts, turn.parts.preparers)
    turn.tell([Warned(one.code, one.message) for one in prepared.notices if one not in turn.noticed])
    turn.noticed |= {*prepared.notices}
    return prepared.request


def _choice(turn: Turn) -> ToolChoice:
    """What the caller asked for, until a call was made: a model that must call again and again never answers."""
    choice = turn.request.tool_choice
    if not any(message.role == "tool" for message in turn.messages):
        return choice
    match choice:
        case "required" | NamedTool():
            return "auto"
        case AllowedTools(names=names):
            return AllowedTools("auto", names)
        case _:
            return choice


def _tools_on_offer(turn: Turn) -> tuple[ToolSpec, ...]:
    ours = tuple(tool.spec for name, tool in turn.tools.items() if turn.runner_of(name) == "server")
    return turn.request.tools + ours


def _unexplained(turn: Turn) -> Fault:
    host = turn.target.provider.name
    return HostFailed(f"{host} ended its answer with an error, and did not say which. Try again.", host=host).fault()


def _status_of(turn: Turn, error: ParlanceError) -> Status:
    """What was shown stands where the answer was merely cut off; it does not where somebody said that it failed."""
    cut = isinstance(error, TruncatedAnswer | TooManyRounds) or (isinstance(error, HostTimeout) and turn.next_part > 1)
    return "incomplete" if cut else "failed"


def _stopped(turn: Turn) -> tuple[Status, Fault | None]:
    match turn.stopping:
        case "abandoned":
            grace = turn.parts.options.live_grace
            return "cancelled", TurnAbandoned(f"Nobody followed the answer for {grace:g} s.").fault()
        case "interrupted":
            return "incomplete", TurnInterrupted("The server stopped before the answer was whole. Ask again.").fault()
        case "superseded":
            message = "A new message came while this answer waited for results of the client's tools."
            return "incomplete", TurnSuperseded(message).fault()
        case _:
            return "cancelled", None
