"""Where Parlance listens, what it logs, and whom its console lets in."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from parlance.config.sections.fields import HttpAddress, Level, ListOf, Name, Origin, Port, Seconds, Section

DEFAULT_ORIGINS = (
    "http://localhost:3000",
    "http://127.0.0.1:3000",
    "http://localhost:5173",
    "http://127.0.0.1:5173",
)


def check_root_path(value: str) -> str:
    path = value.rstrip("/")
    if path and not path.startswith("/"):
        raise ValueError("must begin with a slash, such as /parlance")
    return path


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class TlsSettings(Section):
    cert: Path
    key: Path


class WsSettings(Section):
    """Seconds between two pings of a socket, and for the answer to one."""

    history: Literal["connection", "none"] = "connection"
    ping_interval: Seconds = 20.0
    ping_timeout: Seconds = 25.0


class ServerSettings(Section):
    """`cors_origins` are allowed besides the server's own origin. `port` 0 takes a free one. Times in seconds."""

    host: Name = "127.0.0.1"
    port: Port = 8000
    cors_origins: ListOf[Origin] = DEFAULT_ORIGINS
    tls: TlsSettings | None = None
    root_path: Annotated[str, AfterValidator(check_root_path)] = ""
    trusted_proxies: ListOf[Name] = ()
    stop_grace: Seconds = 30.0
    keep_alive: Seconds = 75.0
    ws: WsSettings = WsSettings()

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


class RotationSettings(Section):
    """A log file is turned over at `max_bytes`; `keep` old ones stay."""

    max_bytes: Annotated[int, Field(ge=4_096)] = 10_485_760
    keep: Annotated[int, Field(ge=0, le=1_000)] = 5


class LoggingSettings(Section):
    """`auto`: console on a terminal, JSON elsewhere."""

    level: Level = "INFO"
    format: Literal["auto", "json", "console"] = "auto"
    file: Path | None = None
    rotation: RotationSettings = RotationSettings()


class ConsoleSettings(Section):
    """The console's sign-in."""

    username: Name
    password: SecretStr


class TelemetrySettings(Section):
    otlp_endpoint: HttpAddress | None = None
    service_name: Name = "parlance"
