"""Ground rules for every test: a clean environment, an empty working folder, no network beyond loopback,
nothing that blocks the event loop, the same generated examples each time."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.probes import network
from tests.probes.databases import _database_place as _database_place
from tests.probes.databases import sql_database as sql_database
from tests.probes.leaks import LeakProbe
from tests.probes.postgres import _postgres_template as _postgres_template
from tests.probes.postgres import empty_postgres as empty_postgres
from tests.probes.postgres import own_postgres as own_postgres
from tests.probes.postgres import postgres as postgres
from tests.probes.postgres import postgres_with_tables as postgres_with_tables

# Anything else that a developer has set (keys, proxies, settings of Parlance) would change what the tests see.
KEPT_VARIABLES = ("CI", "HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV")
KEPT_PREFIXES = ("COVERAGE", "HYPOTHESIS_", "PY", "XDG_")

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50, database=None)
settings.register_profile(
    "long", deadline=None, max_examples=5_000, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="loads and generated cases at their full size: up to half an hour each, with -o faulthandler_timeout=2400",
    )


def pytest_configure() -> None:
    for name in set(os.environ).difference(KEPT_VARIABLES):
        if not name.startswith(KEPT_PREFIXES):
            del os.environ[name]
    os.environ["PARLANCE_DISCOVERY"] = "false"
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
    network.install()


@pytest.fixture(scope="session", autouse=True)
def _empty_working_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings are read from the working folder and data is kept there: neither may be the developer's."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("working_folder"))
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def long_run(request: pytest.FixtureRequest) -> bool:
    """Whether a test that has a short and a long form runs in its long one."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
async def leak_probe() -> AsyncIterator[LeakProbe]:
    """Fails the test if tasks or sockets that it made are still there at its end. Ask for it before what it watches."""
    probe = LeakProbe()
    yield probe
    await probe.settled()
