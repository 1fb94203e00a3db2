"""What tests/conftest.py promises to every test."""

import asyncio
import os
import socket
import sys
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import settings

from tests.probes.leaks import LeakProbe
from tests.probes.network import LoopBlocked, NetworkRefused

blocking_sleep = time.sleep  # noqa: TID251 - the very thing that is to be refused


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80, 0, 0), ("10.0.0.1", 53)])
def test_no_connection_leaves_the_machine(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock, pytest.raises(NetworkRefused, match="only loopback"):
        sock.connect(address)


def test_no_datagram_leaves_the_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(NetworkRefused):
        sock.sendto(b"x", ("192.0.2.1", 53))


async def test_no_connection_leaves_the_event_loop_either() -> None:
    with pytest.raises(NetworkRefused):
        await asyncio.open_connection("192.0.2.1", 80)


def test_no_name_server_is_asked() -> None:
    with pytest.raises(NetworkRefused, match=r"api\.example\.com"):
        socket.getaddrinfo("api.example.com", 443)


async def test_loopback_is_open() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_a_blocking_sleep_on_the_loop_fails() -> None:
    with pytest.raises(LoopBlocked):
        blocking_sleep(0.001)


async def test_a_blocking_connection_on_the_loop_fails() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        with socket.socket() as sock, pytest.raises(LoopBlocked):
            sock.connect(server.sockets[0].getsockname())


def test_warnings_are_errors() -> None:
    with pytest.raises(UserWarning, match="loose"):
        warnings.warn("a loose end", stacklevel=1)


def test_the_environment_is_clean() -> None:
    assert not [name for name in os.environ if name.endswith(("_KEY", "_TOKEN", "_URL", "_proxy", "_PROXY"))]
    assert os.environ["PARLANCE_DISCOVERY"] == "false"


def test_the_working_folder_is_not_the_developers() -> None:
    assert not Path("pyproject.toml").exists()


def test_generated_examples_are_the_same_each_time() -> None:
    profile = settings.get_profile("ci")
    assert profile.derandomize
    assert profile.deadline is None


async def test_the_probe_sees_a_task_left_behind() -> None:
    probe = LeakProbe()
    forever = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    with pytest.raises(AssertionError, match="forgotten"):
        await probe.settled(within=0)
    forever.cancel()
    await probe.settled()


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells which sockets a process holds")
async def test_the_probe_sees_a_socket_left_behind() -> None:
    probe = LeakProbe()
    with socket.socket(), pytest.raises(AssertionError, match="socket:"):
        await probe.settled(within=0)
    await probe.settled()


async def test_the_probe_waits_for_what_is_ending(leak_probe: LeakProbe) -> None:
    ending = asyncio.create_task(asyncio.sleep(0), name="nearly done")
    assert leak_probe.left()
    assert not ending.done()
