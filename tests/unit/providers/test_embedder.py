"""Texts become vectors at hosts of each family that makes them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parlance.core.embeddings import Embedder, Embeddings
from parlance.core.errors import (
    HostAnswerInvalid,
    HostKeyRefused,
    HostRejected,
    HostTimeout,
    HostUnreachable,
    NoProvider,
)
from parlance.core.parts import Family
from parlance.core.provider import Deadlines, HostSpec
from parlance.core.usage import Usage
from parlance.net.egress import Egress
from parlance.providers.embedder import HostEmbedder
from parlance.testing.script import Script, failing, refusing
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.voices.embeddings import vector_of
from tests.probes.leaks import LeakProbe

FAMILIES: list[Family] = ["openai_chat", "openai_responses", "ollama", "gemini"]
each_family = pytest.mark.parametrize("family", FAMILIES)

TEXTS = ["one", "one and two", ""]
VECTORS = tuple(tuple(vector_of(text)) for text in TEXTS)


@asynccontextmanager
async def embedder_at(base_url: str, family: Family, *, total: float = 5.0) -> AsyncIterator[Embedder]:
    egress = Egress()
    try:
        spec = HostSpec(name="lab", family=family, base_url=base_url, deadlines=Deadlines(5, 5, 5, total))
        yield HostEmbedder(spec, "m", "key", egress=egress)
    finally:
        await egress.close()


@each_family
async def test_each_text_gets_its_vector(leak_probe: LeakProbe, family: Family) -> None:
    async with ScriptedUpstream() as upstream, embedder_at(upstream.base_url_of(family), family) as embedder:
        made = await embedder.embed(TEXTS)
    usage = None if family == "gemini" else Usage(input=3)
    assert made == Embeddings(VECTORS, "m", usage)
    assert (embedder.name, embedder.model) == ("lab", "m")


@each_family
async def test_many_texts_go_in_several_requests_and_none_in_none(leak_probe: LeakProbe, family: Family) -> None:
    texts = [f"{'word ' * (number % 7)}{number}" for number in range(600)]
    async with ScriptedUpstream() as upstream, embedder_at(upstream.base_url_of(family), family) as embedder:
        assert await embedder.embed([]) == Embeddings((), "m")
        assert upstream.requests == []
        made = await embedder.embed(texts)
        assert len(upstream.requests) == (6 if family == "gemini" else 3)
    assert made.vectors == tuple(tuple(vector_of(text)) for text in texts)
    assert made.usage == (None if family == "gemini" else Usage(input=600))


@each_family
async def test_errors_are_those_of_the_hosts_language(leak_probe: LeakProbe, family: Family) -> None:
    scripts = [refusing(400, "Too long."), refusing(401, "No."), failing(200, b"<html>"), failing(200, b"{}")]
    async with ScriptedUpstream(*scripts) as upstream, embedder_at(upstream.base_url_of(family), family) as embedder:
        with pytest.raises(HostRejected, match="Too long"):
            await embedder.embed(TEXTS)
        with pytest.raises(HostKeyRefused):
            await embedder.embed(TEXTS)
        for _ in range(2):
            with pytest.raises(HostAnswerInvalid, match="no list of embeddings"):
                await embedder.embed(TEXTS)


async def test_too_few_vectors_are_no_answer(leak_probe: LeakProbe) -> None:
    body = json.dumps({"embeddings": [[1.0]]}).encode()
    async with (
        ScriptedUpstream(failing(200, body)) as upstream,
        embedder_at(upstream.base_url_of("ollama"), "ollama") as embedder,
    ):
        with pytest.raises(HostAnswerInvalid, match="asked for 3 embeddings and gave 1"):
            await embedder.embed(TEXTS)


async def test_ollama_may_not_cut_a_text_in_silence(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream() as upstream, embedder_at(upstream.base_url_of("ollama"), "ollama") as embedder:
        await embedder.embed(TEXTS)
        assert upstream.requests[0].json["truncate"] is False


async def test_an_address_without_its_version_is_found(leak_probe: LeakProbe) -> None:
    async with (
        ScriptedUpstream() as upstream,
        embedder_at(upstream.base_url.removesuffix("/v1"), "openai_chat") as embedder,
    ):
        assert (await embedder.embed(TEXTS)).vectors == VECTORS


async def test_a_host_that_is_not_there_or_never_answers_is_an_error(leak_probe: LeakProbe) -> None:
    async with embedder_at("http://127.0.0.1:9/v1", "openai_chat") as embedder:
        with pytest.raises(HostUnreachable):
            await embedder.embed(TEXTS)
    async with (
        ScriptedUpstream(Script(body=b"{}", hold_head=True)) as upstream,
        embedder_at(upstream.base_url, "openai_chat", total=0.05) as embedder,
    ):
        with pytest.raises(HostTimeout, match="deadline `total`"):
            await embedder.embed(TEXTS)


async def test_a_family_that_makes_none_is_refused_at_once() -> None:
    spec = HostSpec(name="lab", family="anthropic_messages", base_url="http://x/v1")
    with pytest.raises(NoProvider, match="makes no embeddings"):
        HostEmbedder(spec, "m", None, egress=Egress())
