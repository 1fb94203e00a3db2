"""The HTTP client: connections that are used again, all the ways in which an answer may end, what is held back."""

import asyncio
import socket
from collections.abc import Sequence

import pytest
from yarl import URL

from parlance.core.errors import HostTimeout
from parlance.net.connection import MAX_HEAD, READ_BUFFER
from parlance.net.dialing import Names, Place
from parlance.net.http_client import Ask, HttpClient
from parlance.net.wire import BrokenOff, NotConnected, NotHttp
from tests.probes.leaks import LeakProbe, settled
from tests.unit.net.plain_server import OK, answering, body_of

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_answers_follow_each_other_over_one_connection(leak_probe: LeakProbe) -> None:
    async with answering(OK, CHUNKED + b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", OK) as (plain, client):
        bodies = [await body_of(await client.send(plain.ask(), None)) for _ in range(3)]
        assert bodies == [b"ok", b"onetwo", b"ok"]
        assert plain.connections == 1


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
    ],
    ids=["the host closes it", "an old host", "words that nobody asked for"],
)
async def test_a_connection_that_may_be_closed_is_not_used_again(first: bytes, leak_probe: LeakProbe) -> None:
    async with answering(first, OK) as (plain, client):
        for _ in range(2):
            assert await body_of(await client.send(plain.ask(), None)) == b"ok"
        assert plain.connections == 2


async def test_a_body_without_a_length_lasts_as_long_as_its_connection(leak_probe: LeakProbe) -> None:
    async with answering(b"HTTP/1.1 200 OK\r\n\r\nall of it", closing=True) as (plain, client):
        assert await body_of(await client.send(plain.ask(), None)) == b"all of it"


@pytest.mark.parametrize(
    "cut", [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", CHUNKED + b"4\r\nhalf\r\n"], ids=["length", "chunks"]
)
async def test_what_came_before_a_break_is_read_before_the_break_is_told(cut: bytes, leak_probe: LeakProbe) -> None:
    async with answering(cut, closing=True) as (plain, client):
        answer = await client.send(plain.ask(), None)
        assert await answer.read() == b"half"
        for _ in range(2):
            with pytest.raises(BrokenOff):
                await answer.read()
        answer.close()


async def test_news_before_the_answer_are_passed_over(leak_probe: LeakProbe) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    async with answering(b"HTTP/1.1 100 Continue\r\n\r\n" + early + OK) as (plain, client):
        answer = await client.send(plain.ask(), None)
        assert (answer.status, "link" in answer.headers) == (200, False)
        assert await body_of(answer) == b"ok"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * (MAX_HEAD + 1),
        b"".join([b"HTTP/1.1 200 OK\r\n", b"x: y\r\n" * MAX_HEAD]),
    ],
    ids=["another protocol", "a change of protocols", "an endless header", "endless headers"],
)
async def test_what_is_no_answer_is_told_as_such(answer: bytes, leak_probe: LeakProbe) -> None:
    async with answering(answer) as (plain, client):
        with pytest.raises(NotHttp):
            await client.send(plain.ask(), None)


async def test_garbage_in_a_body_is_told_behind_what_came_before_it(leak_probe: LeakProbe) -> None:
    async with answering(CHUNKED + b"3\r\none\r\nnonsense\r\n") as (plain, client):
        answer = await client.send(plain.ask(), None)
        assert await answer.read() == b"one"
        with pytest.raises(NotHttp):
            await answer.read()
        answer.close()


async def test_a_question_that_changes_nothing_is_asked_again_where_a_used_connection_had_ended(
    leak_probe: LeakProbe,
) -> None:
    async with answering(OK, b"", OK) as (plain, client):
        await body_of(await client.send(plain.ask(), None))
        assert await body_of(await client.send(plain.ask(), None)) == b"ok"
    async with answering(OK, b"", OK) as (plain, client):
        await body_of(await client.send(plain.ask(), None))
        with pytest.raises(BrokenOff):
            await client.send(plain.ask("POST"), None)


async def test_an_answer_that_is_left_cuts_its_connection(leak_probe: LeakProbe) -> None:
    async with answering(CHUNKED + b"3\r\none\r\n") as (plain, client):
        answer = await client.send(plain.ask(), None)
        answer.close()
        await plain.left.wait()


async def test_who_waits_is_told_at_once_that_the_host_was_given_up(leak_probe: LeakProbe) -> None:
    async with answering(CHUNKED) as (plain, client):
        answer = await client.send(plain.ask(), None)
        waiting = asyncio.ensure_future(answer.read())
        answer.give_up(HostTimeout("It took too long."))
        with pytest.raises(HostTimeout):
            await waiting
        await plain.left.wait()


async def test_a_host_is_held_back_while_nobody_reads(leak_probe: LeakProbe) -> None:
    size = 64 * READ_BUFFER
    async with answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + bytes(size)) as (plain, client):
        answer = await client.send(plain.ask(), None)
        await settled(lambda: not answer._connection or answer._connection._held_back)
        first = await answer.read()
        assert READ_BUFFER < len(first) < 2 * READ_BUFFER
        assert len(first) + len(await body_of(answer)) == size


@pytest.mark.parametrize("value", ["a\r\nx-other: b", "a\nb", "a\rb", "a\0b"])
async def test_a_header_can_not_become_two(value: str) -> None:
    async with answering(OK) as (plain, client):
        with pytest.raises(ValueError, match="line break"):
            await client.send(plain.ask(x=value), None)
        assert not plain.connections


async def test_an_address_may_carry_a_name_and_a_password(leak_probe: LeakProbe) -> None:
    async with answering(OK) as (plain, client):
        ask = plain.ask()
        named = type(ask)("GET", ask.url.with_user("user").with_password("word"), {}, b"", 5.0)
        await body_of(await client.send(named, None))
    assert "authorization: Basic dXNlcjp3b3Jk\r\n" in plain.heads[0]
    assert f"host: 127.0.0.1:{plain.port}\r\n" in plain.heads[0]


async def test_a_closed_client_has_no_connection_left_and_who_waits_is_told(leak_probe: LeakProbe) -> None:
    async with answering(CHUNKED, OK) as (plain, client):
        answer = await client.send(plain.ask(), None)
        await client.close()
        with pytest.raises(BrokenOff):
            await answer.read()
        answer.close()


class Nobody(Names):
    async def resolve(self, host: str, port: int) -> Sequence[Place]:
        raise socket.gaierror("no such name")


async def test_a_name_that_does_not_exist_is_told_as_such() -> None:
    client = HttpClient(Nobody())
    with pytest.raises(NotConnected) as told:
        await client.send(Ask("GET", URL("http://nobody.invalid/"), {}, b"", 5.0), None)
    assert told.value.obstacle == "name"
    await client.close()
