"""A host, over real sockets: what is sent, what is told, and what each way of failing becomes."""

import gzip
from collections.abc import AsyncIterator

import pytest

from parlance.core.deltas import Began, Finished, Noted, Opened, UsageReported
from parlance.core.errors import (
    HostAnswerInvalid,
    HostDeclined,
    HostFailed,
    HostKeyRefused,
    HostQuotaExhausted,
    HostRateLimited,
    HostRejected,
    HostUnreachable,
    NoProvider,
    TruncatedAnswer,
    UpstreamError,
)
from parlance.core.parts import ToolCall
from parlance.core.requests import Request
from parlance.net.egress import Egress
from parlance.providers.connect import connect
from parlance.providers.host import Host
from parlance.providers.languages import LANGUAGES
from parlance.testing.reply import Reply, ScriptedCall
from parlance.testing.script import Break, Script, failing, saying
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.voices.openai_chat import encode_error, encode_stream, encode_whole
from tests.probes.leaks import LeakProbe
from tests.unit.providers.hosts import ASK, KEY, host_at, read_all, read_until_error, spec_at, text_of, thoughts_of

USAGE_ASK = Request(model="m", messages=ASK.messages)


@pytest.fixture(autouse=True)
async def upstream(leak_probe: LeakProbe) -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream(key=KEY) as upstream:
        yield upstream


async def test_an_answer_is_streamed_and_names_its_host_first(upstream: ScriptedUpstream) -> None:
    upstream.plan(Script(reply=Reply(text=("Hel", "lo"), reasoning=("hm",)), headers=(("x-request-id", "req-1"),)))
    async with host_at(spec_at(upstream.base_url)) as host:
        deltas = await read_all(host)
    assert deltas[0] == Began("scripted-model", "chatcmpl-scripted", "lab", "openai_chat")
    assert (thoughts_of(deltas), text_of(deltas)) == ("hm", "Hello")
    assert isinstance(deltas[-1], Finished)
    assert [delta for delta in deltas if isinstance(delta, Began | Finished)] == [deltas[0], deltas[-1]]


async def test_the_request_carries_the_key_and_the_configured_headers(upstream: ScriptedUpstream) -> None:
    async with host_at(spec_at(upstream.base_url, headers=(("X-Team", "blue"),))) as host:
        await read_all(host)
    request = upstream.requests[0]
    assert request.header("authorization") == f"Bearer {KEY}"
    assert request.header("x-team") == "blue"
    assert request.header("content-type") == "application/json"
    assert request.json["stream"] is True


async def test_a_host_may_want_its_key_in_another_header_and_a_query_in_its_address() -> None:
    async with ScriptedUpstream() as upstream:
        spec = spec_at(f"{upstream.base_url}/?api-version=2026-01-01", key_header="api-key")
        async with host_at(spec) as host:
            await read_all(host)
    assert upstream.requests[0].header("api-key") == KEY
    assert upstream.requests[0].header("authorization") is None
    assert upstream.requests[0].path == "/v1/chat/completions?api-version=2026-01-01"


async def test_calls_come_whole_and_in_order(upstream: ScriptedUpstream) -> None:
    calls = (ScriptedCall("first", '{"a":1.0}'), ScriptedCall("second", "{}"))
    upstream.plan(Script(reply=Reply(text=(), calls=calls)))
    async with host_at(spec_at(upstream.base_url)) as host:
        deltas = await read_all(host)
    opened = [delta.part for delta in deltas if isinstance(delta, Opened)]
    assert [part.name for part in opened if isinstance(part, ToolCall)] == ["first", "second"]
    finished = deltas[-1]
    assert isinstance(finished, Finished)
    assert finished.reason == "tool_calls"


async def test_a_host_that_does_not_stream_is_told_as_if_it_did(upstream: ScriptedUpstream) -> None:
    upstream.plan(Script(body=encode_whole(Reply(text=("Hello",))), content_type="application/json; charset=utf-8"))
    async with host_at(spec_at(upstream.base_url)) as host:
        deltas = await read_all(host)
    assert isinstance(deltas[0], Began)
    assert (deltas[0].host, text_of(deltas)) == ("lab", "Hello")
    assert isinstance(deltas[-1], Finished)


@pytest.mark.parametrize("kind", ["text/event-stream; charset=utf-8", "TEXT/EVENT-STREAM", ""])
async def test_the_content_type_of_a_stream_is_read_leniently(upstream: ScriptedUpstream, kind: str) -> None:
    events = [*encode_stream(Reply()), b"data: [DONE]\n\n"]
    upstream.plan(Script(events=tuple(events), content_type=kind))
    async with host_at(spec_at(upstream.base_url)) as host:
        assert text_of(await read_all(host)) == "Hello there!"


