"""Serves the application: sockets, the loop, and uvicorn around them."""

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Callable
from math import ceil

import uvicorn

from parlance.app.application import Application, compose
from parlance.app.http_protocol import BoundedHttpProtocol
from parlance.app.limited_config import LimitedConfig
from parlance.app.open_files import raise_limit
from parlance.app.socket_protocol import BoundedSocketProtocol
from parlance.app.telemetry import open_logs
from parlance.config.settings import Settings
from parlance.engine.engine import Engine

log = logging.getLogger(__name__)

BACKLOG = 4096
FLUSH = 1
"""Seconds that connections have to take the last of what was said, once all turns have ended."""

POLL = 0.1
"""Seconds between looks for a SIGINT while turns are given time to end."""

_NO_NEWS = (
    "without completing response",
    "without completing handshake",
    "Invalid HTTP request received",
    "Unsupported upgrade request",
    "No supported WebSocket library detected",
    "connection rejected",
    "HTTP response sent",
    "Invalid UTF-8 sequence received from client",
)
"""What the server says of an answer that is broken off, as one is on purpose that is not whole; and of what can't be
read or served: a flood of it must not become one of lines, of errors least of all.
"""

_HANDSHAKE_REFUSED = '%s - "WebSocket %s" %d'

GC_THRESHOLDS = (2_000, 4, 150)
"""Allocations between collections of the youngest objects, and how many of those between collections of older ones.
Streams make many small objects and hardly any cycles, so to look at all of them can wait. How many are looked at in one
go is how long everybody waits: 10,000 take some 4 ms.
"""


def bind(settings: Settings) -> socket.socket:
    """The listening socket. `OSError` when the address is taken or not of this machine."""
    host, port = settings.server.host.strip("[]"), settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # Where it is not said that this is TCP, loops other than uvloop hold small writes back.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listener.detach())


async def serve(settings: Settings, listener: socket.socket, greet: Callable[[Application, int], None]) -> None:
    """Until a signal stops it. `greet` is called once, when clients can connect."""
    logs = open_logs(settings)
    raise_limit()
    try:
        port = int(listener.getsockname()[1])
        application = await compose(settings, port=port)
        await application.prepare()
        server = _Server(
            _config(settings, application),
            application.engine,
            grace=settings.server.stop_grace,
            ready=lambda: greet(application, port),
        )
        # What exists now lives as long as the process: the collector need not look at it again.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        await server.serve(sockets=[listener])
    finally:
        logs.close()


class _Server(uvicorn.Server):
    """Lets running turns end, and be told, before it closes a connection; Ctrl-C meanwhile (SIGINT) ends them at once.

    `ready` is called once it listens.
    """

    def __init__(self, config: uvicorn.Config, engine: Engine, *, grace: float, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._engine = engine
        self._grace = grace
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        closing = asyncio.create_task(self._engine.close(self._grace))
        while not closing.done():
            await asyncio.wait((closing,), timeout=POLL)
            if self.force_exit:
                self._engine.interrupt()
        try:
            await closing
        finally:
            await super().shutdown(sockets)


def _config(settings: Settings, application: Application) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    server = settings.server
    config = LimitedConfig(
        application.asgi,
        http=BoundedHttpProtocol,
        ws=BoundedSocketProtocol,
        ws_max_size=settings.limits.message,
        ws_per_message_deflate=False,
        ws_ping_interval=server.ws.ping_interval,
        ws_ping_timeout=server.ws.ping_timeout,
        timeout_keep_alive=ceil(server.keep_alive),
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        root_path=server.root_path,
        proxy_headers=bool(server.trusted_proxies),
        forwarded_allow_ips=list(server.trusted_proxies),
        timeout_graceful_shutdown=FLUSH,
        ssl_certfile=str(server.tls.cert) if server.tls else None,
        ssl_keyfile=str(server.tls.key) if server.tls else None,
    )
    config.limits = application.limits
    return config


def _is_news(record: logging.LogRecord) -> bool:
    """Whether to log what the server says."""
    message = record.getMessage()
    return record.msg != _HANDSHAKE_REFUSED and not any(known in message for known in _NO_NEWS)


def run(settings: Settings, greet: Callable[[Application, int], None]) -> None:
    """Bind and serve, on uvloop where there is one. `OSError` when the address can't be bound."""
    listener = bind(settings)
    if sys.platform == "win32":
        asyncio.run(serve(settings, listener, greet))
    else:
        import uvloop

        uvloop.run(serve(settings, listener, greet))
