"""Where the database is: an address as operators write it, in any of its forms, taken apart."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from msgspec import Struct

Kind = Literal["sqlite", "postgresql"]

POSTGRESQL = frozenset(
    {
        "postgres",
        "postgresql",
        "postgresql+asyncpg",
        "postgresql+psycopg",
        "postgresql+psycopg2",
        "postgresql+psycopg_async",
        "postgres+asyncpg",
        "postgres+psycopg",
        "postgres+psycopg2",
    }
)
SQLITE = frozenset({"sqlite", "sqlite+aiosqlite", "sqlite3"})

# What other drivers, poolers and frameworks take in an address, and ours has no use for, or does by itself.
DROPPED = frozenset(
    "async_fallback binary_parameters channel_binding client_encoding command_timeout connect_timeout connection_limit "
    "encoding fallback_application_name gssdelegation gssencmode keepalives keepalives_count keepalives_idle "
    "keepalives_interval load_balance_hosts max_cacheable_statement_size max_cached_statement_lifetime max_overflow "
    "max_protocol_version min_protocol_version pool_pre_ping pool_recycle pool_size pool_timeout prepare_threshold "
    "prepared_statement_name_func schema socket_timeout sslcertmode sslcompression sslsni supa tcp_user_timeout "
    "timeout uselibpqcompat workaround".split()
)
# Who writes these relies on what our driver would not do.
REFUSED = frozenset("hostaddr replication require_auth requirepeer sslcrldir".split())

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SSL_WORDS: Mapping[str, str] = {"true": "require", "1": "require", "on": "require", "false": "disable", "0": "disable"}
ONE_OF: Mapping[str, Sequence[str]] = {
    "sslmode": SSL_MODES,
    "sslnegotiation": ("postgres", "direct"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
}
YES = frozenset({"true", "1", "yes", "on"})


class SqliteAddress(Struct, frozen=True):
    """`file` None: the one in the folder of what is kept, wherever that is."""

    file: Path | None

    @property
    def shown(self) -> str:
        return f"SQLite in {self.file}" if self.file else "SQLite"


class PostgresqlAddress(Struct, frozen=True):
    """`dsn` may hold a password: it is never to be shown. `cached_statements`: how many a connection prepares and
    keeps; 0 where a pooler lies between that gives each transaction another connection. `system_roots`: the server's
    certificate is checked, by the authorities that this machine trusts.
    """

    dsn: str
    shown: str
    application: str = "parlance"
    cached_statements: int = 100
    system_roots: bool = False

    @property
    def pooled(self) -> bool:
        """Nothing that is set for a connection outlasts a transaction."""
        return self.cached_statements == 0

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
    place, _, query = rest.partition("?")
    options = dict(parse_qsl(query))
    if options.get("mode") in ("ro", "memory") or options.get("immutable", "0") != "0":
        raise ValueError("must name a file that may be written: take mode and immutable out")
    path = unquote(place)
    if path in ("", "/"):
        return None
    if path == "/:memory:":
        raise ValueError("must name a file: what is in memory would be gone at every start")
    if not path.startswith("/"):
        raise ValueError("must be written with three slashes before a file's path, such as sqlite:///chats.db")
    return Path(path[1:]).expanduser()


def _read_postgresql(rest: str) -> PostgresqlAddress:
    parts = _split(rest)
    given = [(name, value) for name, value in _pairs(parts.query) if value]
    if refused := sorted(REFUSED.intersection(name for name, _ in given)):
        raise ValueError(f"says {', '.join(refused)}, which can't be done here: take it out")
    query = {name: value for name, value in given if name not in DROPPED}
    application = query.pop("application_name", "parlance")
    cached = _read_count(query)
    system_roots = _read_tls(query)
    _check(query)
    login, _, servers = parts.netloc.rpartition("@")
    netloc = f"{_quoted(login)}@{servers}" if login else servers
    asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
    dsn = f"postgresql://{netloc}{parts.path}{asked}"
    name = unquote(parts.path.strip("/")) or query.get("dbname") or query.get("database") or "database"
    server = unquote(servers) or query.get("host", "localhost")
    return PostgresqlAddress(dsn, f"PostgreSQL {name!r} at {server}", application, cached, system_roots)


def _split(rest: str) -> SplitResult:
    """The address in parts, of which `netloc` has the login and the servers."""
    form = "is no address: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    try:
        parts = urlsplit(f"postgresql://{rest}")
    except ValueError:
        raise ValueError(form) from None
    bare = [piece for piece in parts.query.split("&") if "=" not in piece]
    if parts.fragment or ("@" not in parts.netloc and any("@" in text for text in (parts.path, *bare))):
        raise ValueError(f"{form}, and in a password %2F for /, %3F for ?, %23 for #, %40 for @")
    for server in parts.netloc.rpartition("@")[2].split(","):
        if not _SERVER.fullmatch(server):
            raise ValueError(form)
    return parts


def _pairs(query: str) -> list[tuple[str, str]]:
    """A plus sign stays one, as PostgreSQL's own programs have it: it may stand in a password."""
    found = (piece.partition("=") for piece in query.split("&"))
    return [(unquote(name), unquote(value)) for name, _, value in found]


def _quoted(login: str) -> str:
    """Whatever signs somebody has left as they are."""
    user, colon, password = login.partition(":")
    return f"{quote(unquote(user), safe='')}{colon}{quote(unquote(password), safe='')}"


def _read_count(query: dict[str, str]) -> int:
    """What SQLAlchemy, the driver and others call it, taken out of the query."""
    ours, drivers = query.pop("prepared_statement_cache_size", None), query.pop("statement_cache_size", None)
    pooled = query.pop("pgbouncer", "").lower() in YES
    text = ours or drivers or ("0" if pooled else "100")
    if not text.isdecimal():
        raise ValueError("has a prepared_statement_cache_size that is no number")
    return int(text)


def _read_tls(query: dict[str, str]) -> bool:
    """Settles `sslmode` as the driver knows it; True where the machine's own authorities are to be trusted."""
    if mode := query.pop("ssl", None):
        query.setdefault("sslmode", SSL_WORDS.get(mode.lower(), mode))
    if query.get("sslrootcert") != "system":
        return False
    if query.get("sslmode", "verify-full") != "verify-full":
        raise ValueError("has sslrootcert=system, which needs sslmode=verify-full")
    if "sslcert" in query:
        raise ValueError("has sslrootcert=system and an sslcert: name the authority's file in sslrootcert instead")
    del query["sslrootcert"]
    query.pop("sslmode", None)
    return True


def _check(query: Mapping[str, str]) -> None:
    for name, known in ONE_OF.items():
        if query.get(name, known[0]) not in known:
            raise ValueError(f"has an unknown {name}; those that there are: {', '.join(known)}")
    if "port" in query and not query["port"].replace(",", "").isdecimal():
        raise ValueError("has a port that is no number")


_SERVER = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*)(:[0-9]*)?")
