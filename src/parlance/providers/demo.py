"""An offline provider, to try every feature without a key. What a message may ask of it stands in `demo_script`."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import assert_never

from parlance.core.deltas import (
    ArgumentsDelta,
    Began,
    Delta,
    Done,
    Finished,
    Opened,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    UsageReported,
)
from parlance.core.errors import (
    HostAnswerInvalid,
    HostKeyRefused,
    HostQuotaExhausted,
    HostRateLimited,
    HostRejected,
    HostTimeout,
    HostUnreachable,
    TruncatedAnswer,
    UpstreamError,
)
from parlance.core.ids import new_call_id
from parlance.core.messages import Message
from parlance.core.parts import Family, ToolCall, ToolResult, output_text
from parlance.core.requests import Request
from parlance.core.usage import Finish, Usage
from parlance.net.clock import SYSTEM_CLOCK, Clock
from parlance.providers.demo_script import CallLine, DemoScript, Failure, read_script

DEMO_FAMILY: Family = "demo"
DEMO_MODEL = "demo"

_WORD = re.compile(r"\s*\S+\s*$|\s*\S+")
_FILLER = "Parlance tells the same turn at every door , word by word , and forgets none of them .".split()
_THOUGHT = "The message asks me to think aloud, so I say what I am going to do before I do it. "
_REFUSAL = "I was told to decline this, and so I do."
_SETUP = (
    "I am Parlance's demo: I answer offline and know nothing. For a real model set a provider, for example "
    "OPENAI_API_KEY in the environment or in .env, or start Ollama on this machine, and restart."
)


class Demo:
    """A `Provider` that answers word by word, as the last user message asks."""

    def __init__(self, name: str = "demo", *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._name = name
        self._clock = clock

    @property
    def name(self) -> str:
        return self._name

    @property
    def family(self) -> Family:
        return DEMO_FAMILY

    async def stream(self, request: Request) -> AsyncGenerator[Sequence[Delta], None]:
        asked, results = _last_exchange(request.messages)
        script = read_script(asked.text if asked else "")
        if script.hang:
            await asyncio.get_running_loop().create_future()
        if script.fail:
            raise _failure(script.fail, self._name)
        yield [Began(model=DEMO_MODEL, host=self._name, family=DEMO_FAMILY)]
        calls = [] if results else _calls(script, request)
        said = 0
        for delta in _play(script, _text(script, request, results), calls):
            if isinstance(delta, TextDelta | ReasoningDelta | RefusalDelta):
                await self._pace(script, said)
                said += 1
            yield [delta]
        finish: Finish = "tool_calls" if calls and script.finish == "stop" else script.finish
        usage = Usage(input=_count_words(request), output=said, estimated=True)
        yield [UsageReported(usage), Finished(finish)]

    async def _pace(self, script: DemoScript, said: int) -> None:
        if script.cut is not None and said >= script.cut:
            raise TruncatedAnswer(f"The demo broke off after {said} words, as it was told to.", host=self._name)
        if script.slow:
            await self._clock.sleep(script.slow)

    async def list_models(self) -> Sequence[str]:
        return (DEMO_MODEL,)

    async def close(self) -> None:
        """Nothing is open."""


def _play(script: DemoScript, text: str, calls: Sequence[CallLine]) -> Iterator[Delta]:
    if script.reason:
        yield from (ReasoningDelta("reasoning", word) for word in _words(_THOUGHT))
    if script.refuse:
        yield from (RefusalDelta("refusal", word) for word in _words(_REFUSAL))
        return
    yield from (TextDelta("text", word) for word in _words(text))
    for number, call in enumerate(calls):
        key = f"call {number}"
        yield Opened(key, ToolCall(new_call_id(), call.name, ""))
        yield from (ArgumentsDelta(key, piece) for piece in _words(call.arguments))
        yield Done(key)


def _text(script: DemoScript, request: Request, results: Sequence[ToolResult]) -> str:
    if results:
        told = "\n".join(f"- {result.name}: {output_text(result)}" for result in results)
        return f"The tools returned:\n{told}"
    if script.words is not None:
        return " ".join(_FILLER[number % len(_FILLER)] for number in range(script.words))
    offered = [tool.name for tool in request.tools]
    unknown = [call.name for call in script.calls if call.name not in offered]
    if unknown:
        return f"I can't call {', '.join(unknown)}. On offer: {', '.join(offered) or 'no tools at all'}."
    if script.calls:
        return ""
    return f"You said: {script.question}\n\n{_SETUP}" if script.question else _SETUP


def _calls(script: DemoScript, request: Request) -> list[CallLine]:
    if script.refuse or request.tool_choice == "none":
        return []
    offered = {tool.name for tool in request.tools}
    return [call for call in script.calls if call.name in offered]


def _last_exchange(messages: Sequence[Message]) -> tuple[Message | None, list[ToolResult]]:
    """The last user message, and what tools returned since."""
    results: list[ToolResult] = []
    for message in reversed(messages):
        if message.role == "user":
            return message, results[::-1]
        results += [part for part in reversed(message.parts) if isinstance(part, ToolResult)]
    return None, results[::-1]


def _words(text: str) -> list[str]:
    """The text in words, each with the space before it."""
    return _WORD.findall(text)


def _count_words(request: Request) -> int:
    return sum(len(message.text.split()) for message in request.messages)


def _failure(kind: Failure, name: str) -> UpstreamError:
    told = f"The demo {name!r} failed, as it was told to"
    match kind:
        case "unreachable":
            return HostUnreachable(f"{told}: unreachable.", host=name)
        case "rate_limited":
            return HostRateLimited(f"{told}: its rate is limited. Try again in 2 s.", host=name, retry_after=2.0)
        case "timeout":
            return HostTimeout(f"{told}: the deadline `first` passed.", host=name)
        case "rejected":
            return HostRejected(f"{told}: the request was rejected.", host=name)
        case "key":
            return HostKeyRefused(f"{told}: the key was refused.", host=name)
        case "quota":
            return HostQuotaExhausted(f"{told}: the account is exhausted.", host=name)
        case "invalid":
            return HostAnswerInvalid(f"{told}: it answered something else.", host=name)
        case _ as never:
            assert_never(never)
