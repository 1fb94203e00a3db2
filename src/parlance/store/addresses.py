"""Where the database is: an address as operators write it, in any of its forms, taken apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from msgspec import Struct

Kind = Literal["sqlite", "postgresql"]

POSTGRESQL = frozenset(
    {
        "postgres",
        "postgresql",
        "postgresql+asyncpg",
        "postgresql+psycopg",
        "postgresql+psycopg2",
        "postgres+asyncpg",
        "postgres+psycopg",
        "postgres+psycopg2",
    }
)
SQLITE = frozenset({"sqlite", "sqlite+aiosqlite", "sqlite3"})

# What other drivers take in an address and ours has no use for, or does by itself.
DROPPED = frozenset(
    {
        "async_fallback",
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "fallback_application_name",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "options",
        "tcp_user_timeout",
    }
)
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SSL_WORDS: Mapping[str, str] = {"true": "require", "1": "require", "on": "require", "false": "disable", "0": "disable"}


class SqliteAddress(Struct, frozen=True):
    """`file` None: the one in the folder of what is kept, wherever that is."""

    file: Path | None

    @property
    def shown(self) -> str:
        return f"SQLite in {self.file}" if self.file else "SQLite"


class PostgresqlAddress(Struct, frozen=True):
    """`dsn` may hold a password: it is never to be shown. `cached_statements`: how many a connection prepares and
    keeps; 0 where a pooler lies between that gives each transaction another connection.
    """

    dsn: str
    shown: str
    application: str = "parlance"
    cached_statements: int = 100

    def __repr__(self) -> str:
        return f"PostgresqlAddress({self.shown})"


Address = SqliteAddress | PostgresqlAddress


def read_address(text: str) -> Address:
    """`ValueError` says what is wrong with it, without any of its secrets."""
    scheme, separator, rest = text.strip().partition("://")
    scheme = scheme.lower()
    if separator and scheme in POSTGRESQL:
        return _read_postgresql(rest)
    if separator and scheme in SQLITE:
        return SqliteAddress(_read_path(rest))
    raise ValueError("must begin with postgresql:// or sqlite://")


def _read_path(rest: str) -> Path | None:
    """As SQLAlchemy's addresses have it: `///chats.db` counts from the working folder, `////var/chats.db` does not."""
    path = unquote(rest.partition("?")[0])
    if path in ("", "/"):
        return None
    if path == "/:memory:":
        raise ValueError("must name a file: what is in memory would be gone at every start")
    if not path.startswith("/"):
        raise ValueError("must be written with three slashes before a file's path, such as sqlite:///chats.db")
    return Path(path[1:]).expanduser()


def _read_postgresql(rest: str) -> PostgresqlAddress:
    try:
        parts = urlsplit(f"postgresql://{rest}")
        host, port = parts.hostname or "", "" if "," in parts.netloc else str(parts.port or "")
    except ValueError:
        raise ValueError("is no address: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from None
    query = {name: value for name, value in parse_qsl(parts.query) if value and name not in DROPPED}
    application = query.pop("application_name", "parlance")
    cached = _read_count(query.pop("prepared_statement_cache_size", query.pop("statement_cache_size", "100")))
    if mode := query.pop("ssl", None):
        query.setdefault("sslmode", SSL_WORDS.get(mode.lower(), mode))
    if query.get("sslmode", "prefer") not in SSL_MODES:
        raise ValueError(f"has an sslmode that there is not; those that there are: {', '.join(SSL_MODES)}")
    dsn = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(query, quote_via=quote), ""))
    server = parts.netloc.rpartition("@")[2] if "," in parts.netloc else f"{host or query.get('host', 'localhost')}"
    shown = f"PostgreSQL {parts.path.strip('/') or 'database'!r} at {server}{f':{port}' if port else ''}"
    return PostgresqlAddress(dsn, shown, application, cached)


def _read_count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("has a prepared_statement_cache_size that is no number")
    return int(text)
