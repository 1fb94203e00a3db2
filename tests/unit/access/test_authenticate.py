"""Who a caller is, by the key it presents in any of the ways there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.access.authenticate import OPEN_CALLER, AccessGate
from parlance.access.keys import make_key
from parlance.access.options import AccessOptions, ConfiguredKey
from parlance.core.errors import KeyInvalid, KeyMissing
from parlance.core.principal import LOCAL_ADMIN, Gate
from tests.unit.access.callers import caller, key_refusal

WEB = ConfiguredKey("web", "web-key-of-mine", "subtenant:acme", ("fast",))
OTHER = ConfiguredKey("other", "other-key-of-mine", "admin")

keyed: Gate = AccessGate(AccessOptions(keys=(WEB, OTHER)))
keyless: Gate = AccessGate(AccessOptions())
opened: Gate = AccessGate(AccessOptions(host="0.0.0.0", open=True, keys=(OTHER,)))


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer web-key-of-mine"},
        {"authorization": "bearer   web-key-of-mine "},
        {"x-api-key": "web-key-of-mine"},
        {"x-goog-api-key": "web-key-of-mine"},
        {"api-key": "web-key-of-mine"},
        {"sec-websocket-protocol": "parlance, parlance.key.web-key-of-mine"},
        {"sec-websocket-protocol": "parlance.key.web-key-of-mine,parlance"},
        {"authorization": "Bearer web-key-of-mine", "x-api-key": "web-key-of-mine"},
        {"authorization": "", "x-api-key": "web-key-of-mine"},
    ],
)
def test_a_key_is_taken_from_wherever_clients_put_it(headers: dict[str, str]) -> None:
    principal = keyed.authenticate(caller(headers))
    assert (principal.key_id, principal.scope, principal.subtenant) == ("web", "subtenant", "acme")
    assert principal.may_use("fast")
    assert not principal.may_use("slow")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer "},
        {"x-api-key": " "},
        {"sec-websocket-protocol": "parlance"},
    ],
)
def test_without_a_key_the_error_says_how_to_send_one(headers: dict[str, str]) -> None:
    with pytest.raises(KeyMissing, match="Authorization: Bearer"):
        keyed.authenticate(caller(headers))


def test_a_query_string_is_never_read() -> None:
    with pytest.raises(KeyMissing):
        keyed.authenticate(caller(path="/chat?key=web-key-of-mine&api_key=web-key-of-mine"))


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer web-key-of-mine", "x-api-key": "other-key-of-mine"},
        {"x-api-key": "web-key-of-mine, other-key-of-mine"},
        {"sec-websocket-protocol": "parlance.key.web-key-of-mine, parlance.key.other-key-of-mine"},
    ],
)
def test_keys_that_differ_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(KeyInvalid, match="several keys"):
        keyed.authenticate(caller(headers))


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "web-key-of-mine", "Token web-key-of-mine", "Digest a=b"])
def test_another_scheme_is_an_error_that_names_the_right_one(value: str) -> None:
    with pytest.raises(KeyInvalid, match="another scheme"):
        keyed.authenticate(caller({"authorization": value}))


def test_a_key_cut_on_the_way_is_told_from_an_unknown_one() -> None:
    key = make_key()
    with pytest.raises(KeyInvalid, match="copied whole"):
        keyed.authenticate(caller({"x-api-key": key[:-3]}))
    with pytest.raises(KeyInvalid, match="not one of this server's"):
        keyed.authenticate(caller({"x-api-key": key}))


@given(st.text(min_size=8))
def test_no_error_quotes_a_key(key: str) -> None:
    for headers in ({"authorization": f"Bearer {key}"}, {"authorization": key}, {"x-api-key": key}):
        refused = key_refusal(keyed, caller(headers))
        assert refused is None or len(key.strip()) < 8 or key.strip() not in refused.message


def test_the_first_frames_key_is_worth_the_same() -> None:
    assert keyed.authenticate_key("web-key-of-mine").key_id == "web"
    with pytest.raises(KeyInvalid):
        keyed.authenticate_key("")
    assert keyless.authenticate_key("anything") == LOCAL_ADMIN
    assert opened.authenticate_key("anything") == OPEN_CALLER


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer not-needed"},
        {"authorization": "Basic eA=="},
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-for": "::1, 127.0.0.1"},
        {"x-real-ip": "::ffff:127.0.0.1"},
        {"forwarded": 'for="[::1]:4711";proto=http'},
    ],
)
def test_at_loopback_without_keys_everybody_here_is_the_local_admin(headers: dict[str, str]) -> None:
    assert keyless.authenticate(caller(headers)) == LOCAL_ADMIN
    assert keyless.authenticate(caller(headers, peer=None)) == LOCAL_ADMIN


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "203.0.113.5"},
        {"x-forwarded-for": "127.0.0.1, 203.0.113.5"},
        {"x-forwarded-for": "unknown"},
        {"x-real-ip": "10.0.0.7"},
        {"forwarded": "for=192.0.2.60;proto=http;by=203.0.113.43"},
    ],
)
def test_what_a_local_proxy_forwards_from_elsewhere_is_not_the_local_admin(headers: dict[str, str]) -> None:
    with pytest.raises(KeyMissing, match="forwarded"):
        keyless.authenticate(caller(headers))


def test_a_client_known_to_be_elsewhere_is_not_the_local_admin() -> None:
    with pytest.raises(KeyMissing):
        keyless.authenticate(caller(peer="192.0.2.1"))


def test_an_open_server_takes_any_key_or_none_and_knows_its_own() -> None:
    for headers in ({}, {"authorization": "Bearer dummy"}, {"authorization": "Basic eA=="}, {"x-api-key": "ü"}):
        assert opened.authenticate(caller(headers)) == OPEN_CALLER
    assert opened.authenticate(caller({"x-api-key": "other-key-of-mine"})).scope == "admin"
    assert OPEN_CALLER.scope == "service"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.7", "chat.example.com", "128.0.0.1"])
def test_nothing_listens_beyond_loopback_without_a_key(host: str) -> None:
    with pytest.raises(ValueError, match=r"access\.keys"):
        AccessGate(AccessOptions(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "LOCALHOST", "::1", "[::1]"])
def test_loopback_needs_none(host: str) -> None:
    assert AccessGate(AccessOptions(host=host)).authenticate(caller()) == LOCAL_ADMIN


def test_an_open_server_says_so_at_every_start() -> None:
    assert any("access.open" in notice for notice in AccessGate(AccessOptions(open=True)).notices)
    assert AccessGate(AccessOptions()).notices == ()
