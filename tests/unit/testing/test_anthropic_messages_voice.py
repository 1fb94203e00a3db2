"""Anthropic's own client takes the scripted upstream for real: streamed and whole, with tools, thoughts and errors."""

import json
from collections.abc import Sequence
from typing import get_args

import pytest
from anthropic import APIStatusError, AsyncAnthropic, OverloadedError, RateLimitError, types
from anthropic.types.message_create_params import MessageCreateParamsBase

from parlance.core.json import JsonObject
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Script, failing, refusing, saying
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.voices.anthropic_messages import encode_error
from parlance.testing.voices.anthropic_messages_strict import BLOCKS, FIELDS, NEWEST, complaint_about
from tests.golden.transcripts import transcripts
from tests.probes.leaks import LeakProbe

MODEL = "claude-sonnet-5-5"
USER: types.MessageParam = {"role": "user", "content": "Hi"}
CALL: JsonObject = {"type": "tool_use", "id": "a", "name": "look", "input": {}}
RESULT: JsonObject = {"type": "tool_result", "tool_use_id": "a", "content": "found"}


def client_of(upstream: ScriptedUpstream, key: str = "k") -> AsyncAnthropic:
    address = upstream.base_url_of("anthropic_messages").removesuffix("/v1")
    return AsyncAnthropic(base_url=address, api_key=key, max_retries=0)


async def stream(client: AsyncAnthropic) -> types.Message:
    async with client.messages.stream(model=MODEL, max_tokens=99, messages=[USER]) as events:
        return await events.get_final_message()


def kinds(message: types.Message) -> list[str]:
    return [block.type for block in message.content]


@pytest.mark.requirement("anthropic_messages:voice")
async def test_the_official_client_reads_a_stream(leak_probe: LeakProbe) -> None:
    calls = (ScriptedCall("now", '{"zone":"UTC"}'), ScriptedCall("now", id="mine"))
    reply = Reply(
        reasoning=("Hm", "."), signature="s1", text=("Hel", "lo"), calls=calls, usage=(7, 5), thought=2, cached=3
    )
    async with ScriptedUpstream(Script(reply=reply), key="k") as upstream, client_of(upstream) as client:
        message = await stream(client)
    assert kinds(message) == ["thinking", "text", "tool_use", "tool_use"]
    thought, text, first, second = message.content
    assert isinstance(thought, types.ThinkingBlock)
    assert (thought.thinking, thought.signature) == ("Hm.", "s1")
    assert isinstance(text, types.TextBlock)
    assert text.text == "Hello"
    assert isinstance(first, types.ToolUseBlock)
    assert isinstance(second, types.ToolUseBlock)
    assert [(one.id, one.input) for one in (first, second)] == [("toolu_0", {"zone": "UTC"}), ("mine", {})]
    assert message.stop_reason == "tool_use"
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (4, 3, 5)
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.thinking_tokens == 2


async def test_the_official_client_reads_a_whole_answer_and_the_models(leak_probe: LeakProbe) -> None:
    reply = Reply(reasoning=("Hm",), calls=(ScriptedCall("now", '{"zone":"UTC"}'),))
    async with ScriptedUpstream(Script(reply=reply), models=("a", "b")) as upstream, client_of(upstream) as client:
        answer = await client.messages.create(model=MODEL, max_tokens=99, messages=[USER])
        models = [model.id async for model in client.models.list()]
    assert kinds(answer) == ["thinking", "text", "tool_use"]
    assert answer.stop_reason == "tool_use"
    assert models == ["a", "b"]


@pytest.mark.parametrize(
    ("finish", "word"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("filtered", "refusal"), ("continue", "pause_turn")],
)
async def test_every_finish_has_its_word(finish: str, word: str) -> None:
    reply = Reply(finish=finish)  # type: ignore[arg-type]  # from a parameter
    async with ScriptedUpstream(Script(reply=reply)) as upstream, client_of(upstream) as client:
        message = await stream(client)
    assert message.stop_reason == word
    assert word in get_args(types.StopReason)
    assert (message.stop_details is not None) == (finish == "filtered")


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (402, "PaymentRequiredError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (413, "ContentTooLargeError"),
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (504, "GatewayTimeoutError"),
        (529, "OverloadedError"),
    ],
)
async def test_the_official_client_raises_the_class_of_each_status(status: int, name: str) -> None:
    async with ScriptedUpstream(refusing(status, "No.")) as upstream, client_of(upstream) as client:
        with pytest.raises(APIStatusError) as caught:
            await stream(client)
    assert type(caught.value).__name__ == name
    assert caught.value.api_message == "No."


