"""Keys: made, hashed, configured, found; and the one made at the first start."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlance.access.first_key import FILE_NAME, FirstKey, ensure_first_key
from parlance.access.keys import KeyRing, hash_key, is_whole, make_key
from parlance.access.options import ConfiguredKey

ODD_KEYS = [
    "",
    " ",
    "x" * 10_000_000,
    "ключ-ключ-ключ",
    "\udc80" * 20,
    "\0" * 20,
    "' OR '1'='1",
    "'; DROP TABLE keys; --",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "../../etc/passwd",
    "sha256:" + "0" * 64,
    "\r\nX-Scope: admin",
]


def test_made_keys_differ_and_bear_the_prefix_and_256_bits() -> None:
    keys = {make_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("parlance_") and len(key) >= len("parlance_") + 43 + 6 for key in keys)


def test_a_made_key_is_whole_and_one_with_a_letter_changed_or_cut_is_not() -> None:
    key = make_key()
    swapped = key[:20] + ("A" if key[20] != "A" else "B") + key[21:]
    assert is_whole(key)
    assert not is_whole(swapped)
    assert not is_whole(key[:-1])
    assert is_whole("another-issuers-key")


def test_a_plain_key_and_its_hash_configure_the_same() -> None:
    key = make_key()
    for configured in (key, hash_key(key), hash_key(key).replace("sha256:", "").upper().join(["sha256:", ""])):
        principal = KeyRing([ConfiguredKey("web", configured, "service", ("fast",))]).find(key)
        assert principal is not None
        assert (principal.scope, principal.key_id, principal.models) == ("service", "web", ("fast",))


def test_a_plain_key_is_not_kept() -> None:
    key = make_key()
    ring = KeyRing([ConfiguredKey("web", key)])
    assert key not in repr(vars(ring))
    assert key not in repr(ConfiguredKey("web", key))


def test_the_hash_is_no_key() -> None:
    key = make_key()
    assert KeyRing([ConfiguredKey("web", hash_key(key))]).find(hash_key(key)) is None


@pytest.mark.parametrize(
    ("scope", "expected"),
    [("admin", ("admin", None)), ("service", ("service", None)), ("subtenant:acme:eu", ("subtenant", "acme:eu"))],
)
def test_scopes_are_read(scope: str, expected: tuple[str, str | None]) -> None:
    principal = KeyRing([ConfiguredKey("a", "a-key-of-mine", scope)]).find("a-key-of-mine")
    assert principal is not None
    assert (principal.scope, principal.subtenant) == expected


@pytest.mark.parametrize(
    "scope", ["", "Admin", "admin:", "admin:x", "service:x", "subtenant", "subtenant:", "subtenant: "]
)
def test_other_scopes_are_refused(scope: str) -> None:
    with pytest.raises(ValueError, match=r"access\.keys\.web\.scope"):
        KeyRing([ConfiguredKey("web", "a-key-of-mine", scope)])


@pytest.mark.parametrize(
    "key", ["", "short", "sha256:12", "sha256:" + "g" * 64, "with a blank", "mit-ümlaut", "a,b-c-d-e", "x" * 513]
)
def test_a_configured_key_that_could_not_work_is_refused_without_being_quoted(key: str) -> None:
    with pytest.raises(ValueError, match=r"access\.keys\.web\.key") as refused:
        KeyRing([ConfiguredKey("web", key)])
    assert len(key) < 6 or key not in str(refused.value)


def test_one_key_under_two_names_is_refused() -> None:
    with pytest.raises(ValueError, match=r"access\.keys\.b and access\.keys\.a"):
        KeyRing([ConfiguredKey("a", "a-key-of-mine"), ConfiguredKey("b", hash_key("a-key-of-mine"))])


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_odd_keys_find_nothing(key: str) -> None:
    assert KeyRing([ConfiguredKey("web", "a-key-of-mine", "admin")]).find(key) is None


@given(st.text())
def test_no_text_but_the_key_finds_anything(text: str) -> None:
    assert (KeyRing([ConfiguredKey("web", "a-key-of-mine")]).find(text) is None) == (text != "a-key-of-mine")


def test_the_first_key_is_shown_once_and_works_ever_after(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "deeper"
    made = ensure_first_key(folder)
    again = ensure_first_key(folder)
    assert made.plain is not None
    assert again == FirstKey(made.entry)
    principal = KeyRing([again.entry]).find(made.plain)
    assert principal is not None
    assert principal.scope == "admin"


def test_the_data_folder_keeps_the_first_keys_hash_only_and_for_its_owner_only(tmp_path: Path) -> None:
    made = ensure_first_key(tmp_path)
    assert made.plain is not None
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]
    assert (tmp_path / FILE_NAME).read_text() == hash_key(made.plain) + "\n"
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert made.plain not in repr(made)


@pytest.mark.parametrize("content", [b"", b"sha256:12", b"\xff\xfe", b"a-plain-key-somebody-put-there"])
def test_a_damaged_first_key_is_an_error_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(ValueError, match=FILE_NAME):
        ensure_first_key(tmp_path)
