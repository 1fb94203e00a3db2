"""The least a Python gateway can do: uvicorn in front, aiohttp behind, bytes through. It reads and logs nothing.

`python -m bench.baseline ORIGIN` relays to `ORIGIN/v1/chat/completions` and prints its port.
"""

import asyncio
import socket
import sys

import aiohttp
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send

BACKLOG = 4096


class Relay:
    """The ASGI application: every request's body goes to the host, and its answer's bytes come back."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {"content-type": "application/json"}
        async with self._session.post(self._address, data=body, headers=headers) as answer:
            kind = answer.headers["content-type"].encode()
            start = {"type": "http.response.start", "status": answer.status, "headers": [(b"content-type", kind)]}
            await send(start)
            async for data in answer.content.iter_any():
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(sockets[0].getsockname()[1] if sockets else 0, flush=True)


async def serve(origin: str) -> None:
    """Until a signal stops it."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        config = uvicorn.Config(
            Relay(session, f"{origin}/v1/chat/completions"),
            http="httptools",
            lifespan="off",
            backlog=BACKLOG,
            log_config=None,
            access_log=False,
        )
        await _Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    try:
        uvloop.run(serve(sys.argv[1]))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(0)
