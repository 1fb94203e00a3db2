"""The log lines of turns: one at the start, one at the end, one for each tool call. Nothing that anybody wrote."""

import re
import time
from collections.abc import Callable

import structlog
from msgspec import Struct

from parlance.core.events import Event, StepDropped, StepStarted, ToolCalled, ToolReturned, TurnEnded, TurnStarted
from parlance.core.ids import CallId, TurnId
from parlance.core.observers import TurnFacts
from parlance.core.usage import Usage

_log = structlog.stdlib.get_logger("parlance.turns")

_TOOL_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class _Running(Struct):
    """`first_step` and the values of `called` are in seconds of the monotonic clock."""

    steps: int = 0
    dropped: int = 0
    host: str | None = None
    first_step: float | None = None
    called: dict[CallId, float] = {}


class TurnLog:
    """A `TurnObserver`. Durations are in seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: dict[TurnId, _Running] = {}

    def observe(self, facts: TurnFacts, event: Event) -> None:
        running = self._running.setdefault(facts.turn, _Running())
        match event:
            case TurnStarted():
                # The line of its end says all of this again, and a line is the dearest thing about a short turn.
                _log.debug("turn started", **_who(facts))
            case StepStarted(origin=origin):
                running.steps += 1
                running.host = origin.host
                if running.first_step is None:
                    running.first_step = self._clock()
            case StepDropped():
                running.dropped += 1
            case ToolCalled(call=call):
                running.called[call.id] = self._clock()
            case ToolReturned():
                self._log_tool(facts, running, event)
            case TurnEnded():
                del self._running[facts.turn]
                self._log_end(facts, running, event)
            case _:
                pass

    def _log_tool(self, facts: TurnFacts, running: _Running, returned: ToolReturned) -> None:
        result = returned.result
        called = running.called.pop(result.call_id, None)
        _log.info(
            "tool returned",
            request_id=facts.request_id,
            turn_id=facts.turn,
            tool=_tool_name(result.name),
            duration=_seconds(called, self._clock()),
            error=result.is_error,
        )

    def _log_end(self, facts: TurnFacts, running: _Running, ended: TurnEnded) -> None:
        say = _log.info if ended.status in ("completed", "cancelled") else _log.warning
        say(
            "turn ended",
            **_who(facts),
            host=running.host,
            status=ended.status,
            finish=ended.finish,
            fault=ended.fault.code if ended.fault else None,
            steps=running.steps,
            dropped_steps=running.dropped,
            duration=_seconds(facts.started, self._clock()),
            first_step=_seconds(facts.started, running.first_step),
            **_tokens(ended.usage),
        )


def _who(facts: TurnFacts) -> dict[str, str | None]:
    return {
        "request_id": facts.request_id,
        "turn_id": facts.turn,
        "door": facts.door,
        "model": facts.model,
        "provider": facts.provider,
        "key": facts.principal.key_id,
        "subtenant": facts.principal.subtenant,
    }


def _tokens(usage: Usage | None) -> dict[str, int | bool | None]:
    usage = usage or Usage()
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cached_tokens": usage.cached,
        "reasoning_tokens": usage.reasoning,
        "tokens_estimated": usage.estimated,
    }


def _tool_name(name: str) -> str:
    """A model may call a tool by any text; only what can be a name is one."""
    return name if _TOOL_NAME.fullmatch(name) else "(not a name)"


def _seconds(start: float | None, end: float | None) -> float | None:
    return round(end - start, 4) if start is not None and end is not None else None
