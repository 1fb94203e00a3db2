"""What every Provider promises, whichever it is."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

import pytest
from langchain_core.messages import AIMessageChunk

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
)
from parlance.core.errors import TruncatedAnswer, UpstreamError
from parlance.core.messages import user_message
from parlance.core.parts import Family, ToolCall
from parlance.core.provider import HostSpec, Provider, PythonObject, open_stream
from parlance.core.requests import Request, ToolSpec
from parlance.net.egress import Egress
from parlance.providers.connect import connect
from parlance.providers.demo import Demo
from parlance.providers.langchain.model_file import ModelMaker
from parlance.providers.langchain.provider import LangChain
from parlance.testing.chaos import FaultAt, FaultyProvider
from parlance.testing.provider import Act, ScriptedProvider, answering, calling
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Script, refusing
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.voices.openai_chat import encode_whole
from tests.probes.leaks import LeakProbe
from tests.unit.providers.langchain_models import Scripted

Making = Callable[[str], AbstractAsyncContextManager[Provider]]
"""Makes a provider that answers with `text`, calls a tool (`call`), breaks off (`cut`) or fails (`fail`)."""

PROSE = (TextDelta, ReasoningDelta, RefusalDelta)


@asynccontextmanager
async def demo(case: str) -> AsyncIterator[Provider]:
    yield Demo()


@asynccontextmanager
async def scripted(case: str) -> AsyncIterator[Provider]:
    answers: dict[str, Sequence[Act]] = {
        "text": answering("Hello", " there", "!"),
        "call": calling(("now", "{}"), ("now", '{"zone":"UTC"}')),
        "cut": [*answering("Hello", " there")[:-1], TruncatedAnswer("cut", host="scripted")],
        "fail": [UpstreamError("failed", host="scripted")],
    }
    yield ScriptedProvider(answers[case])


@asynccontextmanager
async def hosted(case: str, *, whole: bool = False) -> AsyncIterator[Provider]:
    replies = {"call": Reply(text=(), calls=(ScriptedCall("now"), ScriptedCall("now", '{"zone":"UTC"}', "b")))}
    script = Script(reply=replies.get(case, Reply()), finish=case != "cut", status=500 if case == "fail" else 200)
    if whole or case == "fail":
        body = encode_whole(script.reply) if case != "cut" else b'{"id":"x","choices":[{"message":{"content":"H'
        script = Script(body=body, status=script.status, content_type="application/json")
    async with ScriptedUpstream(default=script) as upstream:
        egress = Egress()
        try:
            spec = HostSpec(name="lab", family="openai_chat", base_url=upstream.base_url)
            yield connect(spec, "key", egress=egress)
        finally:
            await egress.close()


@asynccontextmanager
async def hosted_whole(case: str) -> AsyncIterator[Provider]:
    async with hosted(case, whole=True) as provider:
        yield provider


def hosted_in(family: Family) -> Making:
    """A host that is spoken to in this language."""

    @asynccontextmanager
    async def speaking(case: str) -> AsyncIterator[Provider]:
        calls = (ScriptedCall("now"), ScriptedCall("now", '{"zone":"UTC"}', "b"))
        reply = Reply(text=(), calls=calls) if case == "call" else Reply()
        script = refusing(500, "It broke.") if case == "fail" else Script(reply=reply, finish=case != "cut")
        async with ScriptedUpstream(default=script) as upstream:
            egress = Egress()
            try:
                spec = HostSpec(name="lab", family=family, base_url=upstream.base_url_of(family))
                yield connect(spec, "key", egress=egress)
            finally:
                await egress.close()

    return speaking


@asynccontextmanager
async def wrapped(case: str) -> AsyncIterator[Provider]:
    async with scripted(case) as provider:
        yield FaultyProvider(provider, 10**6, RuntimeError("never"))


@asynccontextmanager
async def langchain(case: str) -> AsyncIterator[Provider]:
    """Of another thread: what a cancel does there, only that thread knows."""
    chunks: dict[str, list[AIMessageChunk | Exception]] = {
        "text": [AIMessageChunk(content=text) for text in ("Hello", " there", "!")],
        "call": [
            AIMessageChunk(content="", tool_calls=[{"name": "now", "args": {}, "id": "a"}]),
            AIMessageChunk(content="", tool_calls=[{"name": "now", "args": {"zone": "UTC"}, "id": "b"}]),
        ],
        "cut": [AIMessageChunk(content="Hello"), ConnectionResetError()],
        "fail": [RuntimeError("It broke.")],
    }
    where = PythonObject("models.py", "make_model")
    spec = HostSpec("mine", "langchain", "", models=("m",), made_by=where)
    provider = LangChain(spec, ModelMaker(Scripted(script=chunks[case]), where, "mine"))
    try:
        yield provider
    finally:
        await provider.close()


PROVIDERS: dict[str, Making] = {
    "demo": demo,
    "scripted": scripted,
    "host": hosted,
    "host that does not stream": hosted_whole,
    "host that speaks ollama": hosted_in("ollama"),
    "host that speaks gemini": hosted_in("gemini"),
    "host that speaks anthropic_messages": hosted_in("anthropic_messages"),
    "host that speaks openai_responses": hosted_in("openai_responses"),
    "langchain": langchain,
    "wrapped": wrapped,
}
ASKS = {"text": "/words 3", "call": '/call now /call now {"zone":"UTC"}', "cut": "/cut 2", "fail": "/fail"}


@pytest.fixture(params=PROVIDERS)
def making(request: pytest.FixtureRequest, leak_probe: LeakProbe) -> Making:
    return PROVIDERS[request.param]


def asking(case: str) -> Request:
    return Request(model="scripted-model", messages=(user_message(ASKS[case]),), tools=(ToolSpec("now"),))


async def read(provider: Provider, case: str) -> list[Delta]:
    deltas: list[Delta] = []
    async with aclosing(provider.stream(asking(case))) as batches:
        async for batch in batches:
            assert batch, "a batch is never empty"
            deltas += batch
    return deltas


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("case", ["text", "call"])
async def test_what_a_listener_takes_and_what_it_declines_is_the_whole_answer(
    making: Making, case: str, every: int
) -> None:
    deltas: list[Delta] = []
    offered = itertools.count()

    def hear(grown: TextDelta) -> bool:
        if next(offered) % every:
            return False
        deltas.append(grown)
        return True

    async with making(case) as provider, aclosing(open_stream(provider, asking(case), hear)) as batches:
        await _collect(batches, deltas)
    async with making(case) as provider:
        assert _without_ids(deltas) == _without_ids(await read(provider, case))


def _without_ids(deltas: Sequence[Delta]) -> list[object]:
    """Ids that we give where a host gives none differ from answer to answer; so do a host's own."""
    return [
        (type(delta), getattr(delta, "key", None), getattr(delta, "text", None), getattr(delta, "reason", None))
        for delta in deltas
    ]


