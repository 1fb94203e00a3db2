"""A provider that says what a test tells it to, without any wire."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from parlance.core.deltas import ArgumentsDelta, Began, Delta, Done, Finished, Opened, TextDelta, UsageReported
from parlance.core.ids import CallId
from parlance.core.parts import Family, ToolCall
from parlance.core.provider import Listener, nobody
from parlance.core.requests import Request
from parlance.core.usage import Finish, Usage

Batch = Sequence[Delta]
Act = Batch | BaseException | asyncio.Event
"""One thing an answer does: say a batch of deltas, raise, or wait until an event is set."""


class ScriptedProvider:
    """A `Provider`. Each request plays the next answer; when none is left, the last one again.

    `requests` holds what was asked, `opened` and `closed` count the streams, `said` the batches of all of them.
    """

    def __init__(
        self,
        *answers: Sequence[Act],
        name: str = "scripted",
        family: Family = "scripted",
        models: Sequence[str] = ("scripted-model",),
    ) -> None:
        self.requests: list[Request] = []
        self.opened = 0
        self.closed = 0
        self.said = 0
        self.shut = False
        self._answers = [*answers] or [answering("Hello", " there", "!")]
        self._name = name
        self._family = family
        self._models = models
        self._asked = asyncio.Condition()

    @property
    def name(self) -> str:
        return self._name

    @property
    def family(self) -> Family:
        return self._family

    def stream(self, request: Request) -> AsyncGenerator[Batch, None]:
        return self.stream_to(request, nobody)

    async def stream_to(self, request: Request, listener: Listener) -> AsyncGenerator[Batch, None]:
        answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
        self.requests.append(request)
        self.opened += 1
        try:
            async with self._asked:
                self._asked.notify_all()
            for act in answer:
                if isinstance(act, BaseException):
                    raise act
                if isinstance(act, asyncio.Event):
                    await act.wait()
                else:
                    self.said += 1
                    if not _is_taken(act, listener):
                        yield self._named(act)
        finally:
            self.closed += 1

    async def list_models(self) -> Sequence[str]:
        return self._models

    async def close(self) -> None:
        self.shut = True

    async def arrival(self, number: int = 1) -> Request:
        """The request of that number, counted from 1, once it was made."""
        async with self._asked:
            await self._asked.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    def _named(self, batch: Batch) -> Batch:
        first = batch[0]
        if not isinstance(first, Began) or first.host is not None:
            return batch
        return [Began(first.model, first.upstream_id, self._name, self._family), *batch[1:]]


def _is_taken(batch: Batch, listener: Listener) -> bool:
    return len(batch) == 1 and isinstance(piece := batch[0], TextDelta) and listener(piece)


def answering(*text: str, finish: Finish = "stop", usage: Usage | None = None) -> list[Act]:
    """A whole answer: `Began`, each text in a batch of its own, usage where there is some, `Finished`."""
    begun: list[Act] = [[Began(model="scripted-model")]]
    return begun + [[TextDelta("text", piece)] for piece in text] + [_ending(finish, usage)]


def calling(*calls: tuple[str, str], text: str = "", usage: Usage | None = None) -> list[Act]:
    """A whole answer that calls tools: (name, arguments as JSON text) each, with the ids `call_0`, `call_1` …"""
    acts: list[Act] = [[Began(model="scripted-model")]]
    if text:
        acts.append([TextDelta("text", text)])
    for number, (name, arguments) in enumerate(calls):
        skeleton = ToolCall(CallId(f"call_{number}"), name, "")
        acts.append([Opened(number, skeleton), ArgumentsDelta(number, arguments), Done(number)])
    return [*acts, _ending("tool_calls", usage)]


def _ending(finish: Finish, usage: Usage | None) -> list[Delta]:
    reported: list[Delta] = [UsageReported(usage)] if usage else []
    return [*reported, Finished(finish)]