async def test_a_compressed_stream_is_read(upstream: ScriptedUpstream) -> None:
    body = gzip.compress(b"".join(encode_stream(Reply())) + b"data: [DONE]\n\n")
    encoded = (("Content-Encoding", "gzip"),)
    upstream.plan(Script(body=body, content_type="text/event-stream", headers=encoded))
    async with host_at(spec_at(upstream.base_url)) as host:
        assert text_of(await read_all(host)) == "Hello there!"


async def test_a_connection_is_used_again_once_its_answer_was_read_to_the_end(upstream: ScriptedUpstream) -> None:
    async with host_at(spec_at(upstream.base_url)) as host:
        for _ in range(3):
            await read_all(host)
    assert len(upstream.requests) == 3
    assert upstream.accepted == 1


async def test_an_answer_without_done_is_whole_and_one_that_lingers_does_not_keep_the_caller(
    upstream: ScriptedUpstream,
) -> None:
    events = [*encode_stream(Reply()), b"data: [DONE]\n\n"]
    upstream.plan(Script(done=False), Script(events=tuple(events), hold_after=len(events)))
    async with host_at(spec_at(upstream.base_url)) as host:
        for _ in range(2):
            deltas = await read_all(host)
            assert text_of(deltas) == "Hello there!"
            assert isinstance(deltas[-1], Finished)


async def test_words_behind_the_end_are_not_told(upstream: ScriptedUpstream) -> None:
    events = [*encode_stream(Reply(text=("Hi",))), b"data: [DONE]\n\n", *encode_stream(Reply(text=("again",)))]
    upstream.plan(Script(events=tuple(events)))
    async with host_at(spec_at(upstream.base_url)) as host:
        deltas = await read_all(host)
    assert text_of(deltas) == "Hi"
    assert [type(delta) for delta in deltas].count(Finished) == 1


ERRORS: dict[str, tuple[Script, type[UpstreamError], str]] = {
    "key": (failing(401, encode_error(f"Incorrect API key: {KEY}")), HostKeyRefused, "key"),
    "model": (failing(404, encode_error("The model `x` does not exist", code="model_not_found")), HostDeclined, "x"),
    "rate": (failing(429, encode_error("Slow down"), headers=(("Retry-After", "7"),)), HostRateLimited, "Slow down"),
    "quota": (failing(429, encode_error("No", type="insufficient_quota", code="x")), HostQuotaExhausted, "credit"),
    "rejected": (failing(400, encode_error("Too long", code="context_length_exceeded")), HostRejected, "Too long"),
    "server": (failing(500, b"oh no"), HostFailed, "500"),
    "gateway's page": (failing(502, b"<html><title>Bad Gateway</title>x</html>"), HostFailed, "502"),
    "page": (failing(200, b"<html><head><title>Sign in</title></head>...</html>"), HostAnswerInvalid, "Sign in"),
    "empty": (failing(200, b""), HostAnswerInvalid, "base_url"),
    "redirect": (failing(307, b"", headers=(("Location", "http://127.0.0.1:9/v1"),)), HostAnswerInvalid, "redirect"),
    "echo": (failing(400, encode_error(f"what is {KEY}?")), HostRejected, "what is"),
    "echo in a page": (failing(200, f"<p>{KEY}</p>".encode()), HostAnswerInvalid, "text/html"),
    "garbage": (Script(raw=b"\x16\x03\x01 this is no HTTP\r\n\r\n"), HostAnswerInvalid, "not HTTP"),
    "nothing": (Script(raw=b""), HostFailed, "closed the connection"),
    "stream of something": (Script(events=(b"data: hello\n\n",)), HostAnswerInvalid, "lab"),
    "huge event": (Script(events=(b"data: " + b"x" * (17 << 20),), delimit="close"), HostAnswerInvalid, "16777216"),
    "huge answer": (
        Script(body=b"{" + b" " * (17 << 20), content_type="application/json"),
        HostAnswerInvalid,
        "more than 16777216 bytes",
    ),
    "error in the stream": (Script(events=(b'data: {"error":"out of memory"}\n\n',)), HostFailed, "out of memory"),
    "empty stream": (Script(events=()), TruncatedAnswer, "lab"),
    "no finish": (Script(finish=False), TruncatedAnswer, "lab"),
}


