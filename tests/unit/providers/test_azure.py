"""Azure's two APIs, as its row and an operator's settings make them."""

import pytest

from parlance.core.requests import Request
from parlance.net.egress import Egress
from parlance.providers.catalog import HostSetup, find_host, join_host
from parlance.providers.connect import connect
from parlance.testing.script import Script
from parlance.testing.upstream import ScriptedUpstream
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voice import Voice, Wanted
from parlance.testing.voices.table import VOICES
from tests.unit.providers.hosts import ASK, KEY, read_all, text_of

CHAT = VOICES["openai_chat"]


class Azure(ScriptedUpstream):
    """Answers at Azure's paths, whatever stands before their last two words."""

    def _take(self, request: UpstreamRequest) -> tuple[Voice, Script]:
        wanted: Wanted | None = "answer" if request.path.partition("?")[0].endswith("/chat/completions") else None
        return (CHAT, self._script(request, CHAT, wanted)) if wanted else super()._take(request)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/openai/v1", "/openai/v1/chat/completions"),
        ("/openai/v1/?api-version=preview", "/openai/v1/chat/completions?api-version=preview"),
        (
            "/openai/deployments/my-gpt?api-version=2024-10-21",
            "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21",
        ),
    ],
)
async def test_both_apis_are_reached_by_their_addresses(address: str, path: str) -> None:
    row = find_host("azure_openai")
    assert row is not None
    egress = Egress()
    async with Azure() as upstream:
        spec = join_host("azure", row, HostSetup(base_url=f"http://127.0.0.1:{upstream.port}{address}", model="my-gpt"))
        request = Request(model=spec.default_model or "", messages=ASK.messages)
        assert text_of(await read_all(connect(spec, KEY, egress=egress), request)) == "Hello there!"
        await egress.close()
        (asked,) = upstream.requests
    assert asked.path == path
    assert asked.json["model"] == "my-gpt"
    assert (asked.header("api-key"), asked.header("authorization")) == (KEY, None)
