"""Addresses that a caller may not send us to, in all their disguises."""

import ipaddress
import socket
from collections.abc import Sequence

import pytest
from yarl import URL

from parlance.core.errors import InvalidRequest
from parlance.net.addresses import check_address, check_url
from parlance.net.dialing import Names, Place
from parlance.net.egress import Egress, Way
from parlance.net.http_client import Ask, HttpClient
from parlance.net.wire import NotConnected

INWARD = """127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254
169.254.0.1 100.64.0.1 100.100.100.200 100.127.255.255 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1
203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1
2002:7f00:1:: 2002:808:808:: 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1""".split()
OUTWARD = "1.1.1.1 8.8.8.8 9.255.255.255 100.63.255.255 172.32.0.1 192.169.0.1 2606:4700::1111 2a00:1450::1".split()


@pytest.mark.parametrize("address", INWARD)
def test_an_address_that_leads_inward_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match="not a public one"):
        check_address(address)


@pytest.mark.parametrize("address", OUTWARD)
def test_a_public_address_is_let_through(address: str) -> None:
    check_address(address)


def test_what_the_operator_allows_is_let_through_and_nothing_beside_it() -> None:
    allow = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("::1/128"))
    check_address("10.1.2.3", allow=allow)
    check_address("::1", allow=allow)
    with pytest.raises(InvalidRequest):
        check_address("10.2.0.1", allow=allow)


@pytest.mark.parametrize("address", ["", "localhost", "2130706433", "0x7f.1", "127.1", "1.2.3", "8.8.8.8.8"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match="no IP address"):
        check_address(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127。0。0。1/",
        "http://①②⑦.0.0.1/",
        "http://[::1]:8000/",
        "http://[::ffff:7f00:1]/",
        "http://[fe80::1%25eth0]/",
        "http://169.254.169.254/latest/meta-data",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1\\@example.com/",
        "http:///path",
        "http://x:99999/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//example.com/",
        "example.com",
        "",
    ],
)
def test_a_url_that_must_not_be_followed_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        check_url(url)


def test_a_good_url_is_parsed_by_the_parser_that_connects() -> None:
    assert check_url("https://Example.com/v1?x=1") == URL("https://example.com/v1?x=1")
    assert check_url("http://8.8.8.8/").host == "8.8.8.8"


class Telling(Names):
    """Knows one name, and has these addresses for it."""

    def __init__(self, *addresses: str) -> None:
        super().__init__()
        self._addresses = addresses

    async def resolve(self, host: str, port: int) -> Sequence[Place]:
        return [Place(socket.AF_INET, (address, port)) for address in self._addresses]


@pytest.mark.parametrize("addresses", [("8.8.8.8", "127.0.0.1"), ("::1",)])
async def test_a_name_is_refused_when_any_of_its_addresses_leads_inward(addresses: Sequence[str]) -> None:
    client = HttpClient(Telling(*addresses))
    with pytest.raises(InvalidRequest):
        await client.send(Ask("GET", URL("http://x.example/"), {}, b"", 5.0, check_address), None)
    await client.close()


async def test_what_a_caller_named_is_not_asked_for_through_a_proxy() -> None:
    egress = Egress()
    way = Way(host="caller's", proxy="http://127.0.0.1:9", trusted=False)
    with pytest.raises(InvalidRequest):
        await egress.get(URL("http://x.example/"), headers={}, way=way)
    await egress.close()


@pytest.mark.parametrize("url", ["http://localhost:9/", "http://2130706433:9/", "http://127.1:9/"])
async def test_a_name_that_turns_out_to_be_this_machine_is_not_connected_to(url: str) -> None:
    egress = Egress()
    try:
        with pytest.raises((InvalidRequest, NotConnected)):
            await egress.get(check_url(url), headers={}, way=Way(host="caller's", trusted=False))
    finally:
        await egress.close()