@pytest.mark.parametrize("name", ERRORS)
async def test_each_failure_of_a_host_is_told_in_its_own_way(upstream: ScriptedUpstream, name: str) -> None:
    script, kind, word = ERRORS[name]
    upstream.plan(script)
    async with host_at(spec_at(upstream.base_url)) as host:
        _, error = await read_until_error(host)
    assert type(error) is kind, error
    assert "lab" in error.message
    assert word in error.message
    assert error.host == "lab"
    assert KEY not in error.message
    assert KEY not in str(error)
    assert len(error.message) < 500
    assert len(upstream.requests) == 1


async def test_the_wait_that_a_host_asks_for_and_its_id_of_the_request_are_kept(upstream: ScriptedUpstream) -> None:
    headers = (("Retry-After", "7"), ("X-Request-Id", "req-9"))
    upstream.plan(failing(429, encode_error("Slow down"), headers=headers))
    upstream.plan(Script(finish=False, headers=headers))
    async with host_at(spec_at(upstream.base_url)) as host:
        _, limited = await read_until_error(host)
        _, cut = await read_until_error(host)
    assert limited is not None
    assert (limited.retry_after, limited.upstream_id) == (7.0, "req-9")
    assert cut is not None
    assert cut.upstream_id == "req-9"


@pytest.mark.parametrize(
    ("base_url", "word"),
    [
        ("http://127.0.0.1:9/v1", "refuses connections"),
        ("https://127.0.0.1:{port}/v1", "TLS"),
    ],
)
async def test_a_host_that_cannot_be_reached_says_what_to_check(
    upstream: ScriptedUpstream, base_url: str, word: str
) -> None:
    async with host_at(spec_at(base_url.format(port=upstream.port))) as host:
        with pytest.raises(HostUnreachable, match=word) as caught:
            await read_all(host)
    assert caught.value.host == "lab"


async def test_a_file_of_certificates_that_cannot_be_read_is_named(upstream: ScriptedUpstream) -> None:
    async with host_at(spec_at(upstream.base_url, ca_file="nowhere.pem")) as host:
        with pytest.raises(HostUnreachable, match=r"nowhere\.pem"):
            await read_all(host)


async def test_a_proxy_that_is_not_there_is_named_as_such(upstream: ScriptedUpstream) -> None:
    async with host_at(spec_at(upstream.base_url, proxy="http://127.0.0.1:9")) as host:
        with pytest.raises(HostUnreachable, match="proxy"):
            await read_all(host)


@pytest.mark.parametrize("how", ["end", "fin", "chunk", "reset"])
async def test_what_was_shown_before_a_break_is_told_and_then_that_it_is_not_whole(
    upstream: ScriptedUpstream, how: Break
) -> None:
    events = tuple(encode_stream(Reply(text=("one", " two", " three"))))
    upstream.plan(Script(events=events, cut=len(b"".join(events[:3])) + 20, break_by=how))
    async with host_at(spec_at(upstream.base_url)) as host:
        deltas, error = await read_until_error(host)
    assert text_of(deltas) == "one two"
    assert type(error) is TruncatedAnswer
    assert error.host == "lab"


@pytest.mark.parametrize("how", ["fin", "chunk", "reset"])
async def test_a_break_before_anything_was_shown_is_the_hosts_failure(upstream: ScriptedUpstream, how: Break) -> None:
    upstream.plan(Script(cut=len(encode_stream(Reply())[0]) + 20, break_by=how))
    async with host_at(spec_at(upstream.base_url)) as host:
        _, error = await read_until_error(host)
    assert type(error) is HostFailed


@pytest.mark.parametrize("how", ["end", "fin", "chunk", "reset"])
async def test_an_answer_cut_behind_its_finish_is_whole(upstream: ScriptedUpstream, how: Break) -> None:
    *events, usage = encode_stream(Reply(), with_usage=True)
    upstream.plan(Script(events=(*events, usage), cut=len(b"".join(events)) + 20, break_by=how))
    async with host_at(spec_at(upstream.base_url)) as host:
        deltas = await read_all(host)
    assert text_of(deltas) == "Hello there!"
    assert isinstance(deltas[-1], Finished)


async def test_an_error_in_the_stream_comes_behind_what_was_said_before_it(upstream: ScriptedUpstream) -> None:
    events = encode_stream(Reply(text=("one",)))[:2]
    body = b"".join(events) + b'data: {"error":{"message":"overloaded"}}\n\n'
    upstream.plan(Script(events=(body,)))
    async with host_at(spec_at(upstream.base_url)) as host:
        deltas, error = await read_until_error(host)
    assert text_of(deltas) == "one"
    assert type(error) is HostFailed