@pytest.mark.parametrize("case", ["text", "call"])
async def test_it_begins_once_with_its_name_and_family_and_finishes_once_at_the_end(making: Making, case: str) -> None:
    async with making(case) as provider:
        deltas = await read(provider, case)
        began = deltas[0]
        assert isinstance(began, Began)
        assert (began.host, began.family) == (provider.name, provider.family)
        assert [type(delta) for delta in deltas].count(Began) == 1
        assert [number for number, delta in enumerate(deltas) if isinstance(delta, Finished)] == [len(deltas) - 1]


async def test_prose_is_never_empty(making: Making) -> None:
    async with making("text") as provider:
        texts = [delta.text for delta in await read(provider, "text") if isinstance(delta, PROSE)]
    assert texts
    assert all(texts)


async def test_calls_have_ids_of_their_own_and_arguments_follow_their_opening(making: Making) -> None:
    async with making("call") as provider:
        deltas = await read(provider, "call")
    calls: dict[int | str, str] = {}
    ids = []
    for delta in deltas:
        match delta:
            case Opened(key=key, part=ToolCall(id=id, arguments=arguments)):
                assert key not in calls
                calls[key] = arguments
                ids.append(id)
            case ArgumentsDelta(key=key, text=text):
                calls[key] += text
            case Done(key=key, part=ToolCall(arguments=arguments)):
                assert arguments.startswith(calls[key])
                calls[key] = arguments
            case _:
                pass
    assert [text.replace(" ", "") or "{}" for text in calls.values()] == ["{}", '{"zone":"UTC"}']
    assert len(set(ids)) == 2
    finished = deltas[-1]
    assert isinstance(finished, Finished)
    assert finished.reason in ("tool_calls", "stop")


@pytest.mark.parametrize("case", ["cut", "fail"])
async def test_what_is_not_whole_raises_and_never_finishes(making: Making, case: str) -> None:
    deltas: list[Delta] = []
    async with making(case) as provider:
        async with aclosing(provider.stream(asking(case))) as batches:
            with pytest.raises(UpstreamError) as caught:
                await _collect(batches, deltas)
        assert caught.value.host == provider.name
    assert not any(isinstance(delta, Finished) for delta in deltas)


async def _collect(batches: AsyncIterator[Sequence[Delta]], deltas: list[Delta]) -> None:
    async for batch in batches:
        deltas += batch


async def test_a_stream_may_be_closed_behind_any_batch_or_before_the_first(making: Making) -> None:
    for taken in itertools.count():
        async with making("text") as provider:
            batches = provider.stream(asking("text"))
            seen = 0
            while seen < taken and await anext(batches, None) is not None:
                seen += 1
            await batches.aclose()
            if seen < taken:
                return


async def test_a_cancel_at_any_suspension_ends_the_stream_as_a_cancel(making: Making) -> None:
    for at in itertools.count(1):
        async with making("text") as provider:
            fault = FaultAt(at, asyncio.CancelledError())
            try:
                await fault.run(read(provider, "text"))
            except asyncio.CancelledError:
                assert fault.struck
            else:
                assert not fault.struck, "a cancel was swallowed"
                return


async def test_a_provider_can_be_asked_again_after_a_failure_and_side_by_side(making: Making) -> None:
    async with making("text") as provider:
        answers = await asyncio.gather(*(read(provider, "text") for _ in range(5)))
        assert all(isinstance(deltas[-1], Finished) for deltas in answers)
        assert isinstance((await read(provider, "text"))[-1], Finished)


async def test_models_can_be_listed_and_a_provider_closed_twice(making: Making) -> None:
    async with making("text") as provider:
        assert all(await provider.list_models())
        await provider.close()
        await provider.close()
