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


@pytest.mark.parametrize("query", ["prepared_statement_cache_size=0", "statement_cache_size=0", "pgbouncer=true"])
@pytest.mark.requirement("database:pooler:address")
def test_a_pooler_is_told_of_in_the_words_of_several_programs(query: str) -> None:
    address = read_address(f"postgres://db/chats?{query}")
    assert isinstance(address, PostgresqlAddress)
    assert (address.dsn, address.pooled) == ("postgresql://db/chats", True)


@pytest.mark.parametrize(
    ("text", "dsn", "shown"),
    [
        ("app:p%40ss%2Fword@db/chats", "app:p%40ss%2Fword@db/chats", "db"),
        ("app:p@ss:w+rd%@db/chats", "app:p%40ss%3Aw%2Brd%25@db/chats", "db"),
        ("db/chats?user=app&password=p+w%26rd", "db/chats?user=app&password=p%2Bw%26rd", "db"),
        ("app@[2001:db8::1]:5433/chats", "app@[2001:db8::1]:5433/chats", "[2001:db8::1]:5433"),
        ("[::1]:1,two,[::2]/chats", "[::1]:1,two,[::2]/chats", "[::1]:1,two,[::2]"),
        ("app@%2Fvar%2Frun%2Fpostgresql/chats", "app@%2Fvar%2Frun%2Fpostgresql/chats", "/var/run/postgresql"),
        ("/chats?host=/run/pg&port=5433", "/chats?host=%2Frun%2Fpg&port=5433", "/run/pg"),
        ("app@db/?dbname=chats", "app@db/?dbname=chats", "db"),
        ("app@db/chats?options=-c%20role%3Dother", "app@db/chats?options=-c%20role%3Dother", "db"),
    ],
)
@pytest.mark.requirement("database:address:forms")
def test_every_sign_and_every_kind_of_host_is_taken(text: str, dsn: str, shown: str) -> None:
    address = read_address(f"postgresql://{text}")
    assert isinstance(address, PostgresqlAddress)
    assert (address.dsn, address.shown) == (f"postgresql://{dsn}", f"PostgreSQL 'chats' at {shown}")


def test_the_machine_s_authorities_are_trusted_with_names_compared() -> None:
    for query in ("sslrootcert=system", "sslrootcert=system&sslmode=verify-full"):
        address = read_address(f"postgres://db/chats?{query}")
        assert isinstance(address, PostgresqlAddress)
        assert (address.dsn, address.system_roots) == ("postgresql://db/chats", True)


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
        (f"postgres://app:{CANARY}@db/chats?sslmode={CANARY}", "has an unknown sslmode"),
        (f"postgres://db/chats?prepared_statement_cache_size={CANARY}", "that is no number"),
        (f"postgres://app:12/{CANARY}@db/chats", "and in a password %2F for /"),
        (f"postgres://app:12?{CANARY}@db/chats", "and in a password %2F for /"),
        (f"postgres://app:12#{CANARY}@db/chats", "and in a password %2F for /"),
        (f"postgres://app:{CANARY}@one:1,two:{CANARY}/chats", "is no address"),
        (f"postgres://app:{CANARY}@/chats?host=db&port=none", "has a port that is no number"),
        (f"postgres://app:{CANARY}@db/chats?target_session_attrs=best", "unknown target_session_attrs; .* read-write"),
        (f"postgres://app:{CANARY}@db/chats?sslnegotiation=x", "unknown sslnegotiation; .* direct"),
        (f"postgres://app:{CANARY}@db/chats?require_auth=x&hostaddr=y", "says hostaddr, require_auth, which can't be"),
        (f"postgres://app:{CANARY}@db/chats?sslrootcert=system&sslmode=require", "needs sslmode=verify-full"),
        (f"postgres://app:{CANARY}@db/chats?sslrootcert=system&sslcert=a", "name the authority's file"),
        ("sqlite:///chats.db?mode=ro", "must name a file that may be written"),
        ("sqlite:///chats.db?immutable=1", "must name a file that may be written"),
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
