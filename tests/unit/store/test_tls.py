"""PostgreSQL over TLS: what is trusted, what is refused, and what the operator is told to do about it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from parlance.core.errors import StorageUnavailable
from parlance.store.addresses import read_address
from parlance.store.database import open_database
from tests.probes.leaks import LeakProbe
from tests.probes.postgres import PostgresServer
from tests.probes.tls_postgres import Authority, Front, behind_tls


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the driver looks for files of the user's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def authority(home: Path) -> Authority:
    return Authority(home)


@pytest.fixture
async def front(postgres: PostgresServer, authority: Authority) -> AsyncIterator[Front]:
    async with behind_tls(postgres.port, authority.issue("localhost", address="127.0.0.1")) as front:
        yield front


async def ask(port: int, query: str) -> int:
    database = open_database(read_address(f"postgresql://postgres@127.0.0.1:{port}/postgres?{query}"), connections=2)
    try:
        async with database.reading(within=5) as connection:
            return int((await connection.execute(text("SELECT 7"))).scalar_one())
    finally:
        await database.close()


@pytest.mark.requirement("database:postgresql:tls")
@pytest.mark.parametrize("query", ["sslmode=require", "sslmode=prefer", "", "ssl=true", "sslmode=allow"])
async def test_a_server_that_speaks_tls_is_spoken_to_so(query: str, front: Front, leak_probe: LeakProbe) -> None:
    assert await ask(front.port, query) == 7
    assert (front.secured, front.plain) == (1, 0)


@pytest.mark.requirement("database:postgresql:tls")
@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_certificate_of_an_authority_that_is_named_is_trusted(
    mode: str, front: Front, authority: Authority
) -> None:
    assert await ask(front.port, f"sslmode={mode}&sslrootcert={authority.file}") == 7


async def test_the_authority_may_lie_where_postgresql_s_own_programs_look_for_it(
    front: Front, authority: Authority, home: Path
) -> None:
    (home / ".postgresql").mkdir()
    authority.file.rename(home / ".postgresql" / "root.crt")
    assert await ask(front.port, "sslmode=verify-full") == 7


@pytest.mark.requirement("database:postgresql:tls:refused")
@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_certificate_of_somebody_else_s_authority_is_refused(mode: str, front: Front, home: Path) -> None:
    other = Authority(home, "Another authority")
    with pytest.raises(StorageUnavailable, match=r"not trusted \(.*\); name the file of the authority .* sslrootcert"):
        await ask(front.port, f"sslmode={mode}&sslrootcert={other.file}")


@pytest.mark.requirement("database:postgresql:tls:refused")
async def test_a_certificate_for_another_name_is_refused_where_names_are_compared(
    postgres: PostgresServer, authority: Authority
) -> None:
    async with behind_tls(postgres.port, authority.issue("elsewhere.example")) as front:
        assert await ask(front.port, f"sslmode=verify-ca&sslrootcert={authority.file}") == 7
        with pytest.raises(StorageUnavailable, match="has a certificate for another name"):
            await ask(front.port, f"sslmode=verify-full&sslrootcert={authority.file}")


async def test_the_machine_s_own_authorities_are_trusted_when_the_address_says_so(
    front: Front, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageUnavailable, match="not trusted"):
        await ask(front.port, "sslrootcert=system")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert await ask(front.port, "sslmode=verify-full&sslrootcert=system") == 7


@pytest.mark.requirement("database:postgresql:tls:refused")
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("sslmode=disable", "takes connections from here with TLS only; write sslmode=require"),
        ("sslmode=verify-full", "needs the file of the authority .* take sslrootcert=system"),
        ("sslmode=verify-full&sslrootcert=/no/ca.pem", r"its sslrootcert /no/ca\.pem can't be read: No such file"),
        ("sslmode=require&sslcert=/no/own.pem", r"its sslcert /no/own\.pem can't be read"),
        (f"sslmode=verify-ca&sslrootcert={__file__}", "can't be spoken to by TLS: .*; look at its ssl settings"),
    ],
)
async def test_what_is_missing_is_named(query: str, told: str, front: Front) -> None:
    with pytest.raises(StorageUnavailable, match=told):
        await ask(front.port, query)


@pytest.mark.requirement("database:postgresql:tls:refused")
async def test_a_server_without_tls_is_not_spoken_to_in_plain_where_tls_is_asked_for(postgres: PostgresServer) -> None:
    with pytest.raises(StorageUnavailable, match="speaks no TLS, which its sslmode asks for"):
        await ask(postgres.port, "sslmode=require")
    assert await ask(postgres.port, "sslmode=prefer") == 7


async def test_a_user_may_show_a_certificate(postgres: PostgresServer, authority: Authority) -> None:
    chain, own = authority.issue("localhost", address="127.0.0.1"), authority.issue("postgres")
    trust = f"sslmode=verify-full&sslrootcert={authority.file}"
    async with behind_tls(postgres.port, chain, users_of=authority) as front:
        assert await ask(front.port, f"{trust}&sslcert={own}&sslkey={own}") == 7
        with pytest.raises(StorageUnavailable, match=r"broke off .* asks for a client's certificate \(sslcert\)"):
            await ask(front.port, trust)
