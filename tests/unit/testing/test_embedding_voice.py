"""Official clients take the scripted upstream's vectors for real."""

import httpx2
import ollama
import openai
from google.genai import Client, types

from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.voices.embeddings import vector_of
from tests.probes.leaks import LeakProbe

TEXTS = ["one", "one and two", "2"]
VECTORS = [vector_of(text) for text in TEXTS]


async def test_openais_client_reads_them(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream() as upstream, openai.AsyncOpenAI(base_url=upstream.base_url, api_key="k") as client:
        made = await client.embeddings.create(model="m", input=TEXTS, encoding_format="float")
    assert {row.index: row.embedding for row in made.data} == dict(enumerate(VECTORS))
    assert made.usage.prompt_tokens == 3


async def test_ollamas_client_reads_them(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream() as upstream, ollama.AsyncClient(host=upstream.base_url_of("ollama")) as client:
        made = await client.embed("m", TEXTS)
    assert [list(one) for one in made.embeddings] == VECTORS


async def test_googles_client_reads_them(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream() as upstream, httpx2.AsyncClient() as wire:
        address = upstream.base_url_of("gemini").removesuffix("/v1beta")
        options = types.HttpOptions(base_url=address, api_version="v1beta", httpx_async_client=wire)
        contents: list[types.ContentUnion] = [types.Content(parts=[types.Part(text=text)]) for text in TEXTS]
        with Client(api_key="k", http_options=options) as client:
            made = await client.aio.models.embed_content(model="m", contents=contents)
    assert [one.values for one in made.embeddings or []] == VECTORS
