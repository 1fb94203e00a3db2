"""Google's own client takes the scripted upstream for real: streamed and whole, with tools, thoughts and errors."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from google.genai import Client, errors, types
from google.genai.client import AsyncClient

from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Script, refusing, saying
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.voices.gemini_strict import complaint_about
from tests.probes.leaks import LeakProbe

MODEL = "gemini-3-flash-preview"


@asynccontextmanager
async def client_of(
    upstream: ScriptedUpstream, key: str = "k", *, version: str | None = "v1beta"
) -> AsyncIterator[AsyncClient]:
    address = upstream.base_url_of("gemini").removesuffix("/v1beta")
    # Over aiohttp, which it would choose by itself, it warns of its own use of it.
    async with httpx2.AsyncClient() as wire:
        options = types.HttpOptions(base_url=address, api_version=version, httpx_async_client=wire)
        with Client(api_key=key, http_options=options) as client:
            yield client.aio


def parts_of(chunks: list[types.GenerateContentResponse]) -> list[types.Part]:
    contents = [one.content for chunk in chunks for one in chunk.candidates or [] if one.content]
    return [part for content in contents for part in content.parts or []]


@pytest.mark.requirement("gemini:voice")
@pytest.mark.parametrize("version", ["v1beta", "v1"])
async def test_the_official_client_reads_a_stream(leak_probe: LeakProbe, version: str) -> None:
    calls = (ScriptedCall("now", '{"zone":"UTC"}', signature="p1"), ScriptedCall("now", id="mine"))
    reply = Reply(
        reasoning=("Hm", "."), signature="s1", text=("Hel", "lo"), calls=calls, usage=(7, 5), thought=2, cached=3
    )
    async with ScriptedUpstream(Script(reply=reply)) as upstream, client_of(upstream, version=version) as client:
        stream = await client.models.generate_content_stream(model=MODEL, contents="Hi")
        chunks = [chunk async for chunk in stream]
        assert upstream.requests[0].path == f"/{version}/models/{MODEL}:streamGenerateContent?alt=sse"
    parts = parts_of(chunks)
    assert "".join(part.text or "" for part in parts if part.thought) == "Hm."
    assert "".join(part.text or "" for part in parts if not part.thought) == "Hello"
    called = [part for part in parts if part.function_call]
    assert [(part.function_call.id, part.function_call.args) for part in called if part.function_call] == [
        ("call_0", {"zone": "UTC"}),
        ("mine", {}),
    ]
    assert [part.thought_signature for part in parts if part.thought_signature] == [b"s1", b"p1"]
    last = chunks[-1]
    assert last.candidates is not None
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    assert last.usage_metadata is not None
    used = last.usage_metadata
    assert (used.prompt_token_count, used.candidates_token_count, used.thoughts_token_count) == (7, 3, 2)
    assert (used.cached_content_token_count, used.total_token_count) == (3, 12)


@pytest.mark.requirement("gemini:voice")
async def test_the_official_client_reads_a_whole_answer_and_the_models(leak_probe: LeakProbe) -> None:
    reply = Reply(
        reasoning=("Hm", "."), signature="s1", text=("Hel", "lo"), calls=(ScriptedCall("now"),), finish="length"
    )
    async with (
        ScriptedUpstream(Script(reply=reply), saying("x"), models=("a", "b")) as upstream,
        client_of(upstream) as client,
    ):
        answer = await client.models.generate_content(model="gemini-2.5-flash", contents="Hi")
        listed = [model async for model in await client.models.list()]
    assert [(part.text, part.thought) for part in parts_of([answer])][:2] == [("Hm.", True), ("Hello", None)]
    assert parts_of([answer])[0].thought_signature == b"s1"
    assert answer.function_calls is not None
    assert [(call.id, call.name) for call in answer.function_calls] == [(None, "now")]
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert next((model.name, model.supported_actions) for model in listed) == (
        "models/a",
        ["generateContent", "countTokens"],
    )


@pytest.mark.requirement("gemini:voice")
async def test_the_official_client_takes_a_conversation_with_tools_further(leak_probe: LeakProbe) -> None:
    calling = Script(reply=Reply(text=("I look.",), calls=(ScriptedCall("now", signature="p1"), ScriptedCall("now"))))
    tools = types.Tool(function_declarations=[types.FunctionDeclaration(name="now", parameters_json_schema={})])
    config = types.GenerateContentConfig(
        tools=[tools],
        system_instruction="Be kind.",
        max_output_tokens=9,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level=types.ThinkingLevel.LOW),
    )
    async with ScriptedUpstream(calling, saying("Noon.")) as upstream, client_of(upstream) as client:
        chat = client.chats.create(model=MODEL, config=config)
        first = await chat.send_message("What time is it?")
        results = [
            types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"output": "12"}))
            for call in first.function_calls or []
        ]
        second = await chat.send_message(results)
    assert second.text == "Noon."


@pytest.mark.requirement("gemini:voice")
@pytest.mark.parametrize(
    ("status", "kind", "name"),
    [
        (400, errors.ClientError, "INVALID_ARGUMENT"),
        (403, errors.ClientError, "PERMISSION_DENIED"),
        (429, errors.ClientError, "RESOURCE_EXHAUSTED"),
        (500, errors.ServerError, "INTERNAL"),
        (503, errors.ServerError, "UNAVAILABLE"),
    ],
)
async def test_the_official_client_gets_the_errors_that_a_host_would_give(
    leak_probe: LeakProbe, status: int, kind: type[errors.APIError], name: str
) -> None:
    async with ScriptedUpstream(refusing(status, "Said."), key="k") as upstream, client_of(upstream) as client:
        with pytest.raises(kind, match="Said") as caught:
            await client.models.generate_content(model=MODEL, contents="Hi")
    assert (caught.value.code, caught.value.status) == (status, name)


@pytest.mark.requirement("gemini:voice")
async def test_the_official_client_is_refused_and_cut_off_as_by_a_host(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(Script(stream_error="Overloaded."), key="k") as upstream:
        async with client_of(upstream, "other") as client:
            with pytest.raises(errors.ClientError, match="401"):
                await client.models.list()
        async with client_of(upstream) as client:
            with pytest.raises(errors.ClientError, match="a user begins"):
                await client.models.generate_content(model=MODEL, contents=[types.ModelContent("Hi")])
            texts: list[str | None] = []
            with pytest.raises(errors.ServerError, match=r"Overloaded\.") as caught:
                await read_texts(client, texts)
    assert texts == ["Hello", " there", "!"]
    assert (caught.value.code, caught.value.status) == (503, "UNAVAILABLE")


async def read_texts(client: AsyncClient, texts: list[str | None]) -> None:
    async for chunk in await client.models.generate_content_stream(model=MODEL, contents="Hi"):
        texts.append(chunk.text)  # noqa: PERF401 # what came before the error is wanted too


def user(*parts: object) -> dict[str, object]:
    return {"role": "user", "parts": list(parts)}


def model(*parts: object) -> dict[str, object]:
    return {"role": "model", "parts": list(parts)}


HI = user({"text": "Hi"})
GOOD = {"contents": [HI]}
CALL = {"functionCall": {"name": "f", "args": {}, "id": "c"}, "thoughtSignature": "AAAA"}
RESULT = {"functionResponse": {"name": "f", "id": "c", "response": {"output": "x"}}}
TOOLS = {"tools": [{"functionDeclarations": [{"name": "f"}]}]}


def calling(**config: object) -> dict[str, object]:
    return {**GOOD, **TOOLS, "toolConfig": {"functionCallingConfig": config}}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "JSON"),
        ([], "object"),
        ({**GOOD, "model": "m"}, "model"),
        ({"contents": []}, "not specified"),
        ({"contents": [model({"text": "Hi"})]}, "alternate"),
        ({"contents": [HI, HI]}, "alternate"),
        ({"contents": [{"role": "tool", "parts": [{"text": "Hi"}]}]}, "valid role"),
        ({"contents": [user()]}, "must not be empty"),
        ({"contents": [user("Hi")]}, "object"),
        ({"contents": [user({"text": ""})]}, "text parameter"),
        ({"contents": [user({"text": "Hi", "mood": "good"})]}, "mood"),
        ({"contents": [user({"text": "Hi", "fileData": {"fileUri": "x"}})]}, "one initialized field"),
        ({"contents": [user({"inlineData": {"data": "AAAA"}})]}, "mimeType"),
        ({"contents": [user({"fileData": {"mimeType": "image/png"}})]}, "fileUri"),
        ({"contents": [HI, model({"text": "x", "thoughtSignature": "?"})]}, "Base64"),
        ({"contents": [HI, model({"text": "x", "thoughtSignature": "cGFybGFuY2U6YTpi"})]}, "not valid"),
        (
            {"contents": [HI, model({"functionCall": CALL["functionCall"]}), user(RESULT)]},
            "missing a thought_signature",
        ),
        ({"contents": [HI, model(CALL), HI]}, "number of function response parts"),
        ({"contents": [HI, model({"text": "x"}), user(RESULT)]}, "number of function response parts"),
        ({"contents": [HI, model(CALL), user({"functionResponse": {"name": "f", "response": "x"}})]}, "object"),
        ({"contents": [HI, model(CALL), user({"functionResponse": {"name": "f", "response": {}}})]}, "the id"),
        ({**GOOD, "generationConfig": {"topN": 1}}, "topN"),
        ({**GOOD, "generationConfig": {"responseJsonSchema": {}}}, "responseMimeType"),
        ({**GOOD, "generationConfig": {"thinkingConfig": {"thinkingLevel": "MAX"}}}, "level"),
        ({**GOOD, "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}}}, "only one"),
        ({**GOOD, "tools": [{}]}, "tool"),
        ({**GOOD, "tools": [{"functionDeclarations": [{"name": "1f"}]}]}, "function name"),
        ({**GOOD, "tools": [{"functionDeclarations": [{"name": "f"}, {"name": "f"}]}]}, "Duplicate"),
        (
            {
                **GOOD,
                "tools": [{"functionDeclarations": [{"name": "f", "parameters": {}, "parametersJsonSchema": {}}]}],
            },
            "exclusive",
        ),
        ({**GOOD, "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "without"),
        (calling(mode="SOME"), "mode"),
        (calling(mode="AUTO", allowedFunctionNames=["f"]), "ANY"),
        (calling(mode="ANY", allowedFunctionNames=["g"]), "not declared"),
    ],
)
def test_a_request_that_a_strict_host_refuses_is_complained_about(body: object, word: str) -> None:
    complaint = complaint_about(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert complaint is not None
    assert word in complaint


def test_a_good_request_is_not_complained_about() -> None:
    asked = {
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "contents": [
            user({"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}),
            model({"text": "x", "thought": True, "thoughtSignature": "AAAA"}, CALL),
            user(RESULT, {"text": "And?"}),
            model({"text": "", "thoughtSignature": "skip_thought_signature_validator"}),
            HI,
        ],
        **TOOLS,
        "generationConfig": {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 5}, "topK": 3},
    }
    assert complaint_about(json.dumps(asked).encode()) is None
    unsigned = {
        "contents": [
            HI,
            model({"functionCall": {"name": "f"}}),
            user({"functionResponse": {"name": "f", "response": {}}}),
        ]
    }
    assert complaint_about(json.dumps(unsigned).encode(), signed=False) is None
