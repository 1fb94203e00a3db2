"""A private cloud, over real sockets: headers of its own, a proxy on the way, a certificate that nobody else trusts."""

from base64 import b64encode
from pathlib import Path

import pytest

from parlance.core.errors import HostUnreachable
from parlance.core.provider import HostSpec
from parlance.net.egress import Egress
from parlance.providers.catalog import HostSetup, find_host, join_host
from parlance.providers.connect import connect
from parlance.testing.upstream import ScriptedUpstream
from tests.probes.leaks import LeakProbe
from tests.unit.providers.hosts import KEY, read_all, text_of
from tests.unit.providers.ways import behind_tls, proxy


def private(setup: HostSetup) -> HostSpec:
    row = find_host("private")
    assert row is not None
    return join_host("cloud", row, setup)


async def answer_of(spec: HostSpec) -> str:
    egress = Egress()
    try:
        return text_of(await read_all(connect(spec, KEY, egress=egress)))
    finally:
        await egress.close()


async def test_a_private_cloud_is_reached_at_its_address_with_its_own_headers(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(key=KEY) as upstream:
        setup = HostSetup(base_url=f"{upstream.base_url}/", headers=(("X-Tenant", "blue"), ("X-Trace", "1")))
        assert await answer_of(private(setup)) == "Hello there!"
        request = upstream.requests[0]
    assert (request.header("x-tenant"), request.header("x-trace")) == ("blue", "1")
    assert request.header("authorization") == f"Bearer {KEY}"


async def test_a_private_cloud_is_reached_through_a_proxy_that_wants_a_password(leak_probe: LeakProbe) -> None:
    async with ScriptedUpstream(key=KEY) as upstream, proxy() as double:
        address = f"http://user:word@127.0.0.1:{double.port}"
        assert await answer_of(private(HostSetup(base_url=upstream.base_url, proxy=address))) == "Hello there!"
    (head,) = double.heads
    assert head.startswith(f"POST {upstream_url(head)} HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {b64encode(b'user:word').decode()}" in head


async def test_a_private_cloud_behind_its_own_authority_is_trusted_by_its_file_alone(
    leak_probe: LeakProbe, tmp_path: Path
) -> None:
    async with ScriptedUpstream(key=KEY) as upstream, behind_tls(upstream.port, tmp_path) as (port, ca_file):
        address = f"https://127.0.0.1:{port}/v1"
        assert await answer_of(private(HostSetup(base_url=address, ca_file=str(ca_file)))) == "Hello there!"
        with pytest.raises(HostUnreachable, match="set ca_file"):
            await answer_of(private(HostSetup(base_url=address)))


async def test_a_proxy_never_sees_what_is_said_over_tls(leak_probe: LeakProbe, tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(key=KEY) as upstream,
        behind_tls(upstream.port, tmp_path) as (port, ca_file),
        proxy() as double,
    ):
        setup = HostSetup(
            base_url=f"https://localhost:{port}/v1", ca_file=str(ca_file), proxy=f"http://127.0.0.1:{double.port}"
        )
        assert await answer_of(private(setup)) == "Hello there!"
    (head,) = double.heads
    assert head.startswith(f"CONNECT localhost:{port} HTTP/1.1\r\n")
    assert KEY not in head


def upstream_url(head: str) -> str:
    url = head.split(" ", 2)[1]
    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/v1/chat/completions")
    return url
