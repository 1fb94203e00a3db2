"""Calls that wait for somebody outside: the caller who offered the tool."""

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from parlance.core.errors import CallNotWaiting
from parlance.core.ids import CallId
from parlance.core.parts import ToolCall, ToolResult
from parlance.core.tool import Answer


def _nothing(*_: object) -> None:
    """In place of a callback of the turn's, which would hold it: a forgotten turn must not wait for the collector."""


def check_waiting(answers: Sequence[Answer], waiting: AbstractSet[CallId]) -> None:
    """`CallNotWaiting` names the first that nobody waits for, or that is given twice."""
    left = set(waiting)
    for answer in answers:
        if answer.call_id in waiting and answer.call_id not in left:
            raise CallNotWaiting(f"The call {answer.call_id!r} is named twice. Nothing was taken: give it one result.")
        if answer.call_id not in left:
            raise CallNotWaiting(
                f"The call {answer.call_id!r} is not waiting: it was answered already, its time is over, "
                "or it is not of this turn. Nothing of this message was taken."
            )
        left.remove(answer.call_id)


class _Waiting(NamedTuple):
    call: ToolCall
    result: "asyncio.Future[ToolResult]"


class PendingCalls:
    """The calls of one turn that wait. Each is answered once; late, doubled and foreign answers are refused.

    `returned` is called with a call's result at once when it is there: whoever answered may rely on it.
    """

    def __init__(self, changed: Callable[[], None], returned: Callable[[ToolResult], None]) -> None:
        self._waiting: dict[CallId, _Waiting] = {}
        self._changed = changed
        self._returned = returned

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def unanswered(self) -> bool:
        """Whether a call still has no answer. One that is answered may wait for its turn to take it up."""
        return any(not waiting.result.done() for waiting in self._waiting.values())

    def ask(self, call: ToolCall) -> "asyncio.Future[ToolResult]":
        """From now on the call may be answered. Answering before anybody awaits the future is fine."""
        future: asyncio.Future[ToolResult] = asyncio.get_running_loop().create_future()
        self._waiting[call.id] = _Waiting(call, future)
        self._changed()
        return future

    async def wait(self, call: ToolCall, future: "asyncio.Future[ToolResult]", limit: float) -> ToolResult:
        """The caller's answer, or, after `limit` seconds, an error for the model."""
        try:
            # Not a timeout around the future: one that fires as the answer comes would throw it away.
            await asyncio.wait((future,), timeout=limit)
        finally:
            if self._waiting.pop(call.id, None) is not None:
                self._changed()
        if not future.done():
            # Not in how many seconds: whoever took the turn up from another process waited for the last of them alone.
            future.set_result(ToolResult(call.id, call.name, "The caller gave no result in time.", is_error=True))
            self._returned(future.result())
        return future.result()

    def close(self) -> None:
        """The turn goes no further: nothing is taken any more."""
        self._waiting.clear()
        self._changed()
        self._changed = self._returned = _nothing

    def answer(self, answers: Sequence[Answer]) -> None:
        """Take all of them or none. `CallNotWaiting` names the first that nobody waits for."""
        check_waiting(answers, {call for call, waiting in self._waiting.items() if not waiting.result.done()})
        for answer in answers:
            call, future = self._waiting[answer.call_id]
            future.set_result(ToolResult(call.id, call.name, answer.output, is_error=answer.is_error))
            self._returned(future.result())
