"""Where a server is, and how a connection to its WebSocket chat is opened; why it can't be, in words for people."""

import ssl
from ipaddress import ip_address
from socket import gaierror
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

OPEN_SECONDS = 10.0
CLOSE_SECONDS = 2.0
MAX_FRAME = 64 * 2**20
"""Bytes. Frames are small but for a snapshot, which holds a whole answer."""

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_DOOR = "/ws/chat"


class Server(Struct, frozen=True):
    """`address`: an http or https address without a slash at its end. `key` is shown to nobody but this server."""

    address: str
    key: str | None = None

    def __repr__(self) -> str:
        return f"Server(address={self.address!r})"

    @property
    def socket_address(self) -> str:
        return "ws" + self.address.removeprefix("http") + _DOOR

    @property
    def local(self) -> bool:
        host = urlsplit(self.address).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


class Unreachable(Exception):
    """No connection. `passing`: trying again may help."""

    def __init__(self, code: str, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.passing = passing


def read_server(url: str, key: str | None) -> Server:
    """The server at an address as people write it. `ValueError` with what is wrong with it."""
    try:
        parts = urlsplit(url.strip())
        scheme, port = _SCHEMES.get(parts.scheme.lower()), parts.port
    except ValueError as error:
        raise ValueError(f"it can't be read: {error}") from None
    if scheme is None or not parts.hostname:
        raise ValueError("it must begin with http:// or https://, such as http://127.0.0.1:8000")
    if parts.username or parts.password:
        raise ValueError("it holds a name or a password; give the server's key with --key or PARLANCE_KEY")
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise ValueError("the key holds characters that no key has; check --key or PARLANCE_KEY")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix(_DOOR)
    return Server(f"{scheme}://{host}{f':{port}' if port else ''}{path}", key)


async def open_connection(server: Server) -> ClientConnection:
    """A connection to its WebSocket chat. Raises `Unreachable`."""
    try:
        return await connect(
            server.socket_address,
            additional_headers=server.headers,
            compression=None,
            max_size=MAX_FRAME,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            proxy=None if server.local else True,
        )
    except InvalidStatus as refusal:
        raise _refused(server, refusal.response.status_code, bytes(refusal.response.body or b"")) from None
    except (OSError, UnicodeError, InvalidHandshake, InvalidURI, ImportError) as error:
        raise _unreached(server, error) from None


class _Problem(Struct, frozen=True):
    detail: str = ""
    code: str = ""


def _refused(server: Server, status: int, body: bytes) -> Unreachable:
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.MsgspecError:
        problem = _Problem()
    said = problem.detail or f"It answered {status}."
    if status == 401:
        advice = "Check the key in --key or PARLANCE_KEY."
    elif status == 404:
        advice = "Is this the address of a Parlance server?"
    else:
        advice = ""
    text = f"The server at {server.address} refused the connection. {said} {advice}".rstrip()
    return Unreachable(problem.code or "refused", text, passing=status == 429 or status >= 500)


def _unreached(server: Server, error: Exception) -> Unreachable:
    address = server.address
    match error:
        case TimeoutError():
            text = f"The server at {address} did not answer within {OPEN_SECONDS:g} s. Is the address right?"
        case ConnectionRefusedError():
            text = f"No server listens at {address}. Start it with `parlance serve`, or check --url."
        case UnicodeError():
            return Unreachable("unreachable", f"What stands in {address} can be no host's name. Check --url.")
        case gaierror():
            text = f"There is no host of the name in {address}. Check --url."
        case ssl.SSLError():
            text = f"No trusted TLS connection to {address}: {error.reason or error}. Check --url and the certificate."
            return Unreachable("tls_failed", text)
        case ImportError() | InvalidURI():
            return Unreachable("unreachable", f"No connection to {address}: {error}")
        case InvalidHandshake():
            text = f"What listens at {address} does not speak WebSocket: {error}. Check --url."
        case _:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            text = f"No connection to {address}: {reason}."
    return Unreachable("unreachable", text, passing=True)
