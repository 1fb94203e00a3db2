"""Addresses of databases, in every form in which operators have them."""

from pathlib import Path

import pytest

from parlance.store.addresses import PostgresqlAddress, SqliteAddress, read_address

CANARY = "canary-0123456789"


@pytest.mark.parametrize(
    "scheme",
    ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+asyncpg", "postgresql+psycopg", "PostgreSQL"],
)
def test_every_driver_s_form_leads_to_the_same_postgresql(scheme: str) -> None:
    address = read_address(f"{scheme}://app:secret@db.example:5433/chats")
    assert address == PostgresqlAddress(
        "postgresql://app:secret@db.example:5433/chats", "PostgreSQL 'chats' at db.example:5433"
    )


@pytest.mark.parametrize(
    ("query", "dsn_query"),
    [
        ("sslmode=require", "?sslmode=require"),
        ("ssl=true", "?sslmode=require"),
        ("ssl=verify-full&sslrootcert=/etc/ca.pem", "?sslrootcert=%2Fetc%2Fca.pem&sslmode=verify-full"),
        ("sslrootcert=/etc/own%20ca.pem", "?sslrootcert=%2Fetc%2Fown%20ca.pem"),
        ("connect_timeout=10&keepalives=1&channel_binding=prefer&gssencmode=disable&client_encoding=utf8", ""),
        ("async_fallback=true&sslmode=", ""),
        ("host=/var/run/postgresql", "?host=%2Fvar%2Frun%2Fpostgresql"),
    ],
)
@pytest.mark.requirement("database:address:forms")
def test_other_drivers_options_are_translated_or_dropped(query: str, dsn_query: str) -> None:
    address = read_address(f"postgresql+psycopg2://db/chats?{query}")
    assert isinstance(address, PostgresqlAddress)
    assert address.dsn == f"postgresql://db/chats{dsn_query}"


def test_the_application_s_name_and_the_size_of_the_cache_are_ours_to_use() -> None:
    address = read_address("postgres://db/chats?application_name=chat%20one&prepared_statement_cache_size=0")
    assert address == PostgresqlAddress(
        "postgresql://db/chats", "PostgreSQL 'chats' at db", application="chat one", cached_statements=0
    )


def test_several_servers_may_be_named() -> None:
    address = read_address("postgresql://app:secret@one:5432,two:5433/chats?target_session_attrs=primary")
    assert isinstance(address, PostgresqlAddress)
    assert address.dsn == "postgresql://app:secret@one:5432,two:5433/chats?target_session_attrs=primary"
    assert address.shown == "PostgreSQL 'chats' at one:5432,two:5433"


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("sqlite:///chats.db", Path("chats.db")),
        ("sqlite:////var/lib/chats.db", Path("/var/lib/chats.db")),
        ("sqlite+aiosqlite:///my%20chats.db?cache=shared", Path("my chats.db")),
        ("sqlite://", None),
        ("sqlite:///", None),
    ],
)
def test_a_file_of_sqlite_counts_from_the_working_folder(text: str, file: Path | None) -> None:
    assert read_address(text) == SqliteAddress(file)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"mysql://app:{CANARY}@db/chats", "must begin with postgresql:// or sqlite://"),
        (f"app:{CANARY}@db/chats", "must begin with"),
        (
            f"postgres://app:{CANARY}@db:port/chats",
            "is no address: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        ),
        (f"postgres://app:{CANARY}@[::1/chats", "is no address"),
        (f"postgres://app:{CANARY}@db/chats?sslmode={CANARY}", "has an sslmode that there is not"),
        (f"postgres://db/chats?prepared_statement_cache_size={CANARY}", "that is no number"),
        (f"sqlite://{CANARY}.db", "must be written with three slashes"),
        ("sqlite:///:memory:", "must name a file"),
    ],
)
def test_what_is_no_address_is_told_without_its_secrets(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        read_address(text)
    assert CANARY not in str(caught.value)


def test_an_address_shows_no_password() -> None:
    address = read_address(f"postgres://app:{CANARY}@db/chats?password={CANARY}")
    assert CANARY not in f"{address!r} {address.shown}"
