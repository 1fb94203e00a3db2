"""The scripted upstream is what it claims to be: official clients take it for real, and its faults are exact."""

import asyncio
import json

import pytest
from openai import APIStatusError, AsyncOpenAI

from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Break, Script, failing, saying
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.voices.openai_chat import encode_error
from parlance.testing.voices.openai_chat_strict import complaint_about
from tests.probes.leaks import LeakProbe

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


def client_of(upstream: ScriptedUpstream) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=upstream.base_url, api_key="k", max_retries=0)


async def post(upstream: ScriptedUpstream, *, times: int = 1) -> tuple[bytes, bool]:
    """What comes back for raw requests, to the end of the connection, and whether it ended by a reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    body = json.dumps(BODY).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write((head.encode() + body) * times)
    received, reset = b"", False
    try:
        while data := await reader.read(65536):
            received += data
    except ConnectionResetError:
        reset = True
    writer.close()
    return received, reset


async def test_the_official_client_reads_a_stream(leak_probe: LeakProbe) -> None:
    reply = Reply(text=("Hel", "lo"), calls=(ScriptedCall("now", '{"zone":"UTC"}'),), usage=(7, 2))
    async with ScriptedUpstream(Script(reply=reply)) as upstream, client_of(upstream) as client:
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}], stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello"
    calls = [call for chunk in chunks if chunk.choices for call in chunk.choices[0].delta.tool_calls or []]
    assert calls[0].function is not None
    assert (calls[0].id, calls[0].function.name) == ("call_0", "now")
    assert "".join(call.function.arguments or "" for call in calls if call.function) == '{"zone":"UTC"}'
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "tool_calls"
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].choices) == (7, [])


async def test_the_official_client_reads_a_whole_answer_and_the_models(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(saying("Hel", "lo"), models=("a", "b")) as upstream, client_of(upstream) as client:
        answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        models = [model.id async for model in client.models.list()]
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert models == ["a", "b"]


async def test_the_official_client_gets_the_errors_that_a_host_would_give(leak_probe: LeakProbe) -> None:
    script = failing(429, encode_error("Slow down"), headers=(("Retry-After", "7"),))
    async with ScriptedUpstream(script, key="other") as upstream:
        async with client_of(upstream) as client:
            with pytest.raises(APIStatusError) as caught:
                await client.models.list()
            assert caught.value.status_code == 401
        async with AsyncOpenAI(base_url=upstream.base_url, api_key="other", max_retries=0) as client:
            with pytest.raises(APIStatusError, match="Slow down") as caught:
                await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
            assert caught.value.response.headers["retry-after"] == "7"
            with pytest.raises(APIStatusError, match="at least one message"):
                await client.chat.completions.create(model="m", messages=[])


async def test_scripts_are_taken_in_turn_on_one_connection(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(saying("one"), Script(reply=Reply(text=("two",)), keep_alive=False)) as upstream:
        received, _ = await post(upstream, times=2)
        assert upstream.accepted == 1
    assert received.index(b'"one"') < received.index(b'"two"')
    assert received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert [request.answered.is_set() for request in upstream.requests] == [True, False]


@pytest.mark.parametrize("how", ["end", "fin", "chunk", "reset"])
async def test_a_body_breaks_off_exactly_where_and_how_it_is_told_to(leak_probe: LeakProbe, how: Break) -> None:
    async with ScriptedUpstream(Script(events=(b"abc", b"defg"), cut=5, break_by=how)) as upstream:
        received, reset = await post(upstream)
    body = received.partition(b"\r\n\r\n")[2]
    ends: dict[Break, bytes] = {
        "end": b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        "fin": b"3\r\nabc\r\n2\r\nde\r\n",
        "chunk": b"3\r\nabc\r\n4\r\nde",
        "reset": b"3\r\nabc\r\n2\r\nde\r\n",
    }
    assert body == ends[how]
    assert reset == (how == "reset")


async def test_a_body_may_end_with_its_connection_and_drip(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(Script(events=(b"abc", b"defg"), delimit="close", drip=2)) as upstream:
        received, _ = await post(upstream)
    assert received.endswith(b"Connection: close\r\n\r\nabcdefg")


async def test_what_is_no_http_is_sent_as_it_stands(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(Script(raw=b"\0garbage")) as upstream:
        assert await post(upstream) == (b"\0garbage", False)


async def test_an_answer_waits_at_its_gate(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(Script(events=(b"a", b"b"), hold_after=1, keep_alive=False)) as upstream:
        waiting = asyncio.create_task(post(upstream))
        request = await upstream.arrival()
        await request.held.wait()
        assert request.sent_events == 1
        request.go()
        received, _ = await waiting
    assert received.endswith(b"1\r\nb\r\n0\r\n\r\n")


@pytest.mark.parametrize("script", [Script(hold_head=True), Script(hold_after=1), Script(event_delay=60)])
async def test_a_client_that_leaves_is_seen(leak_probe: LeakProbe, script: Script) -> None:
    async with ScriptedUpstream(script) as upstream:
        _, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        body = json.dumps(BODY).encode()
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        request = await upstream.arrival()
        assert not request.gone.is_set()
        writer.close()
        await request.gone.wait()
        assert request.gone_at is not None
        assert upstream.open_connections == 0


GOOD = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"{", "parse"),
        (b"[]", "object"),
        ({**GOOD, "top_k": 3}, "top_k"),
        ({**GOOD, "model": ""}, "model"),
        ({**GOOD, "stream_options": {}}, "stream_options"),
        ({**GOOD, "messages": []}, "at least one"),
        ({**GOOD, "messages": ["Hi"]}, "object"),
        ({**GOOD, "messages": [{"role": "bot", "content": "Hi"}]}, "bot"),
        ({**GOOD, "messages": [{"role": "user", "content": None}]}, "null"),
        ({**GOOD, "messages": [{"role": "user", "content": []}]}, "empty"),
        ({**GOOD, "messages": [{"role": "user", "content": "Hi", "mood": "good"}]}, "mood"),
        ({**GOOD, "messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}]}, "preceding"),
        ({**GOOD, "messages": [{"role": "assistant", "content": None, "tool_calls": [CALL]}]}, "response messages: c"),
        ({**GOOD, "messages": [{"role": "assistant", "content": "x", "tool_calls": []}]}, "empty"),
        ({**GOOD, "tools": []}, "at least one tool"),
        ({**GOOD, "tools": [{"type": "function"}]}, "name"),
        ({**GOOD, "tool_choice": "auto"}, "tools"),
    ],
)
def test_a_request_that_a_strict_host_refuses_is_complained_about(body: object, word: str) -> None:
    complaint = complaint_about(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert complaint is not None
    assert word in complaint


def test_a_good_request_is_not_complained_about() -> None:
    answered = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "x", "tool_call_id": "c"},
        {"role": "user", "content": "Thanks"},
    ]
    request = {"model": "m", "messages": answered, "tools": [TOOL], "tool_choice": "auto", "stream": True}
    assert complaint_about(json.dumps(request).encode()) is None
