"""The NDJSON reader, at every border of reads."""

import pytest

from parlance.core.errors import HostAnswerInvalid
from parlance.net.ndjson import NdjsonReader

BODY = '{"a":1}\n\n{"b":"x\u2028y\x0b"}\r\n  \n\r\n{"c":3}'.encode()
WHOLE = [(b'{"a":1}', ""), ('{"b":"x\u2028y\x0b"}\r'.encode(), "")]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 100])
def test_lines_end_at_line_feeds_alone_and_blank_ones_are_ignored(step: int) -> None:
    reader = NdjsonReader()
    frames = [frame for at in range(0, len(BODY), step) for frame in reader.feed(BODY[at : at + step])]
    assert frames == WHOLE
    assert reader.close() == [(b'{"c":3}', "")]
    assert reader.close() == []


def test_a_last_line_without_its_end_counts_only_when_the_body_is_closed() -> None:
    reader = NdjsonReader()
    assert reader.feed(b'{"a":1}') == []
    assert reader.feed(b"\n") == [(b'{"a":1}', "")]
    assert reader.close() == []


@pytest.mark.parametrize("step", [1, 100, 3000])
def test_a_line_beyond_the_bound_is_refused(step: int) -> None:
    reader = NdjsonReader(host="lab", max_line=1000)
    body = b"x" * 2000 + b"\n"
    pieces = [body[at : at + step] for at in range(0, len(body), step)]
    with pytest.raises(HostAnswerInvalid, match="'lab' sent a line of more than 1000 bytes"):
        list(map(reader.feed, pieces))
