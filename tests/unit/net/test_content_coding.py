"""Packed bodies: whatever the borders of the reads, and never more at once than was meant."""

import gzip
import zlib
from collections.abc import Sequence

import pytest

from parlance.net.content_coding import PIECE, unpacked
from parlance.net.wire import NotHttp
from tests.unit.net.plain_server import body_of

TEXT = b"Hello there! " * 50


class Packed:
    """An `Answer` of these reads."""

    def __init__(self, coding: str, reads: Sequence[bytes]) -> None:
        self.status = 200
        self.headers = {"content-encoding": coding}
        self._reads = list(reads)

    async def read(self) -> bytes:
        return self._reads.pop(0) if self._reads else b""

    def listen(self, listener: object) -> None:
        raise AssertionError("What is packed is of no use to a listener.")

    def give_up(self, error: Exception) -> None:
        raise error

    def close(self) -> None:
        self._reads.clear()


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("X-GZIP", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("identity", TEXT),
        ("", TEXT),
        ("gzip", gzip.compress(TEXT, mtime=0) + b"and more"),
    ],
)
async def test_what_is_packed_is_read_byte_by_byte_and_at_once(coding: str, packed: bytes) -> None:
    assert await body_of(unpacked(Packed(coding, [packed]))) == TEXT
    assert await body_of(unpacked(Packed(coding, [packed[at : at + 1] for at in range(len(packed))]))) == TEXT


async def test_nobody_hears_what_is_packed() -> None:
    answer = unpacked(Packed("gzip", [gzip.compress(TEXT)]))
    answer.listen(bool)
    assert await body_of(answer) == TEXT


async def test_an_empty_body_may_be_said_to_be_packed() -> None:
    assert await body_of(unpacked(Packed("gzip", []))) == b""


async def test_what_unpacks_to_very_much_comes_in_pieces() -> None:
    answer = unpacked(Packed("gzip", [gzip.compress(bytes(50 * PIECE))]))
    pieces = []
    while data := await answer.read():
        pieces.append(len(data))
    assert max(pieces) <= PIECE
    assert sum(pieces) == 50 * PIECE


@pytest.mark.parametrize("packed", [gzip.compress(TEXT, mtime=0)[:-12], b"no gzip at all"], ids=["cut", "not packed"])
async def test_what_is_not_packed_as_it_says_is_no_answer(packed: bytes) -> None:
    with pytest.raises(NotHttp):
        await body_of(unpacked(Packed("gzip", [packed])))


def test_a_packing_that_is_not_known_is_no_answer() -> None:
    with pytest.raises(NotHttp, match="'br'"):
        unpacked(Packed("br", []))
