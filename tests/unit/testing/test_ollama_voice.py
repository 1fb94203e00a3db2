"""The official client of Ollama takes the scripted upstream for real."""

import json

import httpx
import pytest
from ollama import AsyncClient, ResponseError

from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Script, failing, refusing, saying
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.voices.ollama_strict import complaint_about
from tests.probes.leaks import LeakProbe

HI = [{"role": "user", "content": "Hi"}]
CALLING = Reply(
    reasoning=("Let me", " look."),
    text=("Hel", "lo"),
    calls=(ScriptedCall("now", '{"zone":"UTC"}'), ScriptedCall("look", '{"n":[1,null]}', "call_x")),
    usage=(7, 2),
)


def client_of(upstream: ScriptedUpstream, key: str = "k") -> AsyncClient:
    return AsyncClient(host=upstream.base_url_of("ollama"), headers={"Authorization": f"Bearer {key}"})


async def test_the_official_client_reads_a_stream(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(Script(reply=CALLING)) as upstream, client_of(upstream) as client:
        parts = [part async for part in await client.chat("m", HI, stream=True, think=True)]
    assert "".join(part.message.thinking or "" for part in parts) == "Let me look."
    assert "".join(part.message.content or "" for part in parts) == "Hello"
    calls = [call.function for part in parts for call in part.message.tool_calls or []]
    assert [(call.name, call.arguments) for call in calls] == [("now", {"zone": "UTC"}), ("look", {"n": [1, None]})]
    assert [part.done for part in parts] == [False] * 6 + [True]
    last = parts[-1]
    assert (last.done_reason, last.prompt_eval_count, last.eval_count) == ("stop", 7, 2)


async def test_the_official_client_reads_a_whole_answer(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(Script(reply=CALLING)) as upstream, client_of(upstream) as client:
        answer = await client.chat("m", HI)
    assert (answer.message.content, answer.message.thinking, answer.done) == ("Hello", "Let me look.", True)
    assert [call.function.name for call in answer.message.tool_calls or []] == ["now", "look"]


async def test_the_official_client_lists_models_and_is_told_about_one(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(models=("a", "b"), window=4096) as upstream, client_of(upstream) as client:
        assert [model.model for model in (await client.list()).models] == ["a", "b"]
        about = await client.show("a")
    assert about.modelinfo == {"general.architecture": "scripted", "scripted.context_length": 4096}


async def test_every_finish_is_told(leak_probe: LeakProbe) -> None:
    scripts = [
        Script(reply=Reply(finish="length")),
        Script(reply=Reply(raw_finish="load")),
        Script(reply=Reply(usage=None)),
    ]
    async with ScriptedUpstream(*scripts) as upstream, client_of(upstream) as client:
        answers = [await client.chat("m", HI) for _ in scripts]
    assert [answer.done_reason for answer in answers] == ["length", "load", "stop"]
    assert answers[2].eval_count is None


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_the_official_client_gets_the_errors_that_a_server_would_give(leak_probe: LeakProbe, status: int) -> None:
    async with ScriptedUpstream(default=refusing(status, "No.")) as upstream, client_of(upstream) as client:
        with pytest.raises(ResponseError) as whole:
            await client.chat("m", HI)
        with pytest.raises(ResponseError) as streamed:
            _ = [part async for part in await client.chat("m", HI, stream=True)]
    assert {(one.value.error, one.value.status_code) for one in (whole, streamed)} == {("No.", status)}


async def test_the_official_client_raises_an_error_told_in_a_stream(leak_probe: LeakProbe) -> None:
    script = Script(reply=saying("Hel").reply, stream_error="an error was encountered while running the model")
    async with ScriptedUpstream(script) as upstream, client_of(upstream) as client:
        parts = aiter(await client.chat("m", HI, stream=True))
        assert (await anext(parts)).message.content == "Hel"
        with pytest.raises(ResponseError, match="an error was encountered"):
            await anext(parts)


async def test_a_wrong_key_is_refused(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(key="other") as upstream:
        async with client_of(upstream) as client:
            with pytest.raises(ResponseError) as caught:
                await client.list()
        assert caught.value.status_code == 401
        async with client_of(upstream, "other") as client:
            assert (await client.chat("m", HI)).done


async def test_a_body_that_is_no_errors_is_one_for_the_client_all_the_same(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(failing(500, b"<html>")) as upstream, client_of(upstream) as client:
        with pytest.raises(ResponseError, match="html"):
            await client.chat("m", HI)


async def test_windows_are_told_only_where_they_are_known(leak_probe: LeakProbe) -> None:
    async with (
        ScriptedUpstream(window=None) as upstream,
        httpx.AsyncClient(base_url=upstream.base_url_of("ollama")) as web,
    ):
        assert (await web.post("/api/show", json={"model": "m"})).status_code == 404


GOOD = {"model": "m", "messages": HI}
CALL = {"function": {"name": "f", "arguments": {}}}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "invalid"),
        (b"[]", "ChatRequest"),
        ({"messages": HI}, "model is required"),
        ({**GOOD, "max_tokens": 3}, "max_tokens"),
        ({**GOOD, "stream": 1}, "stream"),
        ({**GOOD, "think": "much"}, "think"),
        ({**GOOD, "format": "xml"}, "format"),
        ({**GOOD, "options": []}, "options"),
        ({**GOOD, "options": {"temperature": "hot"}}, "temperature"),
        ({**GOOD, "options": {"stop": "END"}}, "stop"),
        ({**GOOD, "options": {"max_tokens": 1}}, "max_tokens"),
        ({**GOOD, "messages": []}, "at least one"),
        ({**GOOD, "messages": ["Hi"]}, "object"),
        ({**GOOD, "messages": [{"role": "robot", "content": ""}]}, "role"),
        ({**GOOD, "messages": [{"role": "user", "content": None}]}, "content"),
        ({**GOOD, "messages": [{"role": "user", "content": "", "name": "x"}]}, "name"),
        ({**GOOD, "messages": [{"role": "user", "content": "", "thinking": 1}]}, "thinking"),
        ({**GOOD, "messages": [{"role": "user", "content": "", "images": ["?"]}]}, "base64"),
        ({**GOOD, "messages": [{"role": "user", "content": "", "images": [1]}]}, "images"),
        ({**GOOD, "messages": [{"role": "tool", "content": ""}]}, "tool"),
        ({**GOOD, "messages": [{"role": "assistant", "content": "", "tool_calls": [CALL]}]}, "without a result: f"),
        ({**GOOD, "messages": [{"role": "assistant", "content": "", "tool_calls": [CALL]}, *HI]}, "without a result"),
        ({**GOOD, "messages": [{"role": "assistant", "content": "", "tool_calls": [{}]}]}, "function"),
        (
            {
                **GOOD,
                "messages": [
                    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
                ],
            },
            "object",
        ),
        ({**GOOD, "tools": {}}, "array"),
        ({**GOOD, "tools": [{"function": {"name": "f"}}]}, "type function"),
        ({**GOOD, "tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]}, "parameters"),
    ],
)
def test_what_a_server_would_not_understand_is_refused(body: object, word: str) -> None:
    complaint = complaint_about(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert complaint is not None
    assert word in complaint


def test_a_good_request_is_not_complained_about() -> None:
    answered = [
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "", "tool_name": "f"},
    ]
    body = {
        **GOOD,
        "messages": [*HI, *answered],
        "think": "low",
        "options": {"num_ctx": 8, "stop": ["a"]},
        "keep_alive": -1,
    }
    assert complaint_about(json.dumps(body).encode()) is None
