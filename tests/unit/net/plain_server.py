"""A server that answers each request with the next of some prepared bytes, and counts who came."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from yarl import URL

from parlance.net.http_client import Ask, HttpClient
from parlance.net.wire import Answer

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class PlainServer:
    """`answers`: one for each request; an empty one is none, but the end of the connection. `closing`: those behind
    which the connection is closed. `left` is set when a client has closed a connection.
    """

    def __init__(self, answers: Sequence[bytes], closing: bool) -> None:
        self.answers = list(answers)
        self.closing = closing
        self.connections = 0
        self.heads: list[str] = []
        self.left = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                answer = self.answers.pop(0)
                writer.write(answer)
                await writer.drain()
                if self.closing or not answer:
                    return
        except (asyncio.IncompleteReadError, OSError):
            self.left.set()
        finally:
            writer.close()

    def ask(self, method: str = "GET", **headers: str) -> Ask:
        return Ask(method, URL(f"http://127.0.0.1:{self.port}/"), headers, b"", 5.0)


@asynccontextmanager
async def answering(*answers: bytes, closing: bool = False) -> AsyncIterator[tuple[PlainServer, HttpClient]]:
    plain = PlainServer(answers, closing)
    server = await asyncio.start_server(plain.serve, "127.0.0.1", 0)
    plain.port = server.sockets[0].getsockname()[1]
    client = HttpClient()
    try:
        yield plain, client
    finally:
        await client.close()
        server.close()
        await server.wait_closed()


async def body_of(answer: Answer) -> bytes:
    """All of it; the answer is closed behind it, on every path."""
    body = b""
    try:
        while data := await answer.read():
            body += data
    finally:
        answer.close()
    return body
