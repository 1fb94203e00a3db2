"""Servers that the acceptance tests of one process share: one that needs nothing, one with a scripted host."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.acceptance.chat_lines import open_client
from tests.acceptance.chat_socket import ChatSocket, open_chat
from tests.acceptance.planned_upstream import PlannedUpstream
from tests.acceptance.server_process import ServerProcess
from tests.acceptance.standing import Standing

UPSTREAM_KEY = "sk-canary-upstream-0123456789"
"""The key for the scripted host: no client may ever see it, and no log."""

LAB = {
    "OPENAI_API_KEY": UPSTREAM_KEY,
    "DEFAULT_MODEL": "openai/scripted-model",
    "PARLANCE_PROVIDERS__OPENAI__DEADLINES__FIRST": "0.5",
    "PARLANCE_PROVIDERS__OPENAI__DEADLINES__IDLE": "0.5",
    "PARLANCE_SERVER__STOP_GRACE": "1",
    "PARLANCE_REQUEST__MAX_RETRIES": "0",
    "LOG_LEVEL": "DEBUG",
}


def lab_server(folder: Path, upstream: PlannedUpstream, parlance_yaml: str) -> ServerProcess:
    """A server in front of the scripted host, with a file of its own beside `LAB`."""
    (folder / "parlance.yaml").write_text(parlance_yaml)
    return ServerProcess(folder, {**LAB, "OPENAI_API_BASE_URL": upstream.base_url})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Connections to shared servers live on one loop."""
    for item in items:
        if "tests/acceptance/" in item.path.as_posix() and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def standing() -> Standing:
    """What outlives the tests of one module."""
    return Standing()


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def _nothing_left_behind(standing: Standing) -> AsyncIterator[None]:
    """Before and after the tests of each module, this process and the servers that they share hold the same."""
    await standing.begin()
    yield
    await standing.check()


@pytest.fixture(scope="session")
def demo(standing: Standing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """No key, no setting: the demonstration answers."""
    with ServerProcess(tmp_path_factory.mktemp("demo")) as server:
        standing.add_server(server)
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_upstream(standing: Standing) -> AsyncIterator[PlannedUpstream]:
    async with PlannedUpstream() as upstream:
        standing.add_upstream(upstream)
        yield upstream


@pytest.fixture(scope="session")
def shared_lab(
    standing: Standing, shared_upstream: PlannedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    settings = {**LAB, "OPENAI_API_BASE_URL": shared_upstream.base_url}
    with ServerProcess(tmp_path_factory.mktemp("lab"), settings) as server:
        standing.add_server(server)
        yield server


@pytest.fixture
def upstream(shared_upstream: PlannedUpstream) -> PlannedUpstream:
    """The scripted host that `lab` asks."""
    shared_upstream.begin()
    return shared_upstream


@pytest.fixture
def lab(shared_lab: ServerProcess, upstream: PlannedUpstream) -> ServerProcess:
    """A server whose only provider is `upstream`, with short deadlines."""
    return shared_lab


@pytest_asyncio.fixture(loop_scope="session")
async def chat(demo: ServerProcess) -> AsyncIterator[ChatSocket]:
    async with open_chat(demo) as socket:
        yield socket


@pytest_asyncio.fixture(loop_scope="session")
async def lab_chat(lab: ServerProcess) -> AsyncIterator[ChatSocket]:
    async with open_chat(lab) as socket:
        yield socket


@pytest_asyncio.fixture(loop_scope="session")
async def client(demo: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(demo) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def lab_client(lab: ServerProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(lab) as client:
        yield client
