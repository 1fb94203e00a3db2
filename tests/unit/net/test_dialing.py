"""From names to sockets: one question for many, and addresses that lead nowhere."""

import asyncio
import socket

import pytest

from parlance.net.dialing import Names, Place, open_socket
from parlance.testing.silent_port import SilentPort


def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def place_of(port: int) -> Place:
    return Place(socket.AF_INET, ("127.0.0.1", port))


async def test_the_next_address_is_taken_when_one_refuses(unused_tcp_port: int) -> None:
    with listener() as there:
        port = there.getsockname()[1]
        with await open_socket([place_of(unused_tcp_port), place_of(port)]) as opened:
            assert opened.getpeername()[1] == port


async def test_an_address_that_says_nothing_does_not_keep_the_next_from_being_tried() -> None:
    async with SilentPort() as silent:
        silent_port = int(silent.base_url.split(":")[2].split("/")[0])
        with listener() as there:
            port = there.getsockname()[1]
            with await open_socket([place_of(silent_port), place_of(port)]) as opened:
                assert opened.getpeername()[1] == port


async def test_where_all_refuse_the_error_says_so(unused_tcp_port: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        await open_socket([place_of(unused_tcp_port)] * 3)


async def test_those_who_ask_for_a_name_at_once_share_the_answer_and_who_gives_up_takes_it_from_nobody() -> None:
    names = Names()
    first, second = (asyncio.create_task(names.resolve("localhost", 80)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    places = await second
    assert first.cancelled()
    assert places is await names.resolve("localhost", 80)
    await names.close()


async def test_a_name_that_was_not_found_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def refuse(host: str, *_: object, **__: object) -> None:
        asked.append(host)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", refuse)
    names = Names()
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await names.resolve("nobody.invalid", 80)
    assert len(asked) == 2
    await names.close()
