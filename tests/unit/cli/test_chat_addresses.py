"""Addresses that lead nowhere, or to something else: a sentence for people, never a traceback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parlance.cli.chat.connection import Server, Unreachable, open_connection, read_server
from parlance.cli.chat.models import NoModels, list_models

NO_NAME = "http://" + "a" * 70 + ".example"


@asynccontextmanager
async def greeter(words: bytes) -> AsyncIterator[Server]:
    """Something that answers everybody with these words, and hangs up."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(words)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield Server(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")


async def test_what_can_be_no_hosts_name_is_said_to_be_none_and_not_tried_again() -> None:
    server = read_server(NO_NAME, None)
    with pytest.raises(Unreachable, match="no host's name") as error:
        await open_connection(server)
    assert (error.value.code, error.value.passing) == ("unreachable", False)
    with pytest.raises(NoModels, match="no server's address"):
        await list_models(server)


@pytest.mark.parametrize("words", [b"SSH-2.0-Other\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"], ids=str)
async def test_what_is_no_parlance_has_no_list_of_models(words: bytes) -> None:
    async with greeter(words) as server:
        with pytest.raises(NoModels, match="no list of models"):
            await list_models(server)


@pytest.mark.parametrize("path", ["/\N{LATIN SMALL LETTER E WITH ACUTE}", "/a b"])
async def test_a_path_that_no_request_can_bear_is_said_to_be_wrong(path: str) -> None:
    with pytest.raises(NoModels, match="no server's address"):
        await list_models(read_server(f"http://127.0.0.1:1{path}", None))


async def test_where_nobody_listens_it_says_so_in_words(unused_tcp_port: int) -> None:
    with pytest.raises(NoModels, match=r": Connection refused\.$"):
        await list_models(Server(f"http://127.0.0.1:{unused_tcp_port}"))
