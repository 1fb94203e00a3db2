"""Which pages and which names are let in: exactly those listed, whatever resembles them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.access.authenticate import AccessGate
from parlance.access.options import AccessOptions, ConfiguredKey
from parlance.core.errors import HostRefused, OriginRefused
from tests.unit.access.callers import caller, site_refusal

KEYS = (ConfiguredKey("web", "web-key-of-mine"),)
keyless = AccessGate(AccessOptions())
keyed = AccessGate(
    AccessOptions(host="0.0.0.0", keys=KEYS, cors_origins=("https://chat.example.com", "http://lab:80/"))
)

KEYLESS_ORIGINS = {
    "http://localhost:3000": True,
    "http://127.0.0.1:3000": True,
    "http://localhost:5173": True,
    "http://127.0.0.1:5173": True,
    "http://127.0.0.1:8000": True,
    "http://localhost:8000": True,
    "http://[::1]:8000": True,
    "HTTP://LOCALHOST:3000": True,
    "https://localhost:3000": False,
    "http://localhost": False,
    "http://localhost:80": False,
    "http://localhost:3001": False,
    "http://localhost:30000": False,
    "http://localhost:03000": False,
    "http://localhost.:3000": False,
    "http://localhost:3000/": False,
    "http://localhost:3000.evil.example": False,
    "http://localhost.evil.example:3000": False,
    "http://evil.example/http://localhost:3000": False,
    "http://evil.example#localhost:3000": False,
    "http://localhost:3000@evil.example": False,
    "http://evil.example@localhost:3000": False,
    "http://evil-localhost:3000": False,
    "http://xlocalhost:3000": False,
    "http://127.0.0.1:3000 ": False,
    "http://127.0.0.1.:3000": False,
    "http://127.1:3000": False,
    "http://2130706433:3000": False,
    "http://0.0.0.0:3000": False,
    "http://localhost:3000, http://evil.example": False,
    "http://localhost%00:3000": False,
    "http://localhost\x00:3000": False,
    "http:/localhost:3000": False,
    "//localhost:3000": False,
    "localhost:3000": False,
    "file://": False,
    "null": False,
    "NULL": False,
    "*": False,
    "": False,
    "http://ⅼocalhost:3000": False,
    "https://evil.example": False,
}

KEYED_ORIGINS = {
    "https://chat.example.com": True,
    "https://chat.example.com:443": True,
    "https://CHAT.example.com": True,
    "http://lab": True,
    "http://lab:80": True,
    "https://own.example:8443": True,
    "http://own.example:8443": True,
    "http://chat.example.com": False,
    "https://chat.example.com:80": False,
    "https://chat.example.com.": False,
    "https://chat.example.com.evil.example": False,
    "https://evilchat.example.com": False,
    "https://x.chat.example.com": False,
    "https://example.com": False,
    "https://lab": False,
    "https://own.example": False,
    "https://own.example:8444": False,
    "http://localhost:3000": False,
    "null": False,
}


def allows(gate: AccessGate, origin: str, host: str, path: str = "/chat") -> bool:
    asking = caller({"host": host, "origin": origin}, path=path)
    cors = gate.cors_headers(asking)
    refused = site_refusal(gate, asking)
    if refused is None:
        assert dict(cors)[b"access-control-allow-origin"].decode() == origin
        return True
    assert isinstance(refused, OriginRefused)
    assert (refused.status, cors) == (403, [])
    return False


@pytest.mark.parametrize(("origin", "allowed"), KEYLESS_ORIGINS.items())
def test_without_keys_only_the_development_origins_and_our_own_are_let_in(origin: str, allowed: bool) -> None:
    assert allows(keyless, origin, "127.0.0.1:8000") is allowed


@pytest.mark.parametrize(("origin", "allowed"), KEYED_ORIGINS.items())
def test_with_keys_only_the_listed_origins_and_our_own_are_let_in(origin: str, allowed: bool) -> None:
    assert allows(keyed, origin, "own.example:8443") is allowed


@given(st.text())
def test_no_text_is_an_origin_by_accident(text: str) -> None:
    assert allows(keyless, text, "localhost") is (
        KEYLESS_ORIGINS.get(text.lower(), False) or text == "http://localhost"
    )


def test_no_origin_is_no_page_and_gets_no_cors_headers() -> None:
    keyless.check_site(caller())
    assert keyless.cors_headers(caller()) == []


HOSTS = {
    "localhost": True,
    "localhost:8000": True,
    "LocalHost:8000": True,
    "127.0.0.1": True,
    "127.0.0.1:8000": True,
    "[::1]": True,
    "[::1]:8000": True,
    "[0:0:0:0:0:0:0:1]:8000": True,
    "box.lan": True,
    "box.lan:8000": True,
    "proxy.lan:8443": True,
    "box.lan:9000": False,
    "proxy.lan": False,
    "localhost:80": False,
    "localhost:8001": False,
    "localhost:08000": False,
    "localhost:": False,
    "localhost:99999": False,
    "localhost.": False,
    "localhost.:8000": False,
    "": False,
    " localhost": False,
    "localhost localhost": False,
    "localhost, evil.example": False,
    "evil.example, localhost": False,
    "user@localhost": False,
    "localhost@evil.example": False,
    "user:pass@localhost:8000": False,
    "http://localhost:8000": False,
    "http://localhost:8000/chat": False,
    "localhost/": False,
    "localhost#": False,
    "localhost?x": False,
    "evil.example": False,
    "evil.example:8000": False,
    "localhost.evil.example:8000": False,
    "127.0.0.1.nip.io:8000": False,
    "7f000001.c0a80001.rbndr.us:8000": False,
    "::1": False,
    "[::1": False,
    "[::1]x": False,
    "[::1%25lo]": False,
    "[127.0.0.1]": False,
    "127.1": False,
    "2130706433": False,
    "0x7f000001": False,
    "0.0.0.0:8000": False,
    "192.168.0.7:8000": False,
    "ⅼocalhost": False,
    "localhost\x00": False,
    "localhost\n": False,
    "a" * 100_000: False,
}


@pytest.mark.parametrize(("host", "known"), HOSTS.items(), ids=range(len(HOSTS)))
def test_without_keys_only_our_own_names_are_answered(host: str, known: bool) -> None:
    gate = AccessGate(AccessOptions(host_names=("box.lan", "proxy.lan:8443")))
    assert answers(gate, host) is known


def answers(gate: AccessGate, host: str, path: str = "/") -> bool:
    refused = site_refusal(gate, caller({"host": host}, method="GET", path=path))
    assert refused is None or (
        isinstance(refused, HostRefused) and refused.status == 421 and len(refused.message) < 500
    )
    return refused is None


def test_a_rebinding_page_is_refused_though_its_origin_is_its_host() -> None:
    with pytest.raises(HostRefused):
        keyless.check_site(caller({"host": "evil.example:8000", "origin": "http://evil.example:8000"}))


def test_an_absolute_target_is_refused() -> None:
    assert not answers(keyless, "localhost", "http://evil.example/")
    assert answers(keyless, "localhost", "*")


@pytest.mark.parametrize("host", ["chat.example.com", "10.0.0.7:8000", "anything:1"])
def test_with_keys_any_well_formed_name_is_answered(host: str) -> None:
    assert answers(keyed, host)


@pytest.mark.parametrize("host", ["", "a@b", "a, b", "name.", "a b"])
def test_with_keys_odd_hosts_are_refused_too(host: str) -> None:
    assert not answers(keyed, host)


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("10.0.0.7:8000", True),
        ("[fd00::1]:8000", True),
        ("parlance:8000", True),
        ("box.lan", True),
        ("evil.example", False),
    ],
)
def test_an_open_server_answers_addresses_and_plain_names_but_no_public_name_unless_listed(
    host: str, known: bool
) -> None:
    assert answers(AccessGate(AccessOptions(host="0.0.0.0", open=True, host_names=("box.lan",))), host) is known


def test_a_probe_without_a_host_is_answered_only_where_keys_decide() -> None:
    bare = caller()
    probe = type(bare)({}, bare.peer, "GET", "/health")
    keyed.check_site(probe)
    with pytest.raises(HostRefused):
        keyless.check_site(probe)


@given(st.text(max_size=80))
def test_no_text_is_a_host_by_accident(text: str) -> None:
    assert answers(keyless, text) is (text.isascii() and HOSTS.get(text.lower(), False) and "lan" not in text)


def test_an_unknown_port_makes_any_port_ours() -> None:
    assert answers(AccessGate(AccessOptions(port=0)), "localhost:49152")


@pytest.mark.parametrize(
    "origin",
    ["null", "https://*.example.com", "example.com", "https://example.com/path", "https://a@b", "", "https://"],
)
def test_a_setting_that_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match=r"server\.cors_origins"):
        AccessGate(AccessOptions(cors_origins=(origin,)))


def test_a_setting_that_is_no_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"access\.host_names"):
        AccessGate(AccessOptions(host_names=("http://box.lan",)))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "app://page"])
def test_the_wildcard_lets_all_pages_in_where_keys_decide_and_never_with_credentials(origin: str) -> None:
    gate = AccessGate(AccessOptions(host="0.0.0.0", keys=KEYS, cors_origins=("*",)))
    asking = caller({"origin": origin})
    gate.check_site(asking)
    headers = dict(gate.cors_headers(asking))
    assert headers[b"access-control-allow-origin"] == b"*"
    assert b"access-control-allow-credentials" not in headers
    assert gate.notices == ()


def test_without_keys_the_wildcard_lets_nobody_in_and_the_operator_is_told() -> None:
    gate = AccessGate(AccessOptions(cors_origins=("*", "https://app.example.com")))
    assert allows(gate, "https://app.example.com", "localhost")
    assert allows(gate, "http://localhost:3000", "localhost")
    assert not allows(gate, "https://evil.example", "localhost")
    assert "cors_origins" in gate.notices[0]


def test_a_preflight_is_granted_what_it_asks_for() -> None:
    asking = caller(
        {
            "origin": "http://localhost:3000",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type, x-stainless-os",
            "access-control-request-private-network": "true",
        },
        method="OPTIONS",
    )
    headers = dict(keyless.cors_headers(asking))
    assert headers[b"access-control-allow-origin"] == b"http://localhost:3000"
    assert headers[b"access-control-allow-credentials"] == b"true"
    assert headers[b"vary"] == b"origin"
    assert b"POST" in headers[b"access-control-allow-methods"]
    assert headers[b"access-control-allow-headers"] == b"content-type, x-stainless-os"
    assert headers[b"access-control-allow-private-network"] == b"true"


@given(st.text())
def test_what_a_preflight_asks_for_can_forge_no_header(names: str) -> None:
    asking = caller(
        {
            "origin": "http://localhost:3000",
            "access-control-request-method": "GET",
            "access-control-request-headers": names,
        },
        method="OPTIONS",
    )
    for name, value in keyless.cors_headers(asking):
        assert not set(b"\r\n\0") & set(name + value)
