"""Serves the application: sockets, the loop, and uvicorn around them."""

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Callable

import uvicorn

from parlance.app.application import Application, compose
from parlance.app.http_protocol import BoundedHttpProtocol
from parlance.app.telemetry import open_logs
from parlance.config.settings import Settings
from parlance.engine.engine import Engine

log = logging.getLogger(__name__)

BACKLOG = 4096
PING_INTERVAL = 20.0
PING_TIMEOUT = 25.0
"""Seconds: a socket whose client has gone without a word is noticed within the sum of both."""

FLUSH = 2
"""Seconds that connections have to take the last of what was said, once all turns have ended."""

POLL = 0.1
"""Seconds between looks for a second signal while turns are given time to end."""

GC_THRESHOLD = 10_000
"""Allocations between collections: streams make many small objects and hardly any cycles."""


def bind(settings: Settings) -> socket.socket:
    """The listening socket. `OSError` when the address is taken or not of this machine."""
    host, port = settings.server.host.strip("[]"), settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


async def serve(settings: Settings, listener: socket.socket, greet: Callable[[Application, int], None]) -> None:
    """Until a signal stops it. `greet` is called once, when clients can connect."""
    logs = open_logs(settings)
    try:
        port = int(listener.getsockname()[1])
        application = await compose(settings, port=port)
        server = _Server(
            _config(settings, application),
            application.engine,
            grace=settings.server.stop_grace,
            ready=lambda: greet(application, port),
        )
        # What exists now lives as long as the process: the collector need not look at it again.
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 50, 50)
        await server.serve(sockets=[listener])
    finally:
        logs.close()


class _Server(uvicorn.Server):
    """Lets running turns end, and be told, before it closes a connection; a second signal ends them at once.

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
    return uvicorn.Config(
        application.asgi,
        http=BoundedHttpProtocol,
        ws="websockets-sansio",
        ws_max_size=settings.limits.message,
        ws_per_message_deflate=False,
        ws_ping_interval=PING_INTERVAL,
        ws_ping_timeout=PING_TIMEOUT,
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        root_path=server.root_path,
        proxy_headers=bool(server.trusted_proxies),
        forwarded_allow_ips=list(server.trusted_proxies),
        limit_concurrency=settings.limits.connections,
        timeout_graceful_shutdown=FLUSH,
        ssl_certfile=str(server.tls.cert) if server.tls else None,
        ssl_keyfile=str(server.tls.key) if server.tls else None,
    )


def _is_news(record: logging.LogRecord) -> bool:
    """Whether to log what the server says. An answer that is broken off, since it is not whole, is so on purpose."""
    return "without completing response" not in record.getMessage()


def run(settings: Settings, greet: Callable[[Application, int], None]) -> None:
    """Bind and serve, on uvloop where there is one. `OSError` when the address can't be bound."""
    listener = bind(settings)
    if sys.platform == "win32":
        asyncio.run(serve(settings, listener, greet))
    else:
        import uvloop

        uvloop.run(serve(settings, listener, greet))
