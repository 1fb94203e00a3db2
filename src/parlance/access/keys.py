"""API keys: how they are made, hashed, configured and found. Only hashes are kept."""

import hashlib
import re
import secrets
import zlib
from collections.abc import Iterable

from parlance.access.options import ConfiguredKey
from parlance.core.ids import KeyId
from parlance.core.principal import Principal, Scope

PREFIX = "parlance_"
LONGEST_KEY = 512
SHORTEST_PLAIN_KEY = 8

_HASH = re.compile(r"sha256:[0-9a-fA-F]{64}")
_TRAVELS = re.compile(r"[!-+\--~]+")
_CHECKSUM_LENGTH = 6
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def make_key() -> str:
    """A new key: the prefix, 256 random bits, and a checksum that tells a mistyped or cut key from a withdrawn one."""
    body = PREFIX + secrets.token_urlsafe(32)
    return body + _checksum(body)


def hash_key(key: str) -> str:
    """The form in which a key is configured and stored: `sha256:<hex>`.

    A fast hash is enough, because what it hides is 256 random bits, which nobody can try out.
    """
    return f"sha256:{_digest(key).hex()}"


def is_whole(key: str) -> bool:
    """Whether a key that bears our prefix was copied whole; a key of another form can't be told, and passes."""
    if not key.startswith(PREFIX):
        return True
    return _checksum(key[:-_CHECKSUM_LENGTH]) == key[-_CHECKSUM_LENGTH:]


class KeyRing:
    """The configured keys, found by the SHA-256 of what a caller presents.

    The lookup needs no constant-time comparison: it compares digests, and how long that takes can tell a caller
    something of the digest of a stored key at most, from which nobody gets to a key.
    """

    def __init__(self, keys: Iterable[ConfiguredKey]) -> None:
        """`ValueError` for an entry that is malformed, or the same as another."""
        self._by_digest: dict[bytes, Principal] = {}
        for entry in keys:
            digest = _configured_digest(entry)
            twin = self._by_digest.get(digest)
            if twin is not None:
                raise ValueError(f"access.keys.{entry.id} and access.keys.{twin.key_id} are the same key; remove one.")
            self._by_digest[digest] = _principal(entry)

    def __bool__(self) -> bool:
        return bool(self._by_digest)

    def find(self, key: str) -> Principal | None:
        if not key.isascii() or len(key) > LONGEST_KEY:
            return None
        return self._by_digest.get(_digest(key))


def _configured_digest(entry: ConfiguredKey) -> bytes:
    if entry.key.startswith("sha256:"):
        if not _HASH.fullmatch(entry.key):
            raise ValueError(f"access.keys.{entry.id}.key: after `sha256:` come the 64 hexadecimal digits of the hash.")
        return bytes.fromhex(entry.key.removeprefix("sha256:"))
    if not SHORTEST_PLAIN_KEY <= len(entry.key) <= LONGEST_KEY:
        raise ValueError(
            f"access.keys.{entry.id}.key must have {SHORTEST_PLAIN_KEY} to {LONGEST_KEY} characters, so that nobody "
            "guesses it; make one with `parlance keys make`."
        )
    if not _TRAVELS.fullmatch(entry.key):
        raise ValueError(
            f"access.keys.{entry.id}.key may hold visible ASCII characters only, without blanks and commas, "
            "since it travels in a header."
        )
    return _digest(entry.key)


def _principal(entry: ConfiguredKey) -> Principal:
    scope, subtenant = _parse_scope(entry)
    return Principal(scope=scope, key_id=KeyId(entry.id), subtenant=subtenant, models=entry.models)


def _parse_scope(entry: ConfiguredKey) -> tuple[Scope, str | None]:
    match entry.scope.partition(":"):
        case ("admin", "", ""):
            return "admin", None
        case ("service", "", ""):
            return "service", None
        case ("subtenant", ":", subtenant) if subtenant.strip():
            return "subtenant", subtenant.strip()
        case _:
            raise ValueError(
                f"access.keys.{entry.id}.scope is {entry.scope!r}; it must be `admin`, `service` or `subtenant:<id>`."
            )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _checksum(body: str) -> str:
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
