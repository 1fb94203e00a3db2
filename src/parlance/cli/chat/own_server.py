"""The server inside this process: on a free port of loopback, for this process alone, silent on the terminal."""

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn
from msgspec import Struct

from parlance.access.keys import make_key
from parlance.app.application import Application, compose
from parlance.app.server import bind
from parlance.cli.chat.connection import Server
from parlance.config.describe import secrets_of
from parlance.config.sections.access import AccessSettings
from parlance.config.sections.server import ServerSettings
from parlance.config.settings import Settings
from parlance.telemetry.logs import LogOptions, set_up_logs
from parlance.telemetry.redaction import Redactor

LAST_WORDS = 1
"""Seconds that connections have to close, at the end."""


class OwnServer(Struct, frozen=True):
    """`answers`: who answers where no model is named, and why, in words for people."""

    server: Server
    answers: str


@contextlib.asynccontextmanager
async def own_server(settings: Settings) -> AsyncIterator[OwnServer]:
    """Serve while the block runs. Other programs of this machine find its port, but have no key to it.

    `ConfigError` and `OSError` where it can't be made.
    """
    key = make_key()
    with tempfile.TemporaryDirectory(prefix="parlance-chat-", ignore_cleanup_errors=True) as folder:
        private = _private(settings, key, Path(folder))
        async with _served(private, key) as server:
            yield server


@contextlib.asynccontextmanager
async def _served(private: Settings, key: str) -> AsyncIterator[OwnServer]:
    listener = bind(private)
    port = int(listener.getsockname()[1])
    with contextlib.closing(listener), _logs(private):
        application = await compose(private, port=port)
        uvicorn_server = _QuietServer(_config(private, application))
        serving = asyncio.create_task(uvicorn_server.serve(sockets=[listener]))
        listening = asyncio.create_task(uvicorn_server.listening.wait())
        try:
            await asyncio.wait((serving, listening), return_when=asyncio.FIRST_COMPLETED)
            default = application.providers.default
            yield OwnServer(
                Server(f"http://127.0.0.1:{port}", key), f"{default.provider or 'nobody yet'} ({default.text})"
            )
        finally:
            listening.cancel()
            uvicorn_server.should_exit = True
            await serving


class _QuietServer(uvicorn.Server):
    """Leaves signals to the chat. `listening` is set once clients can connect."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def _private(settings: Settings, key: str, data: Path) -> Settings:
    """What says where to listen, whom to let in, and what is kept where is for servers that others use: one of those
    may be running in this very folder.
    """
    server = ServerSettings.model_validate({"port": 0, "ws": settings.server.ws})
    access = AccessSettings.model_validate({"keys": {"chat": {"key": key, "scope": "admin"}}})
    return settings.model_copy(update={"server": server, "access": access, "data": data, "database_url": None})


@contextlib.contextmanager
def _logs(settings: Settings) -> Iterator[None]:
    """To the file, where one is set; the terminal is the chat's."""
    logging = settings.logging
    options = LogOptions(
        level=logging.level,
        format="json",
        file=logging.file,
        max_bytes=logging.rotation.max_bytes,
        keep=logging.rotation.keep,
    )
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        logs = set_up_logs(options, Redactor(secrets_of(settings)), stream=nowhere)
        try:
            yield
        finally:
            logs.close()


def _config(settings: Settings, application: Application) -> uvicorn.Config:
    return uvicorn.Config(
        application.asgi,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.limits.message,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=LAST_WORDS,
    )