async def test_the_official_client_gets_codes_keys_and_errors_in_a_stream() -> None:
    spent = failing(429, encode_error("Spent.", type="rate_limit_error", code="enforced_spend_limit_reached"))
    broken = Script(stream_error="Overloaded")
    async with ScriptedUpstream(spent, broken, saying("Hi"), key="other") as upstream:
        async with client_of(upstream) as client:
            with pytest.raises(APIStatusError) as refused:
                await client.models.list()
            assert refused.value.status_code == 401
        async with client_of(upstream, "other") as client:
            with pytest.raises(RateLimitError) as limited:
                await stream(client)
            assert limited.value.error_code == "enforced_spend_limit_reached"
            with pytest.raises(APIStatusError) as failed:
                await stream(client)
            assert failed.value.type == "overloaded_error"
            assert kinds(await stream(client)) == ["text"]


def test_an_overloaded_host_has_a_class_of_its_own() -> None:
    assert OverloadedError.status_code == 529


def complaint(*messages: JsonObject, version: str | None = NEWEST, **fields: object) -> str | None:
    body = {"model": "m", "max_tokens": 9, "messages": list(messages or [USER]), **fields}
    return complaint_about(json.dumps(body).encode(), version=version)


def turns(*contents: Sequence[JsonObject] | str) -> list[JsonObject]:
    roles = ("user", "assistant")
    told: list[JsonObject] = []
    for number, content in enumerate(contents):
        told.append({"role": roles[number % 2], "content": content if isinstance(content, str) else list(content)})
    return told


def test_it_takes_every_recorded_request() -> None:
    for case in transcripts("anthropic_messages"):
        assert complaint_about(case.request, version="2023-06-01") is None, case.name


def test_it_knows_the_fields_of_the_official_client() -> None:
    assert set(MessageCreateParamsBase.__annotations__) - {"workspace_id"} <= FIELDS
    for name, kind in {"tool_use": types.ToolUseBlockParam, "document": types.DocumentBlockParam}.items():
        assert set(kind.__annotations__) - {"type", "cache_control"} == BLOCKS[name]


@pytest.mark.parametrize(
    ("messages", "fields", "words"),
    [
        ([], {"version": None}, "anthropic-version"),
        ([], {"version": "2020-01-01"}, "not a valid version"),
        ([], {"max_tokens": None}, "max_tokens"),
        ([], {"temperature": 1}, "not supported"),
        ([], {"temperature": 1.5, "version": "2023-06-01"}, "0..1"),
        ([], {"response_format": {}}, "Extra inputs"),
        ([], {"tool_choice": {"type": "auto"}}, "while providing tools"),
        ([], {"thinking": {"type": "enabled", "budget_tokens": 9}}, "1024"),
        ([], {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "must be greater"),
        (turns("Hi", "a", " "), {}, "non-whitespace"),
        (turns("Hi", "a "), {}, "trailing whitespace"),
        (turns("Hi", "a"), {"model": "claude-opus-5"}, "prefill"),
        ([{"role": "assistant", "content": "a"}], {}, "first message"),
        ([USER, {"role": "tool", "content": "a"}], {}, "role"),
        ([*turns("Hi", "a"), {"role": "system", "content": "b"}], {}, "must follow"),
        ([USER, {"role": "system", "content": "b"}, USER], {}, "must precede"),
        (turns("Hi", [CALL], "and?"), {}, "without `tool_result`"),
        (turns("Hi", [CALL]), {}, "without `tool_result`"),
        (turns("Hi", [CALL], [RESULT, RESULT]), {}, "single result"),
        (turns("Hi", [CALL], [{"type": "text", "text": "x"}, RESULT]), {}, "first"),
        (turns([RESULT]), {}, "unexpected"),
        (turns("Hi", [CALL], [RESULT], [CALL], [RESULT]), {}, "unique"),
        (turns("Hi", [{**CALL, "id": "a:b"}], [RESULT]), {}, "pattern"),
        (turns("Hi", [{**CALL, "input": "x"}], [RESULT]), {}, "dictionary"),
        (turns("Hi", [CALL], [{**RESULT, "content": "", "is_error": True}]), {}, "cannot be empty"),
        (turns("Hi", [{"type": "thinking", "thinking": "x", "signature": "s"}], "?"), {}, "final block"),
        (turns("Hi", [{"type": "thinking", "thinking": "x", "signature": ""}], "?"), {}, "signature"),
        (turns("Hi", [{"type": "redacted_thinking", "data": "parlance:gemini:x"}], "?"), {}, "Invalid"),
        (turns("Hi", [{"type": "image", "source": {}}], "?"), {}, "not permitted"),
        (turns([{"type": "text", "text": "x", "citations": [{}]}]), {}, "citations"),
        (turns([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5), {}, "maximum of 4"),
    ],
)
def test_it_refuses_what_a_host_would(messages: list[JsonObject], fields: dict[str, object], words: str) -> None:
    assert words in (complaint(*messages, **fields) or "")  # type: ignore[arg-type]  # from a table