async def test_a_stream_dripped_byte_by_byte_says_the_same(upstream: ScriptedUpstream) -> None:
    upstream.plan(Script(drip=1))
    async with host_at(spec_at(upstream.base_url)) as host:
        deltas = await read_all(host)
    assert text_of(deltas) == "Hello there!"
    assert isinstance(deltas[-1], Finished)
    assert any(isinstance(delta, UsageReported) for delta in deltas)


async def test_a_request_of_megabytes_arrives(upstream: ScriptedUpstream) -> None:
    request = Request(model="m", messages=(ASK.messages[0], *ASK.messages), extra={})
    long = request.messages[0].__class__(id=request.messages[0].id, role="user", parts=ASK.messages[0].parts * 300_000)
    async with host_at(spec_at(upstream.base_url)) as host:
        await read_all(host, Request(model="m", messages=(long,)))
    assert len(upstream.requests[0].body) > 1 << 20


async def test_what_could_not_be_said_to_a_host_is_noted_behind_its_beginning(upstream: ScriptedUpstream) -> None:
    request = Request(model="m", messages=ASK.messages, extra={"gemini": {}})
    async with host_at(spec_at(upstream.base_url)) as host:
        deltas = await read_all(host, request)
    noted = [number for number, delta in enumerate(deltas) if isinstance(delta, Noted)]
    assert noted == list(range(1, 1 + len(noted)))


async def test_models_are_those_configured_else_the_hosts_own_which_are_asked_for_once() -> None:
    async with ScriptedUpstream(models=("a", "b")) as upstream:
        async with host_at(spec_at(upstream.base_url, models=("mine",))) as host:
            assert await host.list_models() == ("mine",)
        assert not upstream.requests
        async with host_at(spec_at(upstream.base_url)) as host:
            assert await host.list_models() == ("a", "b")
            assert await host.list_models() == ("a", "b")
        assert len(upstream.requests) == 1


async def test_a_list_of_models_that_cannot_be_had_is_an_error_with_the_hosts_name(upstream: ScriptedUpstream) -> None:
    async with host_at(spec_at(upstream.base_url), key="wrong") as host:
        with pytest.raises(HostKeyRefused, match="lab"):
            await host.list_models()
    async with host_at(spec_at("http://127.0.0.1:9/v1")) as host:
        with pytest.raises(HostUnreachable, match="lab"):
            await host.list_models()


async def test_what_can_never_work_is_refused_before_anything_is_sent() -> None:
    language, egress = LANGUAGES["openai_chat"], Egress()
    with pytest.raises(NoProvider, match="quirks that its language does not know: nonsense"):
        Host(spec_at("http://x/v1", quirks=frozenset({"nonsense"})), language, None, egress=egress)
    for base_url in ("", "nonsense", "http://:/v1", "ftp://x/v1", "//x/v1", "http://x:99999/"):
        with pytest.raises(NoProvider, match="address that is none"):
            Host(spec_at(base_url), language, None, egress=egress)
    with pytest.raises(NoProvider, match="characters"):
        Host(spec_at("http://x/v1"), language, "a\r\nb", egress=egress)
    with pytest.raises(NoProvider, match="speaks telepathy, which this version"):
        connect(spec_at("http://x/v1", family="telepathy"), None, egress=egress)


async def test_a_key_is_told_by_no_representation(upstream: ScriptedUpstream) -> None:
    async with host_at(spec_at(upstream.base_url)) as host:
        assert KEY not in repr(host)
        assert saying("x") == saying("x")


async def test_an_address_may_be_given_without_its_version(upstream: ScriptedUpstream) -> None:
    bare = upstream.base_url.removesuffix("/v1")
    async with host_at(spec_at(bare)) as host:
        assert await host.list_models() == ("scripted-model",)
        for _ in range(2):
            assert text_of(await read_all(host)) == "Hello there!"
    paths = [request.path for request in upstream.requests if request.method == "POST"]
    assert paths == ["/chat/completions", "/v1/chat/completions", "/v1/chat/completions"]


async def test_an_address_with_a_version_is_not_guessed_at(upstream: ScriptedUpstream) -> None:
    upstream.plan(failing(404, encode_error("The model `x` does not exist", code="model_not_found")))
    async with host_at(spec_at(upstream.base_url)) as host:
        _, error = await read_until_error(host)
    assert type(error) is HostDeclined
    assert len(upstream.requests) == 1


async def test_an_address_that_leads_nowhere_tells_the_first_complaint(upstream: ScriptedUpstream) -> None:
    async with host_at(spec_at(upstream.base_url.replace("/v1", "/nowhere"))) as host:
        _, error = await read_until_error(host)
    assert error is not None
    assert "/nowhere/chat/completions" in error.message
