"""The SSE reader against the HTML standard's rules, at every border of reads."""

import pytest

from parlance.core.errors import HostAnswerInvalid
from parlance.net.framing import Frame
from parlance.net.sse import SseReader


def read(body: bytes, *, step: int = 0) -> list[Frame]:
    """The frames of a body, read whole or `step` bytes at a time."""
    reader = SseReader(host="lab")
    pieces = [body[at : at + step] for at in range(0, len(body), step)] if step else [body]
    frames = [frame for piece in pieces for frame in reader.feed(piece)]
    return frames + reader.close()


CASES: dict[str, tuple[bytes, list[Frame]]] = {
    "one event": (b'data: {"a":1}\n\n', [(b'{"a":1}', "")]),
    "several events": (b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n", [(b"1", ""), (b"2", ""), (b"[DONE]", "")]),
    "a carriage return and a line feed": (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [(b"1", ""), (b"2", "")]),
    "a carriage return alone": (b"data: 1\r\rdata: 2\r\r", [(b"1", ""), (b"2", "")]),
    "all ends of lines mixed": (b"data: 1\r\n\rdata: 2\n\r\ndata: 3\r\r\n", [(b"1", ""), (b"2", ""), (b"3", "")]),
    "several data lines": (b"data: 1\ndata: 2\ndata\n\n", [(b"1\n2\n", "")]),
    "no space after the colon": (b"data:1\n\ndata:  2\n\n", [(b"1", ""), (b" 2", "")]),
    "a named event": (b"event: error\ndata: 1\n\ndata: 2\n\n", [(b"1", "error"), (b"2", "")]),
    "a name behind the data": (b"data: 1\nevent: late\n\n", [(b"1", "late")]),
    "comments": (b": ping\n\n: ping\ndata: 1\n:\n\n:\n\n", [(b"1", "")]),
    "unknown fields": (b"foo: bar\nfoo\ndata: 1\n: x\n\n", [(b"1", "")]),
    "empty data is an event": (b"data\n\ndata:\n\ndata: \n\n", [(b"", ""), (b"", ""), (b"", "")]),
    "no data is none": (b"event: x\n\nid: 3\n\ndata: 1\n\n", [(b"1", "")]),
    "too many blank lines": (b"\n\n\ndata: 1\n\n\n\n\ndata: 2\n\n\n", [(b"1", ""), (b"2", "")]),
    "a byte order mark": (b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n", [(b"1", "")]),
    "half a byte order mark": (b"\xef\xbbdata: 1\n\ndata: 2\n\n", [(b"2", "")]),
    "no blank line at the end": (b"data: 1\n\ndata: 2\n", [(b"1", "")]),
    "no end of line at the end": (b"data: 1\n\ndata: 2", [(b"1", "")]),
    "other ends of lines are content": (
        "data: a\u2028b\u0085c\x0bd\x0ce\x1cf\n\n".encode(),
        [("a\u2028b\u0085c\x0bd\x0ce\x1cf".encode(), "")],
    ),
    "bytes that are no UTF-8": (b"event: \xff\ndata: \xff\xfe\n\n", [(b"\xff\xfe", "\ufffd")]),
    "an error on a bare line": (
        b'data: 1\n\n{"error":{"code":503}}\r\n\r\n',
        [(b"1", ""), (b'{"error":{"code":503}}', "")],
    ),
    "an error laid out over bare lines": (
        b'data: 1\n\n{\n  "error": {\n    "code": 503\n  }\n}\ndata: 2\n\n',
        [(b"1", ""), (b'{\n  "error": {\n    "code": 503\n  }\n}', ""), (b"2", "")],
    ),
    "a list of one error on bare lines": (b'[{\n  "error": {}\n}\n]\n', [(b'[{\n  "error": {}\n}\n]', "")]),
    "bare JSON that is no error": (b'{"a":1}\ndata: 1\n\n{\n  "a": 1\n\ndata: 2\n\n', [(b"1", ""), (b"2", "")]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("step", [0, 1, 2, 3, 7])
def test_events_are_read_the_same_whatever_the_borders_of_the_reads(name: str, step: int) -> None:
    body, frames = CASES[name]
    assert read(body, step=step) == frames


@pytest.mark.parametrize("told", [b'{"error":{}}', b'{\n  "error": {}\n}', b'{\n  "error": {'])
def test_a_bare_error_at_the_end_of_a_body_needs_no_end_of_line(told: bytes) -> None:
    assert read(b"data: 1\n\n" + told) == [(b"1", ""), (told, "")]


@pytest.mark.parametrize("name", CASES)
def test_a_body_cut_in_two_at_any_byte_gives_the_same_events(name: str) -> None:
    body, frames = CASES[name]
    for cut in range(len(body)):
        reader = SseReader()
        assert reader.feed(body[:cut]) + reader.feed(body[cut:]) == frames, cut


def test_an_event_is_told_with_the_byte_that_ends_it() -> None:
    reader = SseReader()
    assert reader.feed(b"data: 1\r\n\r") == [(b"1", "")]
    assert reader.feed(b"\n") == []
    assert reader.feed(b"data: 2\n\n") == [(b"2", "")]


def test_the_last_id_and_the_retry_time_are_kept() -> None:
    reader = SseReader()
    reader.feed(b"id: 7\nretry: 1500\ndata: 1\n\nid: a\0b\nretry: soon\ndata: 2\n\n")
    assert (reader.last_id, reader.retry) == ("7", 1500)
    reader.feed(b"id\n\n")
    assert reader.last_id == ""


@pytest.mark.parametrize(
    "body",
    [b"data: " + b"x" * 2000, b"data: " + b"x" * 2000 + b"\n\n", b"data: x\n" * 600, b"x" * 1100, b"data:x\r" * 900],
)
@pytest.mark.parametrize("step", [0, 1, 100])
def test_an_event_beyond_the_bound_is_refused(body: bytes, step: int) -> None:
    reader = SseReader(host="lab", max_event=1000)
    pieces = [body[at : at + step] for at in range(0, len(body), step)] if step else [body]
    with pytest.raises(HostAnswerInvalid, match="'lab' sent an event of more than 1000 bytes"):
        list(map(reader.feed, pieces))


def test_the_bound_counts_single_events_and_no_comments() -> None:
    reader = SseReader(max_event=1000)
    assert len(reader.feed(b"data: 123456789\n\n" * 500)) == 500
    assert reader.feed(b": ping\n" * 500) == []
