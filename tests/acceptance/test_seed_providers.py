"""The four systems' own variables and files, each at its own door: every provider that they name answers."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from msgspec import Struct

from parlance.core.parts import Family
from parlance.testing.script import Script
from parlance.testing.upstream_connection import UpstreamRequest
from parlance.testing.voice import Voice
from parlance.testing.voices.table import VOICES
from tests.acceptance.chat_lines import ask, open_client
from tests.acceptance.chat_socket import open_chat, text_of
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.rpc_session import open_session
from tests.acceptance.rpc_session import text_of as rpc_text_of
from tests.acceptance.server_process import ServerProcess, started
from tests.unit.config import printed_examples as printed

PATHS: Mapping[Family, str] = {
    "openai_chat": "/v1/chat/completions",
    "anthropic_messages": "/v1/messages",
    "gemini": "/v1beta/models/{model}:streamGenerateContent",
    "ollama": "/api/chat",
}
KEY_HEADERS: Mapping[Family, str] = {"anthropic_messages": "x-api-key", "gemini": "x-goog-api-key"}


class Expected(Struct, frozen=True):
    """What must have arrived at the host: in which language, for which model, with which key."""

    family: Family
    model: str
    key: str | None

    def check(self, request: UpstreamRequest) -> None:
        path = request.path.partition("?")[0]
        assert path == PATHS[self.family].format(model=self.model)
        if "{model}" not in PATHS[self.family]:
            assert request.json["model"] == self.model
        header = KEY_HEADERS.get(self.family, "authorization")
        key = f"Bearer {self.key}" if self.key and header == "authorization" else self.key
        assert request.header(header) == key
        others = {"authorization", *KEY_HEADERS.values()} - {header}
        assert [name for name in others if request.header(name)] == []


class Hosts(PlannedUpstream):
    """All vendors at one address, which says that it is an Ollama, too."""

    def _take(self, request: UpstreamRequest) -> tuple[Voice, Script]:
        if request.path == "/api/version":
            body = msgspec.json.encode({"version": "0.15.0"})
            return VOICES["ollama"], Script(body=body, content_type="application/json")
        return super()._take(request)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked(self) -> UpstreamRequest:
        """The last request for an answer."""
        asked = [one for one in self.requests if one.method == "POST" and one.path != "/api/show"]
        return asked[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_hosts() -> AsyncIterator[Hosts]:
    async with Hosts() as hosts:
        yield hosts


@pytest.fixture
def hosts(shared_hosts: Hosts) -> Hosts:
    shared_hosts.begin()
    return shared_hosts


async def test_the_websocket_services_variables_reach_openai(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(printed.WEBSOCKET_DOTENV)
    at = {"PARLANCE_PROVIDERS__OPENAI__BASE_URL": hosts.base_url}
    async with started(tmp_path, at) as server:
        await check_socket(server, hosts, Expected("openai_chat", "gpt-4o-mini", "sk-placeholder-key"))


async def test_the_websocket_services_file_reaches_the_vendors_on_its_list(hosts: Hosts, tmp_path: Path) -> None:
    sections = (
        'anthropic: {api_key: "${ANTHROPIC_API_KEY}", model: claude-one, max_tokens: 50}\n'
        'gemini: {api_key: "${GOOGLE_API_KEY}", model: gemini-one}\n'
    )
    (tmp_path / "config.yaml").write_text(printed.WEBSOCKET_YAML + sections)
    names = {
        "SERVER_HOST": "127.0.0.1",
        "OPENAI_API_KEY": "sk-one",
        "ANTHROPIC_API_KEY": "sk-two",
        "GOOGLE_API_KEY": "sk-three",
        "PARLANCE_PROVIDERS__OPENAI__BASE_URL": hosts.base_url,
        "PARLANCE_PROVIDERS__ANTHROPIC__BASE_URL": hosts.base_url_of("anthropic_messages"),
        "PARLANCE_PROVIDERS__GEMINI__BASE_URL": hosts.base_url_of("gemini"),
    }
    async with started(tmp_path, names) as server:
        await check_socket(server, hosts, Expected("openai_chat", "gpt-4o-mini", "sk-one"))
        claude = Expected("anthropic_messages", "claude-one", "sk-two")
        await check_socket(server, hosts, claude, model="anthropic/claude-one")
        gemini = Expected("gemini", "gemini-one", "sk-three")
        await check_socket(server, hosts, gemini, model="gemini/gemini-one")


async def test_the_rest_services_variables_reach_all_its_providers(
    empty_postgres: str, hosts: Hosts, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(printed.REST_DOTENV)
    names = {
        # Where its database is, instead of where the example says.
        "DATABASE_URL": empty_postgres,
        "OPENAI_API_BASE_URL": hosts.base_url,
        "PARLANCE_PROVIDERS__ANTHROPIC__BASE_URL": hosts.base_url_of("anthropic_messages"),
        "LOCAL_LLM_ENDPOINT": hosts.root,
        "PRIVATE_CLOUD_ENDPOINT": hosts.root,
    }
    async with started(tmp_path, names) as server:
        await check_lines(server, hosts, Expected("anthropic_messages", "claude-sonnet-5-5", "sk-two"))
        await check_lines(server, hosts, Expected("openai_chat", "gpt-4o", "sk-one"), model="openai/gpt-4o")
        # An Ollama, found out by asking; without a model's name, the first that it lists.
        await check_lines(server, hosts, Expected("ollama", "scripted-model", None), model="local/")
        await check_lines(server, hosts, Expected("ollama", "llama3.2:3b", None), model="local/llama3.2:3b")
        await check_lines(server, hosts, Expected("openai_chat", "m/1", "sk-three"), model="private/m/1")


async def test_the_ndjson_services_variables_reach_its_local_server(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(printed.NDJSON_DOTENV)
    async with started(tmp_path, {"HOST": "127.0.0.1", "LLM__HOST": hosts.root}) as server:
        await check_lines(server, hosts, Expected("openai_chat", "TheBloke/MyLocalModel", None))
    assert hosts.asked.json["max_tokens"] == 512


async def test_the_json_rpc_services_example_reaches_deepseek(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(printed.JSON_RPC_DEEPSEEK_DOTENV)
    async with started(tmp_path, {"PARLANCE_PROVIDERS__SESSION__BASE_URL": hosts.base_url}) as server:
        await check_session(server, hosts, Expected("openai_chat", "deepseek-chat", "your_deepseek_api_key"))


async def test_the_json_rpc_services_example_reaches_openai(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(printed.JSON_RPC_OPENAI_DOTENV)
    async with started(tmp_path, {"LLM_BASE_URL": hosts.base_url}) as server:
        await check_session(server, hosts, Expected("openai_chat", "gpt-4o", "your_openai_api_key"))


@pytest.mark.parametrize(
    ("provider", "variable", "family"),
    [("anthropic", "ANTHROPIC_API_KEY", "anthropic_messages"), ("google", "GOOGLE_API_KEY", "gemini")],
)
async def test_the_json_rpc_services_other_providers_speak_their_own_languages(
    hosts: Hosts, tmp_path: Path, provider: str, variable: str, family: Family
) -> None:
    names = {
        "LLM_PROVIDER": provider,
        variable: "sk-five",
        "LLM_MODEL_NAME": "some-model",
        "LLM_BASE_URL": hosts.base_url_of(family),
    }
    async with started(tmp_path, names) as server:
        await check_session(server, hosts, Expected(family, "some-model", "sk-five"))


async def check_socket(server: ServerProcess, hosts: Hosts, expected: Expected, **payload: Any) -> None:
    async with open_chat(server) as chat:
        assert text_of(await chat.ask("Hello", **payload)) == "Hello there!"
    expected.check(hosts.asked)


async def check_lines(server: ServerProcess, hosts: Hosts, expected: Expected, **body: Any) -> None:
    async with open_client(server) as client:
        answer = await ask(client, "Hello", **body)
    assert answer.text == "Hello there!", answer.lines
    expected.check(hosts.asked)


async def check_session(server: ServerProcess, hosts: Hosts, expected: Expected) -> None:
    async with open_session(server) as session:
        notices = await session.ask("Hello")
    assert rpc_text_of(notices) == "Hello there!", notices
    expected.check(hosts.asked)
