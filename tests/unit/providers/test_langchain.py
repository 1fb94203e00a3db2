"""LangChain's chat models as providers: what they are told, and what is made of their answers."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from msgspec import Raw
from msgspec.structs import replace

from parlance.core.deltas import Began, Delta, Finished, Noted, Opened, Signed, UsageReported
from parlance.core.errors import (
    HostFailed,
    HostKeyRefused,
    HostQuotaExhausted,
    HostRateLimited,
    HostRejected,
    HostTimeout,
    HostUnreachable,
    UpstreamError,
)
from parlance.core.ids import CallId, new_message_id
from parlance.core.messages import Message, Origin, system_message, user_message
from parlance.core.parts import Image, Inline, Reasoning, Signature, Text, ToolCall, ToolResult
from parlance.core.provider import Deadlines, HostSpec, PythonObject
from parlance.core.requests import AllowedTools, NamedTool, Request, Sampling, ToolSpec
from parlance.core.usage import Usage
from parlance.engine.assemble import Assembler
from parlance.providers.langchain.model_file import ModelMaker
from parlance.providers.langchain.provider import LangChain
from tests.probes.leaks import settled
from tests.unit.providers.hosts import read_all, read_until_error, text_of, thoughts_of
from tests.unit.providers.langchain_models import Blocking, Heard, Scripted

WHERE = PythonObject("models.py", "make_model")
SPEC = HostSpec("mine", "langchain", "", models=("make_model",), deadlines=Deadlines(5, 5, 5, 20), made_by=WHERE)
ASK = Request(model="make_model", messages=(user_message("Hello?"),))
NOW = ToolSpec("now", "The time.", Raw(b'{"type":"object","properties":{"zone":{"type":"string"}}}'))


def said(content: Any = "", **more: Any) -> AIMessageChunk:
    return AIMessageChunk(content=content, **more)


def fragment(index: int | str | None, name: str | None = None, args: str | None = None, id: str | None = None) -> Any:
    return said(tool_call_chunks=[{"index": index, "name": name, "args": args, "id": id, "type": "tool_call_chunk"}])


@asynccontextmanager
async def provider_of(made: object, spec: HostSpec = SPEC) -> AsyncIterator[LangChain]:
    provider = LangChain(spec, ModelMaker(made, WHERE, spec.name))
    try:
        yield provider
    finally:
        await provider.close()


async def answer_of(*script: Any, request: Request = ASK, heard: Heard | None = None) -> list[Delta]:
    async with provider_of(Scripted(script=script, heard=heard)) as provider:
        return await read_all(provider, request)


async def heard_by(request: Request) -> tuple[list[Any], list[str] | None, dict[str, Any], list[Delta]]:
    heard: Heard = []
    deltas = await answer_of(said("Yes"), request=request, heard=heard)
    (messages, stop, options) = heard[0]
    return messages, stop, options, deltas


def codes(deltas: list[Delta]) -> list[str]:
    return [delta.code for delta in deltas if isinstance(delta, Noted)]


async def test_text_streams_as_it_comes_with_its_beginning_and_its_end() -> None:
    deltas = await answer_of(said("Hello"), said(" there"), said("", response_metadata={"finish_reason": "stop"}))
    assert text_of(deltas) == "Hello there"
    assert isinstance(deltas[0], Began)
    assert (deltas[0].host, deltas[0].family) == ("mine", "langchain")
    assert deltas[-1] == Finished("stop", "stop")


@pytest.mark.parametrize(
    ("about", "finish"),
    [
        ({}, "stop"),
        ({"stop_reason": "end_turn"}, "stop"),
        ({"finish_reason": "MAX_TOKENS"}, "length"),
        ({"done_reason": "length"}, "length"),
        ({"finish_reason": "content_filter"}, "filtered"),
        ({"finish_reason": "something_new"}, "unknown"),
    ],
)
async def test_the_hosts_own_word_for_the_end_is_understood_and_kept(about: dict[str, str], finish: str) -> None:
    last = (await answer_of(said("x"), said("", response_metadata=about)))[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.raw) == (finish, next(iter(about.values()), None))


@pytest.mark.parametrize(
    "chunks",
    [
        [said("", additional_kwargs={"reasoning_content": text}) for text in ("Well,", " hm.")],
        [said([{"type": "thinking", "thinking": text, "index": 0}]) for text in ("Well,", " hm.")],
        [said([{"type": "reasoning", "reasoning": "Well, hm."}])],
        [said([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Well, hm."}], "index": 0}])],
    ],
    ids=["beside the content", "thinking", "reasoning", "a summary"],
)  # fmt: skip
async def test_thoughts_are_told_apart_from_the_answer(chunks: list[AIMessageChunk]) -> None:
    deltas = await answer_of(*chunks, said([{"type": "text", "text": "Yes."}]))
    assert (thoughts_of(deltas), text_of(deltas)) == ("Well, hm.", "Yes.")


async def test_calls_stream_their_arguments_and_come_whole_where_the_package_makes_them_so() -> None:
    deltas = await answer_of(
        fragment(0, "now", "", "call_a"),
        fragment(0, None, '{"zone":'),
        fragment(1, "now", "{}", "call_b"),
        fragment(0, None, '"UTC"}'),
        said("", response_metadata={"finish_reason": "tool_calls"}),
    )
    assert calls_of(deltas) == [("call_a", "now", '{"zone":"UTC"}'), ("call_b", "now", "{}")]
    whole = await answer_of(said(tool_calls=[{"name": "now", "args": {"zone": "UTC"}, "id": "call_c"}]))
    assert calls_of(whole) == [("call_c", "now", '{"zone": "UTC"}')]


def calls_of(deltas: list[Delta]) -> list[tuple[str, str, str]]:
    parts = message_of(deltas).parts
    return [(part.id, part.name, part.arguments) for part in parts if isinstance(part, ToolCall)]


def message_of(deltas: list[Delta]) -> Message:
    origin = Origin("mine", "m", "langchain")
    assembler = Assembler(step=1, origin=origin, first_part=0, runner_of=lambda name: "client")
    assembler.feed(deltas)
    assembler.close()
    return assembler.message(new_message_id())


async def test_usage_is_the_sum_of_what_the_chunks_say() -> None:
    deltas = await answer_of(
        said("x", usage_metadata={"input_tokens": 20, "output_tokens": 0, "total_tokens": 20,
                                  "input_token_details": {"cache_read": 5, "cache_creation": 2}}),
        said("", usage_metadata={"input_tokens": 0, "output_tokens": 9, "total_tokens": 9,
                                 "output_token_details": {"reasoning": 4}}),
    )  # fmt: skip
    (reported,) = [delta.usage for delta in deltas if isinstance(delta, UsageReported)]
    assert reported == Usage(input=20, output=9, cached=5, cache_written=2, reasoning=4)


async def test_a_history_with_images_calls_and_results_arrives_as_langchains_messages() -> None:
    call = ToolCall(id=CallId("call_a"), name="now", arguments='{"zone":"UTC"}')
    request = replace(
        ASK,
        messages=(
            system_message("Be brief."),
            Message(new_message_id(), "user", (Text("What is it?"), Image(Inline(b"png"), "image/png"))),
            Message(new_message_id(), "assistant", (Text("Let me see."), call)),
            Message(new_message_id(), "tool", (ToolResult(call.id, "now", "noon"),)),
        ),
    )
    messages, _, _, _ = await heard_by(request)
    system, human, ai, tool = messages
    assert isinstance(system, SystemMessage)
    assert system.content == "Be brief."
    assert isinstance(human, HumanMessage)
    assert human.content == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}},
    ]
    assert isinstance(ai, AIMessage)
    assert ai.content == "Let me see."
    assert ai.tool_calls == [{"name": "now", "args": {"zone": "UTC"}, "id": "call_a", "type": "tool_call"}]
    assert isinstance(tool, ToolMessage)
    assert (tool.content, tool.tool_call_id) == ("noon", "call_a")


@pytest.mark.parametrize(
    ("choice", "names", "chosen"),
    [
        ("auto", ["now", "then"], None),
        ("none", None, None),
        ("required", ["now", "then"], "any"),
        (NamedTool("then"), ["now", "then"], "then"),
        (AllowedTools("required", ("then",)), ["then"], "any"),
        (AllowedTools("auto", ("then",)), ["then"], None),
    ],
)
async def test_tools_are_bound_and_chosen_in_langchains_words(
    choice: Any, names: list[str] | None, chosen: str | None
) -> None:
    tools = (NOW, replace(NOW, name="then"), ToolSpec("shell", freeform=True))
    _, _, options, deltas = await heard_by(replace(ASK, tools=tools, tool_choice=choice))
    offered = options.get("tools")
    assert (names is None) == (offered is None)
    if offered is not None:
        assert [tool["function"]["name"] for tool in offered] == names
        assert offered[0]["function"]["parameters"]["properties"] == {"zone": {"type": "string"}}
    assert options.get("tool_choice") == chosen
    assert "tool_dropped" in codes(deltas)


async def test_what_models_signed_goes_back_with_their_calls_byte_for_byte() -> None:
    deltas = await answer_of(
        said([{"type": "thinking", "thinking": "Hm.", "index": 0}]),
        said([{"type": "thinking", "signature": "EqQB+/=", "index": 0}]),
        said([{"type": "redacted_thinking", "data": "c2VjcmV0", "index": 1}]),
        fragment(2, "now", "{}", "call_a"),
    )
    assert [type(delta) for delta in deltas if isinstance(delta, Signed | Opened)] == [Signed, Opened, Opened]
    message = message_of(deltas)
    assert [part.text for part in message.parts if isinstance(part, Reasoning)] == ["Hm.", ""]
    foreign = Reasoning("Not yours.", Signature("gemini", "x"))
    message = replace(message, parts=(foreign, *message.parts))
    result = Message(new_message_id(), "tool", (ToolResult(CallId("call_a"), "now", "noon"),))
    messages, *_ = await heard_by(replace(ASK, messages=(*ASK.messages, message, result)))
    assert messages[1].content == [
        {"type": "thinking", "signature": "EqQB+/=", "thinking": "Hm."},
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
    ]


async def test_a_function_is_given_the_parameters_that_it_asks_for_and_others_are_told() -> None:
    made: list[tuple[str, float | None]] = []

    def make_model(model: str = "small", *, temperature: float | None = None) -> Scripted:
        made.append((model, temperature))
        return Scripted(script=[said("Yes")])

    async with provider_of(make_model) as provider:
        asked = replace(ASK, max_output=5, sampling=Sampling(temperature=0.5, stop=("END",)))
        for request in (ASK, ASK, asked):
            await read_all(provider, request)
        deltas = await read_all(provider, replace(asked, model="large"))
    assert made == [("small", None), ("small", 0.5), ("large", 0.5)]
    (told,) = [delta for delta in deltas if isinstance(delta, Noted)]
    assert "takes no max_tokens" in told.message
    assert (await heard_by(asked))[1] == ["END"]


class Refused(Exception):
    def __init__(self, status: int, code: str = "") -> None:
        super().__init__("with sk-canary-0123456789 it said no")
        self.status_code = status
        self.code = code


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Refused(401), HostKeyRefused),
        (Refused(429), HostRateLimited),
        (Refused(429, "insufficient_quota"), HostQuotaExhausted),
        (Refused(400), HostRejected),
        (Refused(503), HostFailed),
        (NotImplementedError(), HostRejected),
        (ConnectionRefusedError("at secret.example"), HostUnreachable),
        (TimeoutError(), HostTimeout),
        (RuntimeError("with sk-canary-0123456789"), HostFailed),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
async def test_what_a_package_raises_is_one_of_our_errors_and_quotes_no_key(
    error: Exception, kind: type[UpstreamError]
) -> None:
    async with provider_of(Scripted(script=[said("one"), error])) as provider:
        deltas, told = await read_until_error(provider)
    assert text_of(deltas) == "one"
    assert type(told) is kind
    assert told.host == "mine"
    assert "canary" not in told.message
    assert "secret" not in told.message


async def test_a_silent_model_is_given_up_at_its_deadline() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    spec = replace(SPEC, deadlines=Deadlines(1, 0.05, 0.05, 5))
    for script in ([wait], [said("one"), wait]):
        async with provider_of(Scripted(script=script), spec) as provider:
            _, error = await read_until_error(provider)
        assert isinstance(error, HostTimeout)
        assert ("`idle`" if len(script) > 1 else "`first`") in error.message


async def test_closing_the_stream_cancels_an_async_model_at_once() -> None:
    waits, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        waits.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with provider_of(Scripted(script=[said("one"), wait])) as provider:
        async with aclosing(provider.stream(ASK)) as batches:
            assert text_of(list(await anext(batches))) == "one"
            await settled(waits.is_set)
        await settled(cancelled.is_set)


async def test_a_model_that_knows_no_tools_answers_without_unless_it_must_call_one() -> None:
    gate = threading.Event()
    gate.set()
    async with provider_of(Blocking(gate=gate)) as provider:
        deltas = await read_all(provider, replace(ASK, tools=(NOW,)))
        _, error = await read_until_error(provider, replace(ASK, tools=(NOW,), tool_choice="required"))
    assert (text_of(deltas), codes(deltas)) == ("one two", ["tool_dropped"])
    assert type(error) is HostRejected


async def test_a_model_that_blocks_holds_nobody_up_and_is_abandoned() -> None:
    gate = threading.Event()
    async with provider_of(Blocking(gate=gate)) as provider:
        async with aclosing(provider.stream(ASK)) as batches:
            assert text_of(list(await anext(batches))) == "one"
        async with aclosing(provider.stream(ASK)) as batches:
            assert text_of(list(await anext(batches))) == "one"
            gate.set()
            assert text_of([delta for batch in [batch async for batch in batches] for delta in batch]) == " two"
