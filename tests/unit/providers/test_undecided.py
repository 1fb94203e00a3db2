"""A local server whose language nobody said: it is asked, once, with its first use."""

import asyncio
from contextlib import aclosing

import msgspec
import pytest

from parlance.core.deltas import Began
from parlance.core.errors import HostUnreachable
from parlance.core.provider import Provider, Sized
from parlance.net.egress import Egress
from parlance.providers.catalog import HostSetup, find_host, join_host
from parlance.providers.connect import connect
from parlance.testing.script import Script
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voice import Voice
from parlance.testing.voices.table import VOICES
from tests.probes.leaks import LeakProbe
from tests.unit.providers.hosts import ASK, read_all, text_of

SIGN = "/api/version"


class Local(ScriptedUpstream):
    """Answers the question by what is left of `versions`; 404 without."""

    def __init__(self, *versions: tuple[int, bytes], window: int | None = None) -> None:
        super().__init__(window=window)
        self.versions = list(versions)

    def _take(self, request: UpstreamRequest) -> tuple[Voice, Script]:
        if request.path == SIGN and self.versions:
            status, body = self.versions.pop(0)
            return VOICES["ollama"], Script(status=status, body=body, content_type="application/json")
        return super()._take(request)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def asked(self, path: str) -> int:
        return len([request for request in self.requests if request.path == path])


def local(base_url: str, egress: Egress) -> Provider:
    row = find_host("local")
    assert row is not None
    return connect(join_host("local", row, HostSetup(base_url=base_url)), None, egress=egress)


OLLAMA = (200, msgspec.json.encode({"version": "0.15.0"}))


@pytest.mark.parametrize(
    ("versions", "family", "path"),
    [
        ([OLLAMA], "ollama", "/api/chat"),
        ([], "openai_chat", "/v1/chat/completions"),
        ([(200, b"<html>")], "openai_chat", "/v1/chat/completions"),
        ([(200, b'{"version":""}')], "openai_chat", "/v1/chat/completions"),
    ],
)
async def test_it_is_asked_once_and_spoken_to_in_its_language(
    leak_probe: LeakProbe, versions: list[tuple[int, bytes]], family: str, path: str
) -> None:
    egress = Egress()
    async with Local(*versions) as upstream:
        provider = local(upstream.root, egress)
        answers = await asyncio.gather(*(read_all(provider) for _ in range(3)))
        assert {text_of(deltas) for deltas in answers} == {"Hello there!"}
        began = answers[0][0]
        assert isinstance(began, Began)
        assert provider.family == began.family == family
        assert await provider.list_models() == ("scripted-model",)
        await egress.close()
        assert (upstream.asked(SIGN), upstream.asked(path)) == (1, 3)


@pytest.mark.parametrize(("versions", "tokens"), [([OLLAMA], 20000), ([], None)])
async def test_it_says_how_much_its_models_take_if_what_it_turns_out_to_be_does(
    leak_probe: LeakProbe, versions: list[tuple[int, bytes]], tokens: int | None
) -> None:
    egress = Egress()
    async with Local(*versions, window=20000) as upstream:
        provider = local(upstream.root, egress)
        assert isinstance(provider, Sized)
        assert await provider.window("scripted-model") == tokens
        await egress.close()


async def test_an_address_with_its_version_is_not_asked(leak_probe: LeakProbe) -> None:
    egress = Egress()
    async with Local(OLLAMA) as upstream:
        assert text_of(await read_all(local(f"{upstream.root}/v1/", egress))) == "Hello there!"
        await egress.close()
        assert upstream.asked(SIGN) == 0


async def test_a_server_that_can_not_say_it_yet_is_asked_again(leak_probe: LeakProbe) -> None:
    egress = Egress()
    async with Local((503, b""), OLLAMA) as upstream:
        provider = local(upstream.root, egress)
        await read_all(provider)
        async with aclosing(provider.stream(ASK)) as batches:
            await anext(batches)
        await egress.close()
        assert (upstream.asked(SIGN), provider.family) == (2, "ollama")


async def test_a_server_that_is_not_there_is_told_as_unreachable() -> None:
    egress = Egress()
    provider = local("http://127.0.0.1:9", egress)
    with pytest.raises(HostUnreachable, match="'local'"):
        await read_all(provider)
    with pytest.raises(HostUnreachable, match="'local'"):
        await provider.list_models()
    await egress.close()
